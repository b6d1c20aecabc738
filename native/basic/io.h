/* Whole reads, whole writes, whole files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads a file to its end into a NUL-terminated buffer of the caller's. -EFBIG if it holds more than `max` bytes. */
int io_read_all(int fd, size_t max, char **ret, size_t *ret_size);

/* Opens and reads; for /proc, /sys and the like. `ret_size` may be NULL. */
int file_read(int directory_fd, const char *path, size_t max, char **ret, size_t *ret_size);

/* Reads up to `size` bytes, fewer only at the end of the file; returns the count or -errno. */
ssize_t io_read(int fd, void *buffer, size_t size);

/* The same from a place in the file, whose position stays; with IO_CURRENT from its position. */
#define IO_CURRENT ((off_t)-1)
ssize_t io_read_at(int fd, void *buffer, size_t size, off_t offset);

/* Where a symbolic link leads. */
int link_read(const char *path, char **ret);

int io_write_all(int fd, const void *buffer, size_t size);

/* Replaces `name` in a directory by temporary file and rename; with `durable` both are fsynced. */
int file_replace(int directory_fd, const char *name, const char *text, mode_t mode, bool durable);

/* Its two halves, for who must know that the file can be there before it may: the temporary file, and its rename. A half that
 * fails leaves none behind. */
int file_prepare(int directory_fd, const char *name, const char *text, mode_t mode, bool durable, char **ret_temporary);
int file_place(int directory_fd, const char *temporary, const char *name, bool durable);

/* mkdir -p with mode 0755 for what is missing. */
int directory_make(const char *path);

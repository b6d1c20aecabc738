#include "basic/io.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/text.h"

ssize_t io_read(int fd, void *buffer, size_t size) {
    return io_read_at(fd, buffer, size, IO_CURRENT);
}

ssize_t io_read_at(int fd, void *buffer, size_t size, off_t offset) {
    size_t used = 0;
    while (used < size) {
        char *at = (char *)buffer + used;
        ssize_t n = offset == IO_CURRENT ? read(fd, at, size - used) : pread(fd, at, size - used, offset + (off_t)used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

int io_read_all(int fd, size_t max, char **ret, size_t *ret_size) {
    _cleanup_free_ char *buffer = NULL;
    size_t used = 0, allocated = 0;
    for (;;) {
        if (used == allocated) {
            allocated = allocated ? allocated * 2 : 4096;
            if (allocated > max + 1)
                allocated = max + 1; /* one byte more than allowed tells "too big" from "just fits" */
            char *grown = realloc(buffer, allocated + 1);
            if (!grown)
                return -ENOMEM;
            buffer = grown;
        }
        ssize_t n = io_read(fd, buffer + used, allocated - used);
        if (n < 0)
            return (int)n;
        used += (size_t)n;
        if (used > max)
            return -EFBIG;
        if (used < allocated)
            break;
    }
    buffer[used] = 0;
    *ret = take_pointer(buffer);
    if (ret_size)
        *ret_size = used;
    return 0;
}

int file_read(int directory_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
    _cleanup_fd_ int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? -errno : io_read_all(fd, max, ret, ret_size);
}

int io_write_all(int fd, const void *buffer, size_t size) {
    for (size_t used = 0; used < size;) {
        ssize_t n = write(fd, (const char *)buffer + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        used += (size_t)n;
    }
    return 0;
}

static int file_fill(int directory_fd, const char *name, const char *text, mode_t mode, bool durable) {
    _cleanup_fd_ int fd =
        openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode);
    if (fd < 0)
        return -errno;
    int r = io_write_all(fd, text, strlen(text));
    if (r < 0)
        return r;
    return durable && fsync(fd) < 0 ? -errno : 0;
}

int file_replace(int directory_fd, const char *name, const char *text, mode_t mode, bool durable) {
    _cleanup_free_ char *temporary = NULL;
    int r = file_prepare(directory_fd, name, text, mode, durable, &temporary);
    return r < 0 ? r : file_place(directory_fd, temporary, name, durable);
}

int file_prepare(int directory_fd, const char *name, const char *text, mode_t mode, bool durable, char **ret_temporary) {
    _cleanup_free_ char *temporary = NULL;
    int r = text_format(&temporary, ".%s.%d", name, (int)getpid());
    if (r < 0)
        return r;
    r = file_fill(directory_fd, temporary, text, mode, durable);
    if (r < 0)
        (void)unlinkat(directory_fd, temporary, 0);
    else
        *ret_temporary = take_pointer(temporary);
    return r;
}

int file_place(int directory_fd, const char *temporary, const char *name, bool durable) {
    if (renameat(directory_fd, temporary, directory_fd, name) < 0) {
        int r = -errno;
        (void)unlinkat(directory_fd, temporary, 0);
        return r;
    }
    return durable && fsync(directory_fd) < 0 ? -errno : 0;
}

int directory_make(const char *path) {
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return -errno;
    _cleanup_free_ char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int link_read(const char *path, char **ret) {
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0)
        return -errno;
    *ret = strndup(target, (size_t)length);
    return *ret ? 0 : -ENOMEM;
}

/* Where a file has data. Holes are blocks that hold nothing but zeros, whether the file system stores them or not: the same
 * content makes the same archive on every host. */
#pragma once

#include <archive_entry.h>
#include <stdint.h>

/* Aligned blocks of this size are looked at, in files of at least four of them. */
#define HOLE_BLOCK (64 * 1024)

/* Adds the regions with data of the file to the entry if it has holes. Returns 0 or -errno. */
int holes_describe(int fd, uint64_t size, struct archive_entry *entry);

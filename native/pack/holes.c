#include "pack/holes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"

/* A file of more pieces is better stored whole. */
#define REGIONS_MAX 4096

struct Scan {
    int fd;
    uint64_t size;
    unsigned char *block;
    uint64_t regions[REGIONS_MAX][2]; /* start, end */
    size_t count;
    bool holes;
};

static bool zeros_are(const unsigned char *bytes, size_t size) {
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Returns 1 for a block of zeros. */
static int block_look(struct Scan *scan, uint64_t at) {
    size_t wanted = scan->size - at < HOLE_BLOCK ? (size_t)(scan->size - at) : HOLE_BLOCK;
    ssize_t got = io_read_at(scan->fd, scan->block, wanted, (off_t)at);
    if (got < 0)
        return (int)got;
    return (size_t)got < wanted ? -EIO : zeros_are(scan->block, wanted);
}

static int block_note(struct Scan *scan, uint64_t at) {
    uint64_t end = at + HOLE_BLOCK < scan->size ? at + HOLE_BLOCK : scan->size;
    if (scan->count > 0 && scan->regions[scan->count - 1][1] == at) {
        scan->regions[scan->count - 1][1] = end;
        return 0;
    }
    if (scan->count == REGIONS_MAX)
        return -E2BIG;
    scan->regions[scan->count][0] = at;
    scan->regions[scan->count++][1] = end;
    return 0;
}

/* The first block at or after `at` that may hold data: what the file system knows to be a hole is not read. */
static uint64_t data_seek(const struct Scan *scan, uint64_t at) {
    off_t found = lseek(scan->fd, (off_t)at, SEEK_DATA);
    if (found < 0)
        return errno == ENXIO ? scan->size : at;
    return (uint64_t)found / HOLE_BLOCK * HOLE_BLOCK;
}

static int file_scan(struct Scan *scan) {
    for (uint64_t at = 0; at < scan->size; at += HOLE_BLOCK) {
        uint64_t data = data_seek(scan, at);
        if (data > at) {
            scan->holes = true;
            at = data;
        }
        if (at >= scan->size)
            break;
        int zeros = block_look(scan, at);
        if (zeros < 0)
            return zeros;
        if (zeros)
            scan->holes = true;
        int r = zeros ? 0 : block_note(scan, at);
        if (r < 0)
            return r;
    }
    return 0;
}

static void regions_add(const struct Scan *scan, struct archive_entry *entry) {
    for (size_t i = 0; i < scan->count; i++)
        archive_entry_sparse_add_entry(entry, (la_int64_t)scan->regions[i][0],
                                       (la_int64_t)(scan->regions[i][1] - scan->regions[i][0]));
    if (scan->count == 0) /* all of it is a hole */
        archive_entry_sparse_add_entry(entry, (la_int64_t)scan->size, 0);
}

int holes_describe(int fd, uint64_t size, struct archive_entry *entry) {
    if (size < 4 * HOLE_BLOCK)
        return 0;
    _cleanup_free_ struct Scan *scan = calloc(1, sizeof(*scan));
    _cleanup_free_ unsigned char *block = malloc(HOLE_BLOCK);
    if (!scan || !block)
        return -ENOMEM;
    scan->fd = fd;
    scan->size = size;
    scan->block = block;
    int r = file_scan(scan);
    if (r == 0 && scan->holes)
        regions_add(scan, entry);
    return r == -E2BIG ? 0 : r;
}

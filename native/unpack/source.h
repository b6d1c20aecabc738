/* The archive's bytes as they were served: standard input, or a part of it, counted and hashed while they are read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layer/digest.h"
#include "layer/fault.h"
#include "unpack/options.h"

#define SOURCE_BLOCK (256 * 1024)

struct Source {
    int fd;
    bool seekable;
    uint64_t at;        /* next offset of a seekable file */
    uint64_t remaining; /* OPTION_UNSET: unknown */
    uint64_t size;      /* bytes read so far */
    uint64_t expected_size; /* OPTION_UNSET: any */
    uint64_t max_size;
    struct DigestStream digest;
    unsigned char *block;
    size_t held; /* bytes of the block that were peeked at but not yet taken */
};

/* Takes the part of `fd` that the options name and checks --expect-size before the first byte is read, where the
 * file knows its size. Borrows `fd`. */
int source_open(struct Source *ret_source, int fd, const struct Options *options, struct Fault *fault);

/* Tells the first bytes without taking them. Returns their count (0: empty). */
ssize_t source_peek(struct Source *source, const void **ret_bytes, struct Fault *fault);

/* The next bytes, valid until the next call. Returns their count, 0 at the end. */
ssize_t source_read(struct Source *source, const void **ret_bytes, struct Fault *fault);

/* Reads the rest for the digest's sake, then checks --expect-size for a pipe too. */
int source_drain(struct Source *source, struct Fault *fault);

void source_close(struct Source *source);

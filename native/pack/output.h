/* The archive on its way to the disk: hashed, compressed, hashed once more. */
#pragma once

#include <archive.h>
#include <stdint.h>

#include "layer/digest.h"
#include "layer/fault.h"
#include "pack/options.h"

struct Output {
    int fd;
    struct archive *tar;        /* writes into `plain` */
    struct archive *compressor; /* NULL: none */
    struct DigestStream plain_digest;
    struct DigestStream packed_digest; /* of what is written, where that is compressed */
    uint64_t plain_size;
    uint64_t packed_size;
    struct Fault *fault;
};

/* What became of it. `packed` equals `plain` without compression, and has no sha512 otherwise. */
struct OutputValues {
    uint64_t plain_size;
    uint64_t packed_size;
    struct DigestValues plain;
    struct DigestValues packed;
};

/* Creates `data` in the directory and a tar writer into it, `output->tar`. `output` must stay where it is. */
int output_open(struct Output *output, int into, enum PackCompression compression, struct Fault *fault);

/* Ends the archive, writes everything out and syncs it. */
int output_finish(struct Output *output, struct OutputValues *ret_values);

void output_close(struct Output *output);

/* A failed call of libarchive's as a sentence about `path`; the fault that a callback noted comes first. */
int output_failed(struct Output *output, struct archive *archive, const char *path);

#include "unpack/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/io.h"

#define PIPE_SIZE (1 << 20)

static int size_check(uint64_t size, uint64_t expected, struct Fault *fault) {
    if (expected == OPTION_UNSET || size == expected)
        return 0;
    return fault_digest(fault, "the archive has %" PRIu64 " bytes, %" PRIu64 " were expected", size, expected);
}

/* A regular file knows what is left of it; a pipe is limited by what was promised. */
static int part_select(struct Source *source, const struct Options *options, struct Fault *fault) {
    struct stat st;
    if (fstat(source->fd, &st) < 0)
        return fault_system(fault, errno, "cannot stat standard input");
    source->seekable = S_ISREG(st.st_mode);
    source->remaining = options->length;
    if (!source->seekable) {
        /* The other side then need not wake up for every 64 kB; more than that is not ours to ask for (pipe(7)). */
        (void)fcntl(source->fd, F_SETPIPE_SZ, PIPE_SIZE);
        if (options->offset > 0)
            return fault_system(fault, ESPIPE, "cannot start at offset %" PRIu64, options->offset);
        return options->length == OPTION_UNSET ? 0 : size_check(options->length, options->expected_size, fault);
    }
    uint64_t end = (uint64_t)st.st_size;
    if (options->offset > end || (options->length != OPTION_UNSET && options->length > end - options->offset))
        return fault_image(fault, "the archive's part ends outside of its file of %" PRIu64 " bytes", end);
    source->at = options->offset;
    if (options->length == OPTION_UNSET)
        source->remaining = end - options->offset;
    (void)posix_fadvise(source->fd, (off_t)source->at, (off_t)source->remaining, POSIX_FADV_SEQUENTIAL);
    return size_check(source->remaining, options->expected_size, fault);
}

int source_open(struct Source *ret_source, int fd, const struct Options *options, struct Fault *fault) {
    struct Source source = { .fd = fd, .expected_size = options->expected_size, .max_size = options->max_bytes };
    int r = part_select(&source, options, fault);
    if (r < 0)
        return r;
    r = digest_open(&source.digest, DIGEST_SHA256 | (unsigned)options->expected_digest.algorithm);
    if (r < 0)
        return fault_system(fault, -r, "cannot compute digests");
    source.block = malloc(SOURCE_BLOCK);
    if (!source.block) {
        digest_close(&source.digest);
        return fault_system(fault, ENOMEM, "cannot read the archive");
    }
    *ret_source = source;
    return 0;
}

/* A pipe may hand its bytes out one by one, but the compression shows only in several: only the last block is short. */
static ssize_t block_read(struct Source *source) {
    size_t wanted = source->remaining < SOURCE_BLOCK ? (size_t)source->remaining : SOURCE_BLOCK;
    return io_read_at(source->fd, source->block, wanted, source->seekable ? (off_t)source->at : IO_CURRENT);
}

static int limit_check(const struct Source *source, struct Fault *fault) {
    if (source->expected_size != OPTION_UNSET && source->size > source->expected_size)
        return fault_digest(fault, "the archive has more than the %" PRIu64 " bytes that were expected",
                              source->expected_size);
    if (source->size > source->max_size)
        return fault_image(fault, "the archive has more than %" PRIu64 " bytes", source->max_size);
    return 0;
}

static ssize_t block_fill(struct Source *source, struct Fault *fault) {
    if (source->remaining == 0)
        return 0;
    ssize_t n = block_read(source);
    if (n < 0)
        return fault_system(fault, (int)-n, "cannot read the archive");
    if (n == 0 && source->remaining != OPTION_UNSET)
        return fault_image(fault, "the archive ends after %" PRIu64 " bytes, %" PRIu64 " more were promised",
                             source->size, source->remaining);
    source->at += (uint64_t)n;
    source->size += (uint64_t)n;
    if (source->remaining != OPTION_UNSET)
        source->remaining -= (uint64_t)n;
    int r = limit_check(source, fault);
    if (r < 0)
        return r;
    r = digest_update(&source->digest, source->block, (size_t)n);
    return r < 0 ? fault_system(fault, -r, "cannot hash the archive") : n;
}

ssize_t source_peek(struct Source *source, const void **ret_bytes, struct Fault *fault) {
    if (source->held == 0) {
        ssize_t n = block_fill(source, fault);
        if (n < 0)
            return n;
        source->held = (size_t)n;
    }
    *ret_bytes = source->block;
    return (ssize_t)source->held;
}

ssize_t source_read(struct Source *source, const void **ret_bytes, struct Fault *fault) {
    ssize_t n = source_peek(source, ret_bytes, fault);
    source->held = 0;
    return n;
}

int source_drain(struct Source *source, struct Fault *fault) {
    const void *bytes;
    ssize_t n;
    while ((n = source_read(source, &bytes, fault)) > 0)
        ;
    if (n < 0)
        return (int)n;
    return size_check(source->size, source->expected_size, fault);
}

void source_close(struct Source *source) {
    digest_close(&source->digest);
    free(source->block);
    source->block = NULL;
}

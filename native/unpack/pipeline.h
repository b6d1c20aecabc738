/* Several cores for one archive: a thread reads, hashes and decompresses into a bounded ring of blocks, a second one
 * hashes these, and the caller takes them in order. Decompression is the longest of the three, and so nothing else is
 * on its thread that need not be. Nobody waits for the others unless the ring is full or empty. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layer/digest.h"
#include "layer/fault.h"
#include "unpack/source.h"

#define PIPELINE_BLOCK (512 * 1024)
#define PIPELINE_BLOCKS 8

struct Pipeline {
    struct Source *source;
    struct DigestStream digest; /* of the uncompressed bytes */
    uint64_t size;              /* uncompressed bytes so far */
    uint64_t max_size;
    struct Fault fault; /* the decoder's own until pipeline_finish(); read it after that */
    pthread_t decoder, hasher;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned char *memory;
    size_t sizes[PIPELINE_BLOCKS];
    uint64_t filled;  /* blocks committed since the start */
    uint64_t hashed;  /* blocks the hasher is done with */
    uint64_t emptied; /* blocks the reader is done with */
    bool reading;     /* the reader holds block `emptied` */
    bool ended;       /* the decoder commits no more */
    bool cancelled;   /* the reader wants no more */
    int hash_error;   /* the hasher's own until pipeline_finish() */
};

/* Starts the threads. `algorithms`: a mask of DigestAlgorithm for the uncompressed bytes. Borrows `source`; `pipeline`
 * must stay where it is until pipeline_finish(). */
int pipeline_start(struct Pipeline *pipeline, struct Source *source, unsigned algorithms, uint64_t max_size,
                   struct Fault *fault);

/* The reader's side: the next block, valid until the next call. Returns its size, 0 at the end, -EPIPE after a
 * fault of the decoder. */
ssize_t pipeline_read(struct Pipeline *pipeline, const void **ret_block);

/* The decoder's side, for compression.c: an empty block of PIPELINE_BLOCK bytes, and handing over its first `size`
 * bytes. pipeline_reserve() returns -ECANCELED once the reader gave up. */
int pipeline_reserve(struct Pipeline *pipeline, unsigned char **ret_block);
int pipeline_commit(struct Pipeline *pipeline, size_t size);

/* Ends the threads, early if the reader stopped before the last block, and frees the blocks. By then the digest is of
 * all that was committed. It stays open: digest_close() is the caller's. */
void pipeline_finish(struct Pipeline *pipeline);

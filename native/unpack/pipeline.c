#include "unpack/pipeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "unpack/compression.h"

static void *decoder_run(void *argument);
static void *hasher_run(void *argument);
static int threads_start(struct Pipeline *pipeline);
static void decoder_end(struct Pipeline *pipeline);
static size_t block_wait(struct Pipeline *pipeline);
static uint64_t blocks_held(const struct Pipeline *pipeline);

int pipeline_start(struct Pipeline *pipeline, struct Source *source, unsigned algorithms, uint64_t max_size,
                   struct Fault *fault) {
    *pipeline = (struct Pipeline){ .source = source, .max_size = max_size };
    int r = digest_open(&pipeline->digest, algorithms);
    if (r < 0)
        return fault_system(fault, -r, "cannot compute digests");
    pipeline->memory = malloc((size_t)PIPELINE_BLOCKS * PIPELINE_BLOCK);
    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_cond_init(&pipeline->changed, NULL);
    r = pipeline->memory ? threads_start(pipeline) : ENOMEM;
    if (r == 0)
        return 0;
    free(pipeline->memory);
    digest_close(&pipeline->digest);
    return fault_system(fault, r, "cannot start the decompressing threads");
}

/* A single condition serves all sides: it is signalled once a block, and so seldom that nobody minds a vain look. */
ssize_t pipeline_read(struct Pipeline *pipeline, const void **ret_block) {
    ssize_t r = 0;
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->reading) {
        pipeline->emptied++;
        pipeline->reading = false;
        pthread_cond_broadcast(&pipeline->changed);
    }
    while (pipeline->filled == pipeline->emptied && !pipeline->ended)
        pthread_cond_wait(&pipeline->changed, &pipeline->lock);
    if (pipeline->filled > pipeline->emptied) {
        size_t index = pipeline->emptied % PIPELINE_BLOCKS;
        *ret_block = pipeline->memory + index * PIPELINE_BLOCK;
        r = (ssize_t)pipeline->sizes[index];
        pipeline->reading = true;
    } else if (pipeline->fault.kind != FAULT_NONE)
        r = -EPIPE;
    pthread_mutex_unlock(&pipeline->lock);
    return r;
}

int pipeline_reserve(struct Pipeline *pipeline, unsigned char **ret_block) {
    pthread_mutex_lock(&pipeline->lock);
    while (blocks_held(pipeline) == PIPELINE_BLOCKS && !pipeline->cancelled)
        pthread_cond_wait(&pipeline->changed, &pipeline->lock);
    bool cancelled = pipeline->cancelled;
    pthread_mutex_unlock(&pipeline->lock);
    if (cancelled)
        return -ECANCELED;
    *ret_block = pipeline->memory + (pipeline->filled % PIPELINE_BLOCKS) * PIPELINE_BLOCK;
    return 0;
}

int pipeline_commit(struct Pipeline *pipeline, size_t size) {
    if (size == 0)
        return 0;
    if (size > pipeline->max_size - pipeline->size)
        return fault_image(&pipeline->fault, "the archive expands to more than %" PRIu64 " bytes",
                             pipeline->max_size);
    pipeline->size += size;
    pthread_mutex_lock(&pipeline->lock);
    pipeline->sizes[pipeline->filled % PIPELINE_BLOCKS] = size;
    pipeline->filled++;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    return 0;
}

void pipeline_finish(struct Pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    pipeline->cancelled = true;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    pthread_join(pipeline->decoder, NULL);
    pthread_join(pipeline->hasher, NULL);
    pthread_cond_destroy(&pipeline->changed);
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline->memory);
    pipeline->memory = NULL;
    if (pipeline->hash_error < 0 && pipeline->fault.kind == FAULT_NONE)
        (void)fault_system(&pipeline->fault, -pipeline->hash_error, "cannot hash the uncompressed archive");
}

static int threads_start(struct Pipeline *pipeline) {
    int r = pthread_create(&pipeline->hasher, NULL, hasher_run, pipeline);
    if (r != 0)
        return r;
    r = pthread_create(&pipeline->decoder, NULL, decoder_run, pipeline);
    if (r == 0)
        return 0;
    decoder_end(pipeline);
    pthread_join(pipeline->hasher, NULL);
    return r;
}

static void *decoder_run(void *argument) {
    struct Pipeline *pipeline = argument;
    (void)compression_decode(pipeline->source, pipeline, &pipeline->fault);
    decoder_end(pipeline);
    return NULL;
}

static void decoder_end(struct Pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    pipeline->ended = true;
    pthread_cond_broadcast(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
}

/* Whatever goes wrong here, the others must not wait for it. */
static void *hasher_run(void *argument) {
    struct Pipeline *pipeline = argument;
    for (size_t size; (size = block_wait(pipeline)) > 0;) {
        const unsigned char *block = pipeline->memory + (pipeline->hashed % PIPELINE_BLOCKS) * PIPELINE_BLOCK;
        if (pipeline->hash_error == 0)
            pipeline->hash_error = digest_update(&pipeline->digest, block, size);
        pthread_mutex_lock(&pipeline->lock);
        pipeline->hashed++;
        pthread_cond_broadcast(&pipeline->changed);
        pthread_mutex_unlock(&pipeline->lock);
    }
    return NULL;
}

/* The size of the next block to hash, 0 after the last one. */
static size_t block_wait(struct Pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    while (pipeline->hashed == pipeline->filled && !pipeline->ended)
        pthread_cond_wait(&pipeline->changed, &pipeline->lock);
    size_t size = pipeline->hashed < pipeline->filled ? pipeline->sizes[pipeline->hashed % PIPELINE_BLOCKS] : 0;
    pthread_mutex_unlock(&pipeline->lock);
    return size;
}

static uint64_t blocks_held(const struct Pipeline *pipeline) {
    return pipeline->filled - (pipeline->hashed < pipeline->emptied ? pipeline->hashed : pipeline->emptied);
}

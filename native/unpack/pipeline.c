#include "unpack/pipeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "unpack/compression.h"

static void *pipeline_run(void *argument) {
    struct Pipeline *pipeline = argument;
    (void)compression_decode(pipeline->source, pipeline, &pipeline->fault);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->ended = true;
    pthread_cond_signal(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    return NULL;
}

int pipeline_start(struct Pipeline *pipeline, struct Source *source, unsigned algorithms, uint64_t max_size,
                   struct Fault *fault) {
    *pipeline = (struct Pipeline){ .source = source, .max_size = max_size };
    int r = digest_open(&pipeline->digest, algorithms);
    if (r < 0)
        return fault_system(fault, -r, "cannot compute digests");
    pipeline->memory = malloc((size_t)PIPELINE_BLOCKS * PIPELINE_BLOCK);
    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_cond_init(&pipeline->changed, NULL);
    r = pipeline->memory ? pthread_create(&pipeline->thread, NULL, pipeline_run, pipeline) : ENOMEM;
    if (r == 0)
        return 0;
    free(pipeline->memory);
    digest_close(&pipeline->digest);
    return fault_system(fault, r, "cannot start the decompressing thread");
}

/* A single condition serves both sides: they never wait at the same time, a ring is not full and empty at once. */
ssize_t pipeline_read(struct Pipeline *pipeline, const void **ret_block) {
    ssize_t r = 0;
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->reading) {
        pipeline->emptied++;
        pipeline->reading = false;
        pthread_cond_signal(&pipeline->changed);
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
    while (pipeline->filled - pipeline->emptied == PIPELINE_BLOCKS && !pipeline->cancelled)
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
    size_t index = pipeline->filled % PIPELINE_BLOCKS;
    int r = digest_update(&pipeline->digest, pipeline->memory + index * PIPELINE_BLOCK, size);
    if (r < 0)
        return fault_system(&pipeline->fault, -r, "cannot hash the uncompressed archive");
    pthread_mutex_lock(&pipeline->lock);
    pipeline->sizes[index] = size;
    pipeline->filled++;
    pthread_cond_signal(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    return 0;
}

void pipeline_finish(struct Pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    pipeline->cancelled = true;
    pthread_cond_signal(&pipeline->changed);
    pthread_mutex_unlock(&pipeline->lock);
    pthread_join(pipeline->thread, NULL);
    pthread_cond_destroy(&pipeline->changed);
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline->memory);
    pipeline->memory = NULL;
}

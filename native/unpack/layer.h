/* One archive, entry by entry, into one tree with its digest list. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>

#include "layer/digest.h"
#include "layer/fault.h"
#include "layer/list.h"
#include "unpack/options.h"
#include "unpack/pipeline.h"
#include "unpack/tree.h"

struct Layer {
    const struct Options *options;
    struct Fault *fault;
    struct Tree tree;
    struct List list;
    struct DigestStream content; /* of one file after the other */
    bool root_seen;              /* the root has an entry of its own */
    bool rootfs_seen;            /* an ACI's */
    char *manifest;              /* an ACI's */
    size_t manifest_size;
    uint64_t entries; /* of the archive */
    uint64_t paths;   /* of the tree */
    uint64_t bytes;   /* of its files, each once, holes included */
    uint64_t skipped; /* entries that were left out */
};

/* Creates tree/ and digests in `into` and fills them from the pipeline, to its last byte. `layer` is zero before and
 * needs layer_close() after, whatever was returned. */
int layer_extract(struct Layer *layer, int into, const struct Options *options, struct Pipeline *pipeline,
                  struct Fault *fault);
void layer_close(struct Layer *layer);

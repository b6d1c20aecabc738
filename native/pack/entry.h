/* One entry after the other into the archive. */
#pragma once

#include <stdint.h>

#include "layer/fault.h"
#include "pack/links.h"
#include "pack/only.h"
#include "pack/options.h"
#include "pack/output.h"
#include "pack/overlay.h"

#define MANIFEST_MAX (1024 * 1024)

struct Pack {
    const struct PackOptions *options;
    struct Overlay overlay;
    struct Output output;
    struct Links links;
    struct Only only;
    const char *prefix; /* of every path: "", or "rootfs/" */
    uint64_t entries;
    uint64_t bytes;   /* of all files, holes included */
    uint64_t skipped; /* sockets, which no archive holds */
    struct Fault *fault;
};

/* What a layer has at `path`, which is "" for the root. */
int entry_pack(struct Pack *pack, size_t layer, const char *path);

/* An empty file that hides `path` in an OCI layer, or with "" for `name` all that lower layers have in the directory. */
int entry_whiteout(struct Pack *pack, const char *directory, const char *name);

/* A file with these bytes, root's. */
int entry_manifest(struct Pack *pack, const char *bytes, size_t size);

/* Several layers as the one tree that overlayfs would show: the topmost of a name wins, directories are merged down to an
 * opaque one, whiteouts hide (Linux, Documentation/filesystems/overlayfs.rst). A single layer can also be read as it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "layer/beneath.h"
#include "layer/fault.h"

#define OVERLAY_PATH_MAX BENEATH_PATH_MAX
#define OVERLAY_LAYERS_MAX 1024

struct Overlay {
    const int *layers; /* descriptors of their roots, the topmost first */
    size_t count;
    bool raw; /* whiteouts are reported, not obeyed: one layer as it is */
    struct Fault *fault;
};

/* The layers that take part in a directory, by their place in `layers`, the topmost first. */
struct Members {
    uint16_t *layers;
    size_t count;
};

struct OverlayName {
    char *name;
    struct stat st;
    size_t layer; /* whose it is */
    bool whiteout;
    bool opaque;
    bool closed; /* nothing below shines through */
    struct Members members; /* of a directory */
};

struct OverlayListing {
    struct OverlayName *names; /* sorted by bytes */
    size_t count;
};

/* Lists a directory of the tree; `path` is "" for the root, whose members are all layers. */
int overlay_list(const struct Overlay *overlay, const char *path, const struct Members *members,
                 struct OverlayListing *ret_listing);
void overlay_listing_free(struct OverlayListing *listing);

/* All layers, for the root: down to the first whose root is opaque. */
int overlay_members(const struct Overlay *overlay, struct Members *ret_members);

/* Opens what a layer has at `path`, never through a link nor out of the layer. Returns a descriptor or -errno. */
int overlay_open(const struct Overlay *overlay, size_t layer, const char *path, int flags);

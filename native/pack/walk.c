#include "pack/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layer/attribute.h"

struct Walk {
    struct Pack *pack;
    dev_t device; /* of the topmost root: what is mounted below it stays out */
    char path[OVERLAY_PATH_MAX + 1];
    size_t length;
};

static int directory_walk(struct Walk *walk, const struct Members *members);

/* Appends a component. Returns the length to go back to. */
static int path_append(struct Walk *walk, const char *name, size_t *ret_before) {
    size_t before = walk->length, size = strlen(name);
    if (before + 1 + size > OVERLAY_PATH_MAX)
        return fault_image(walk->pack->fault, "the path %s… is longer than %d bytes", QUOTED(walk->path),
                           OVERLAY_PATH_MAX);
    if (before > 0)
        walk->path[walk->length++] = '/';
    memcpy(walk->path + walk->length, name, size + 1);
    walk->length += size;
    *ret_before = before;
    return 0;
}

static int directory_enter(struct Walk *walk, const struct OverlayName *name) {
    if (name->opaque && walk->pack->overlay.raw) {
        int r = entry_whiteout(walk->pack, walk->path, "");
        if (r < 0)
            return r;
    }
    bool mounted = walk->pack->options->as_caller && name->st.st_dev != walk->device;
    return mounted ? 0 : directory_walk(walk, &name->members);
}

static int name_pack(struct Walk *walk, const struct OverlayName *name) {
    size_t before;
    int r = path_append(walk, name->name, &before);
    if (r < 0)
        return r;
    if (only_keeps(&walk->pack->only, walk->path)) {
        r = entry_pack(walk->pack, name->layer, walk->path);
        if (r == 0 && S_ISDIR(name->st.st_mode))
            r = directory_enter(walk, name);
    }
    walk->path[walk->length = before] = '\0';
    return r;
}

static int directory_walk(struct Walk *walk, const struct Members *members) {
    struct OverlayListing listing;
    int r = overlay_list(&walk->pack->overlay, walk->path, members, &listing);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < listing.count; i++) {
        const struct OverlayName *name = &listing.names[i];
        if (!name->whiteout)
            r = name_pack(walk, name);
        else if (walk->pack->overlay.raw)
            r = entry_whiteout(walk->pack, walk->path, name->name);
    }
    overlay_listing_free(&listing);
    return r;
}

int walk_pack(struct Pack *pack) {
    struct Walk walk = { .pack = pack };
    struct stat st;
    struct Members members;
    int root = pack->overlay.layers[0];
    if (fstat(root, &st) < 0)
        return fault_system(pack->fault, errno, "cannot stat the root directory");
    walk.device = st.st_dev;
    int r = overlay_members(&pack->overlay, &members);
    if (r < 0)
        return r;
    r = entry_pack(pack, 0, "");
    if (r == 0 && pack->overlay.raw && attribute_opaque(root))
        r = entry_whiteout(pack, "", "");
    if (r == 0)
        r = directory_walk(&walk, &members);
    free(members.layers);
    return r;
}

#include "pack/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "basic/cleanup.h"
#include "basic/directory.h"
#include "layer/attribute.h"
#include "layer/beneath.h"

int overlay_open(const struct Overlay *overlay, size_t layer, const char *path, int flags) {
    return beneath_open(overlay->layers[layer], *path ? path : ".", flags, 0);
}

int overlay_members(const struct Overlay *overlay, struct Members *ret_members) {
    uint16_t *layers = calloc(overlay->count, sizeof(*layers));
    if (!layers)
        return fault_system(overlay->fault, ENOMEM, "cannot read the layers");
    size_t count = 0;
    while (count < overlay->count) {
        layers[count] = (uint16_t)count;
        if (attribute_opaque(overlay->layers[count++]))
            break;
    }
    *ret_members = (struct Members){ .layers = layers, .count = count };
    return 0;
}

static int list_failed(const struct Overlay *overlay, int error, const char *path) {
    return fault_system(overlay->fault, error, "cannot read %s", QUOTED(*path ? path : "."));
}

/* One directory of one layer while it is read. */
struct Reading {
    const struct Overlay *overlay;
    const char *path;
    size_t layer;
    bool lowest; /* no member is below it */
    int fd;
    void **found; /* search tree of struct OverlayName by name */
    size_t *count;
};

static int name_compare(const void *a, const void *b) {
    const struct OverlayName *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static int member_add(struct Members *members, size_t layer, size_t most) {
    if (!members->layers && !(members->layers = calloc(most, sizeof(*members->layers))))
        return -ENOMEM;
    members->layers[members->count++] = (uint16_t)layer;
    return 0;
}

/* A directory joins those above it; anything else ends what shines through. */
static int name_merge(const struct Reading *reading, struct OverlayName *name, const struct stat *st,
                      const char *text) {
    if (name->closed)
        return 0;
    if (!S_ISDIR(st->st_mode)) {
        name->closed = true;
        return 0;
    }
    int r = member_add(&name->members, reading->layer, reading->overlay->count);
    if (r < 0 || (reading->lowest && !reading->overlay->raw))
        return r;
    _cleanup_fd_ int fd = openat(reading->fd, text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    name->opaque = attribute_opaque(fd);
    name->closed = name->opaque;
    return 0;
}

static bool whiteout_is(const struct stat *st) {
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int name_add(const struct Reading *reading, const char *text) {
    struct stat st;
    if (fstatat(reading->fd, text, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    struct OverlayName *name = calloc(1, sizeof(*name));
    if (!name || !(name->name = strdup(text))) {
        free(name);
        return -ENOMEM;
    }
    struct OverlayName **slot = tsearch(name, reading->found, name_compare);
    if (!slot || *slot != name) {
        free(name->name);
        free(name);
        return slot ? name_merge(reading, *slot, &st, text) : -ENOMEM;
    }
    name->st = st;
    name->layer = reading->layer;
    name->whiteout = whiteout_is(&st);
    *reading->count += 1;
    return name_merge(reading, name, &st, text);
}

static int layer_read(struct Reading *reading) {
    _cleanup_fd_ int fd = overlay_open(reading->overlay, reading->layer, reading->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    _cleanup_dir_ DIR *directory = fdopendir(fd);
    if (!directory)
        return -errno;
    reading->fd = fd_take(&fd);
    for (const struct dirent *item; (item = directory_next(directory));) {
        int r = name_add(reading, item->d_name);
        if (r < 0)
            return r;
    }
    return -errno;
}

static void name_free(void *pointer) {
    struct OverlayName *name = pointer;
    free(name->name);
    free(name->members.layers);
    free(name);
}

static void name_collect(const void *node, VISIT visit, void *closure) {
    if (visit != postorder && visit != leaf)
        return;
    struct OverlayListing *listing = closure;
    struct OverlayName *name = *(struct OverlayName *const *)node;
    listing->names[listing->count++] = *name;
    name->name = NULL; /* they are the listing's now */
    name->members.layers = NULL;
}

static int listing_make(void *found, size_t count, struct OverlayListing *ret_listing) {
    struct OverlayListing listing = { .names = calloc(count + 1, sizeof(*listing.names)) };
    if (!listing.names)
        return -ENOMEM;
    twalk_r(found, name_collect, &listing);
    *ret_listing = listing;
    return 0;
}

int overlay_list(const struct Overlay *overlay, const char *path, const struct Members *members,
                 struct OverlayListing *ret_listing) {
    void *found = NULL;
    size_t count = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < members->count; i++) {
        struct Reading reading = { .overlay = overlay, .path = path, .layer = members->layers[i],
                                   .lowest = i + 1 == members->count, .found = &found, .count = &count };
        r = layer_read(&reading);
    }
    if (r == 0)
        r = listing_make(found, count, ret_listing);
    tdestroy(found, name_free);
    return r < 0 ? list_failed(overlay, -r, path) : 0;
}

void overlay_listing_free(struct OverlayListing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->names[i].name);
        free(listing->names[i].members.layers);
    }
    free(listing->names);
    *listing = (struct OverlayListing){ 0 };
}

#include "pack/links.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct Link {
    size_t layer;
    dev_t device;
    ino_t inode;
    char path[];
};

static int link_compare(const void *a, const void *b) {
    const struct Link *left = a, *right = b;
    if (left->layer != right->layer)
        return left->layer < right->layer ? -1 : 1;
    if (left->device != right->device)
        return left->device < right->device ? -1 : 1;
    return left->inode < right->inode ? -1 : left->inode > right->inode;
}

int links_meet(struct Links *links, size_t layer, const struct stat *st, const char *path, const char **ret_first) {
    size_t size = strlen(path) + 1;
    struct Link *link = malloc(sizeof(*link) + size);
    if (!link)
        return -ENOMEM;
    link->layer = layer;
    link->device = st->st_dev;
    link->inode = st->st_ino;
    memcpy(link->path, path, size);
    struct Link **slot = tsearch(link, &links->found, link_compare);
    *ret_first = slot && *slot != link ? (*slot)->path : NULL;
    if (!slot || *slot != link)
        free(link);
    return slot ? 0 : -ENOMEM;
}

void links_free(struct Links *links) {
    tdestroy(links->found, free);
    links->found = NULL;
}

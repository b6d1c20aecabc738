/* Files with several names: which name of each is in the archive already. */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

struct Links {
    void *found; /* search tree */
};

/* The path under which the file was met first, or NULL, and `path` is remembered as that. Inode numbers are those of one
 * `layer`. Returns 0 or -ENOMEM. */
int links_meet(struct Links *links, size_t layer, const struct stat *st, const char *path, const char **ret_first);
void links_free(struct Links *links);

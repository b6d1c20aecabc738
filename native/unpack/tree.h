/* The tree an archive becomes. Everything the archive names is reached as layer/beneath.h has it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layer/beneath.h"
#include "layer/fault.h"
#include "layer/list.h"

#define TREE_PATH_MAX BENEATH_PATH_MAX
#define TREE_NAME_MAX 255

/* What went away, and where. */
struct Removal {
    int trash;      /* an empty directory of the same file system, where directories are taken apart */
    uint64_t names; /* given there */
    uint64_t paths;
    uint64_t bytes; /* of files that lost their last name */
};

struct Tree {
    int root;
    struct Removal removal;
    uint64_t paths;       /* created since the start, removed ones too */
    int parent;           /* the directory used last: archives list a directory's files in a row */
    char parent_path[TREE_PATH_MAX + 1];
    bool replaces;        /* an entry may take an existing path's place */
    bool inherits;        /* a directory has a default access control list */
    uint64_t created;     /* directories no entry asked for */
    uint64_t max_created;
    void *implied;        /* their inode numbers, kept only where nothing may be replaced (search tree) */
    struct List *list;
    struct Fault *fault;
};

/* Creates `name` in `into` with the list of what will be in it. Borrows the list and the fault. */
int tree_open(struct Tree *ret_tree, int into, const char *name, struct List *list, struct Fault *fault);
void tree_close(struct Tree *tree);

/* Copies a clean form of `raw` to `ret_path` (TREE_PATH_MAX + 1 bytes). `role` says in a refusal what it is. */
int path_clean(const char *raw, const char *role, char *ret_path, struct Fault *fault);

/* The directory `path` lies in, created where it is missing and put in the place of whatever else is there. The
 * descriptor is the tree's own, valid until the next call. */
int tree_parent(struct Tree *tree, const char *path, int *ret_fd);

/* Opens what exists at `path`, with O_PATH and the like in `flags`, never through a link. Returns a descriptor or
 * -errno without a sentence. */
int tree_find(const struct Tree *tree, const char *path, int flags);

/* Makes room for the entry `path` in its parent. Refused where nothing may be replaced. */
int tree_replace(struct Tree *tree, int parent, const char *path);

/* True once for every directory that was only created as a parent. */
bool tree_implied_take(struct Tree *tree, ino_t inode);

/* Removes `name` from a directory with all below it, in constant memory and depth. Returns 0 or -errno; a missing name is
 * no error. */
int directory_remove(int parent, const char *name, struct Removal *removal);

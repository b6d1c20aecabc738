/* Safe paths: everything an archive names is reached from the tree's descriptor without following a symbolic link
 * and without leaving it. Paths are clean: no leading slash, no empty, "." or ".." component; "." is the root. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layer/fault.h"
#include "layer/list.h"

#define TREE_PATH_MAX 4096
#define TREE_NAME_MAX 255

struct Tree {
    int root;
    int trash;            /* where removed directories are taken apart */
    uint64_t trash_count; /* makes the names there */
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

/* The last component, and what is before it ("." if nothing is; TREE_PATH_MAX + 1 bytes). */
const char *path_name(const char *path);
void path_parent(const char *path, char *ret_parent);

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

/* Removes `name` from a directory with all below it, in constant memory and depth: `trash` is an empty directory of
 * the same file system. Returns 0 or -errno; a missing name is no error. */
int directory_remove(int parent, const char *name, int trash, uint64_t *count);

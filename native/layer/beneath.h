/* What lies in a tree, reached from its root's descriptor without following a symbolic link and without leaving it. Paths are
 * clean: no leading slash, no empty, "." or ".." component; "." is the root. */
#pragma once

#include <stdint.h>

#define BENEATH_PATH_MAX 4096

/* Opens what is at `path`, which has at most BENEATH_PATH_MAX bytes, with O_PATH and the like in `flags`, and
 * openat2(2)'s RESOLVE_NO_XDEV, if it is asked for, in `resolve`. Returns a descriptor (O_CLOEXEC) or -errno. */
int beneath_open(int root, const char *path, int flags, uint64_t resolve);

/* The last component, and what is before it ("." if nothing is; BENEATH_PATH_MAX + 1 bytes). */
const char *path_name(const char *path);
void path_parent(const char *path, char *ret_parent);

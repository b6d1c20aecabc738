/* Paths that must not leave a tree. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Absolute, at most PATH_MAX - 1 bytes, no `.` or `..` component. "/" is one. */
bool path_is_safe(const char *path);

/* openat2(2): `resolve` is a set of RESOLVE_ flags. Returns the descriptor (O_CLOEXEC) or -errno. */
int path_open(int directory_fd, const char *path, uint64_t flags, uint32_t mode, uint64_t resolve);

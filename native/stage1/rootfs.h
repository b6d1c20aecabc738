/* The tree below the app's root, which an image wrote: no path in it is followed out of it. */
#pragma once

#include <stdbool.h>

#include "stage1/launch.h"

/* Opens a path of the app with O_PATH, symbolic links resolved inside its root. Returns the descriptor or -errno. */
int rootfs_open(const Launch *launch, const char *path);

/* Opens what something is to be mounted on: a directory or a file, made with its parents (owned by the app's root) if
 * missing. */
int rootfs_target(const Launch *launch, const char *path, bool directory, int *ret_fd, Failure *failure);

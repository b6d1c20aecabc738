/* Paths that the app must not see, and paths that it must not write. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "stage1/mount.h"
#include "stage1/rootfs.h"

/* What covers a masked path: the scratch's null device or its empty directory, never anything the app could have
 * replaced (CVE-2025-31133). A masked file reads as empty. */
static int cover_make(const Launch *launch, bool directory) {
    int tree = open_tree(launch->scratch, directory ? "empty" : "null",
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (tree < 0)
        return -errno;
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | (directory ? MOUNT_ATTR_NODEV : 0),
        .propagation = MS_PRIVATE,
    };
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) {
        int error = errno;
        fd_close(&tree);
        return -error;
    }
    return tree;
}

static int tree_attach(int tree, int target, const char *path, Failure *failure) {
    if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return failure_set(failure, 0, errno, "%s", path);
    return 0;
}

static int path_mask(const Launch *launch, const char *path, Failure *failure) {
    struct stat status;
    _cleanup_fd_ int target = rootfs_open(launch, path);
    if (target == -ENOENT || target == -ENOTDIR)
        return 0; /* the list names what some kernels have */
    if (target < 0 || fstat(target, &status) < 0)
        return failure_set(failure, 0, target < 0 ? -target : errno, "%s", path);
    _cleanup_fd_ int tree = cover_make(launch, S_ISDIR(status.st_mode));
    if (tree < 0)
        return failure_set(failure, 0, -tree, "%s", path);
    return tree_attach(tree, target, path, failure);
}

static int path_protect(const Launch *launch, const char *path, Failure *failure) {
    _cleanup_fd_ int target = rootfs_open(launch, path);
    if (target == -ENOENT || target == -ENOTDIR)
        return 0;
    if (target < 0)
        return failure_set(failure, 0, -target, "%s", path);
    _cleanup_fd_ int tree = open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
    if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) < 0)
        return failure_set(failure, 0, errno, "%s", path);
    return tree_attach(tree, target, path, failure);
}

int mask_apply(Launch *launch, Failure *failure) {
    const LaunchPlan *plan = launch->plan;
    int r = 0;
    for (size_t i = 0; r >= 0 && i < plan->readonly_paths.count; i++)
        r = path_protect(launch, plan->readonly_paths.items[i], failure);
    for (size_t i = 0; r >= 0 && i < plan->masked_paths.count; i++)
        r = path_mask(launch, plan->masked_paths.items[i], failure);
    return r;
}

/* Layers as the pod's ids see them. An overlay itself cannot be id-mapped (EINVAL up to Linux 6.18), its layers can
 * since 5.19; before 6.18 they must be attached somewhere, hence the scratch directory and its short names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "stage1/launch.h"

static int layer_map(const Launch *launch, int layers, const char *path, const char *name) {
    _cleanup_fd_ int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    if (tree < 0)
        return -errno;
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY,
        .propagation = MS_PRIVATE,
        .userns_fd = (uint64_t)launch->userns,
    };
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        return -errno;
    if (mkdirat(layers, name, 0700) < 0 || move_mount(tree, "", layers, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

int idmap_layers(Launch *launch, Failure *failure) {
    _cleanup_fd_ int layers = openat(launch->scratch, "layers", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (layers < 0)
        return failure_set(failure, 0, errno, "scratch directory");
    for (size_t i = 0; i < launch->plan->layers.count; i++) {
        const char *path = launch->plan->layers.items[i];
        char name[24];
        (void)snprintf(name, sizeof name, "%zu", i);
        int r = launch->userns >= 0                 ? layer_map(launch, layers, path, name)
                : symlinkat(path, layers, name) < 0 ? -errno
                                                    : 0;
        if (r == -EINVAL)
            return failure_say(failure, 0, EINVAL,
                               "%s: its file system cannot be mounted with mapped ids: --userns=host, or another file system", path);
        if (r < 0)
            return failure_set(failure, 0, -r, "%s", path);
    }
    return 0;
}

/* Directories and files of the host in the app's root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "basic/path.h"
#include "stage1/content.h"
#include "stage1/mount.h"

/* A detached copy of the source's mount. A symbolic link on the way is refused: whoever may write to the source's
 * parents could point it anywhere on the host. */
static int source_clone(const MountPlan *plan, bool *ret_directory, int *ret_tree, Failure *failure) {
    _cleanup_fd_ int source = path_open(AT_FDCWD, plan->source, O_PATH, 0, RESOLVE_NO_SYMLINKS);
    struct stat status;
    if (source == -ELOOP)
        return failure_say(failure, 0, ELOOP, "%s: a symbolic link is in the path of this volume's source",
                           plan->source);
    if (source < 0 || fstat(source, &status) < 0)
        return failure_set(failure, 0, source < 0 ? -source : errno, "%s", plan->source);
    unsigned recursive = plan->options & MOUNT_OPTION_RBIND ? AT_RECURSIVE : 0;
    *ret_tree = open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
    if (*ret_tree < 0)
        return failure_set(failure, 0, errno, "%s", plan->source);
    *ret_directory = S_ISDIR(status.st_mode);
    return 0;
}

static int attributes_set(const Launch *launch, const MountPlan *plan, int tree, Failure *failure) {
    bool mapped = plan->options & MOUNT_OPTION_IDMAP;
    struct mount_attr attributes = {
        /* Not the plan's to decide: a setuid file or a device on a volume is a way out of the pod. */
        .attr_set = mount_attributes(plan) | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mapped ? MOUNT_ATTR_IDMAP : 0),
        .propagation = MS_PRIVATE,
        .userns_fd = mapped ? (uint64_t)launch->userns : 0,
    };
    unsigned recursive = plan->options & MOUNT_OPTION_RBIND ? AT_RECURSIVE : 0;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes) == 0)
        return 0;
    if (mapped && errno == EINVAL)
        return failure_say(failure, 0, EINVAL,
                           "%s: its file system cannot be mounted with mapped ids: --userns=host, or another file system", plan->source);
    return failure_set(failure, 0, errno, "%s", plan->source);
}

int volume_mount(const Launch *launch, const MountPlan *plan, Failure *failure) {
    _cleanup_fd_ int tree = -1;
    bool directory = false;
    int r = plan->options & MOUNT_OPTION_COPY ? content_provide(launch, plan, failure) : 0;
    if (r >= 0)
        r = source_clone(plan, &directory, &tree, failure);
    if (r >= 0)
        r = attributes_set(launch, plan, tree, failure);
    return r < 0 ? r : mount_attach(launch, tree, plan->destination, directory, failure);
}

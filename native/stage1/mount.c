#include "stage1/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "basic/path.h"
#include "basic/text.h"
#include "stage1/rootfs.h"

int filesystem_make(const char *type, const FsParameter *parameters, uint64_t attributes) {
    _cleanup_fd_ int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0)
        return -errno;
    for (; parameters->key; parameters++) {
        unsigned command = parameters->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        if (fsconfig(context, command, parameters->key, parameters->value, 0) < 0)
            return -errno;
    }
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int tree = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
    return tree < 0 ? -errno : tree;
}

int mount_attach(const Launch *launch, int tree, const char *path, bool directory, Failure *failure) {
    _cleanup_fd_ int target = -1;
    int r = rootfs_target(launch, path, directory, &target, failure);
    if (r < 0)
        return r;
    if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return failure_set(failure, 0, errno, "%s", path);
    return 0;
}

uint64_t mount_attributes(const MountPlan *plan) {
    return (plan->options & MOUNT_OPTION_RO ? MOUNT_ATTR_RDONLY : 0) |
           (plan->options & MOUNT_OPTION_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
           (plan->options & MOUNT_OPTION_NODEV ? MOUNT_ATTR_NODEV : 0) |
           (plan->options & MOUNT_OPTION_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

static int filesystem_mount(const Launch *launch, const MountPlan *plan, const char *type,
                            const FsParameter *parameters, Failure *failure) {
    _cleanup_fd_ int tree = filesystem_make(type, parameters, mount_attributes(plan));
    if (tree < 0)
        return failure_set(failure, 0, -tree, "%s on %s", type, plan->destination);
    return mount_attach(launch, tree, plan->destination, true, failure);
}

static int tmpfs_mount(const Launch *launch, const MountPlan *plan, Failure *failure) {
    char mode[16], size[24], owner[16];
    (void)snprintf(mode, sizeof mode, "%" PRIo32, plan->options & MOUNT_OPTION_MODE ? plan->mode : 0755);
    (void)snprintf(size, sizeof size, "%" PRIu64, plan->size);
    (void)snprintf(owner, sizeof owner, "%u", launch->base);
    const FsParameter parameters[] = {
        { "mode", mode },
        { "uid", owner },
        { "gid", owner },
        { plan->options & MOUNT_OPTION_SIZE ? "size" : NULL, size },
        { 0 },
    };
    return filesystem_mount(launch, plan, "tmpfs", parameters, failure);
}

static int devpts_mount(const Launch *launch, const MountPlan *plan, Failure *failure) {
    char group[16], mode[16];
    (void)snprintf(group, sizeof group, "%u", launch->base + 5); /* tty, by convention of all distributions */
    (void)snprintf(mode, sizeof mode, "%" PRIo32, plan->options & MOUNT_OPTION_MODE ? plan->mode : 0620);
    const FsParameter parameters[] = { { "gid", group }, { "mode", mode }, { "ptmxmode", "0666" }, { 0 } };
    return filesystem_mount(launch, plan, "devpts", parameters, failure);
}

/* Masks find what they cover by the same path. A link on it, into a volume that another app writes to, could lead
 * elsewhere by then, and the app would have a /proc without masks (CVE-2019-19921). */
static int links_refuse(const Launch *launch, const MountPlan *plan, Failure *failure) {
    if (plan->type == MOUNT_BIND || plan->type == MOUNT_TMPFS)
        return 0;
    _cleanup_fd_ int fd =
        path_open(launch->root, plan->destination, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (fd == -ELOOP)
        return failure_say(failure, 0, ELOOP, "%s: the image has a symbolic link there", plan->destination);
    return 0; /* what else is wrong is found when it is mounted */
}

static int mount_make(const Launch *launch, const MountPlan *plan, Failure *failure) {
    static const FsParameter nothing[] = { { 0 } };
    int r = links_refuse(launch, plan, failure);
    if (r < 0)
        return r;
    switch (plan->type) {
    case MOUNT_PROC:
        return filesystem_mount(launch, plan, "proc", nothing, failure);
    case MOUNT_SYSFS:
        return filesystem_mount(launch, plan, "sysfs", nothing, failure);
    case MOUNT_MQUEUE:
        return filesystem_mount(launch, plan, "mqueue", nothing, failure);
    case MOUNT_CGROUP:
        return filesystem_mount(launch, plan, "cgroup2", nothing, failure);
    case MOUNT_TMPFS:
        return tmpfs_mount(launch, plan, failure);
    case MOUNT_DEVPTS:
        return devpts_mount(launch, plan, failure);
    case MOUNT_DEV:
        return dev_mount(launch, plan, failure);
    case MOUNT_BIND:
        return volume_mount(launch, plan, failure);
    }
    return failure_set(failure, 0, EINVAL, "%s", plan->destination);
}

/* These show the namespaces of the process that mounts them, so they wait for the app's process. */
static bool type_is_late(MountType type) {
    return type == MOUNT_PROC || type == MOUNT_SYSFS || type == MOUNT_MQUEUE || type == MOUNT_CGROUP;
}

static bool path_is_below(const char *path, const char *parent) {
    size_t length = strlen(parent);
    return text_starts_with(path, parent) && (path[length] == '/' || path[length] == 0);
}

/* A mount on or below a late one has to wait for it. */
static bool mount_is_late(const LaunchPlan *plan, size_t index) {
    if (type_is_late(plan->mounts[index].type))
        return true;
    for (size_t i = 0; i < index; i++)
        if (type_is_late(plan->mounts[i].type) &&
            path_is_below(plan->mounts[index].destination, plan->mounts[i].destination))
            return true;
    return false;
}

static int mounts_make(const Launch *launch, bool late, Failure *failure) {
    for (size_t i = 0; i < launch->plan->n_mounts; i++) {
        if (mount_is_late(launch->plan, i) != late)
            continue;
        int r = mount_make(launch, &launch->plan->mounts[i], failure);
        if (r < 0)
            return r;
    }
    return 0;
}

int mount_early(Launch *launch, Failure *failure) {
    return mounts_make(launch, false, failure);
}

int mount_late(Launch *launch, Failure *failure) {
    return mounts_make(launch, true, failure);
}

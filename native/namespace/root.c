#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "internal.h"

static int tmpfs_open(void);

/*
 * An app of the pod may reach pid 1's root through /proc/1/root when it holds the same capabilities; what it would
 * find there is an empty tmpfs. pivot_root(".", ".") stacks the old root on the new one (pivot_root(2), NOTES).
 */
int root_empty(Failure *failure) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "private mounts");
    _cleanup_fd_ int root = tmpfs_open();
    if (root < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, -root, "empty root");
    /* A detached mount can't become the root, so it is attached over any directory first. */
    if (move_mount(root, "", AT_FDCWD, "/run", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(root) < 0 ||
        syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "entering the empty root");
    return 0;
}

static int tmpfs_open(void) {
    _cleanup_fd_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    unsigned attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
    return fd < 0 ? -errno : fd;
}

#include "stage1/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "basic/path.h"
#include "confine/capability.h"

int rootfs_open(const Launch *launch, const char *path) {
    return path_open(launch->root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* Whoever makes a file on an id-mapped mount must be somebody whom that maps, and the host's root is not. The change takes
 * capabilities away (capabilities(7)), and makes us as dumpable as fs.suid_dumpable says. */
static int owner_become(uid_t id) {
    (void)setfsgid(id);
    (void)setfsuid(id);
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : capability_raise();
}

static int directory_make(int parent, const char *name) {
    return mkdirat(parent, name, 0755) < 0 ? -errno : 0;
}

static int file_make(int parent, const char *name) {
    _cleanup_fd_ int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : 0;
}

/* Makes `name` in `parent` for the app's root. Existing is an error: a dangling symbolic link. */
static int entry_make(const Launch *launch, int parent, const char *name, bool directory) {
    int r = owner_become(launch->base);
    if (r >= 0)
        r = directory ? directory_make(parent, name) : file_make(parent, name);
    int back = owner_become(0);
    return r < 0 ? r : back;
}

/* Opens `path`, making it and what is missing above it, from the top down. */
static int path_make(const Launch *launch, const char *path, bool directory) {
    char prefix[PATH_MAX], name[NAME_MAX + 1];
    _cleanup_fd_ int parent = fcntl(launch->root, F_DUPFD_CLOEXEC, 3);
    if (parent < 0)
        return -errno;
    for (const char *part = path + strspn(path, "/"); *part;) {
        size_t length = strcspn(part, "/");
        const char *next = part + length + strspn(part + length, "/");
        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, part, length);
        name[length] = 0;
        memcpy(prefix, path, (size_t)(part - path) + length);
        prefix[(size_t)(part - path) + length] = 0;
        int fd = rootfs_open(launch, prefix);
        if (fd == -ENOENT) {
            int r = entry_make(launch, parent, name, *next || directory);
            if (r < 0)
                return r;
            fd = rootfs_open(launch, prefix);
        }
        if (fd < 0)
            return fd;
        fd_close(&parent);
        parent = fd;
        part = next;
    }
    return fd_take(&parent);
}

int rootfs_target(const Launch *launch, const char *path, bool directory, int *ret_fd, Failure *failure) {
    _cleanup_fd_ int fd = rootfs_open(launch, path);
    if (fd == -ENOENT)
        fd = path_make(launch, path, directory);
    struct stat status;
    if (fd == -EEXIST)
        return failure_say(failure, 0, EEXIST, "%s: a symbolic link to nothing", path);
    if (fd < 0 || fstat(fd, &status) < 0)
        return failure_set(failure, 0, fd < 0 ? -fd : errno, "%s", path);
    if (S_ISDIR(status.st_mode) != directory)
        return failure_set(failure, 0, directory ? ENOTDIR : EISDIR, "%s", path);
    *ret_fd = fd_take(&fd);
    return 0;
}

int rootfs_make_cwd(Launch *launch, Failure *failure) {
    _cleanup_fd_ int fd = -1;
    if (!launch->plan->create_cwd)
        return 0; /* its absence is found by chdir(2), as the app's user */
    return rootfs_target(launch, launch->plan->process.cwd, true, &fd, failure);
}

int rootfs_pivot(Launch *launch, Failure *failure) {
    struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
    if (launch->plan->root_readonly && mount_setattr(launch->root, "", AT_EMPTY_PATH, &readonly, sizeof readonly) < 0)
        return failure_set(failure, 0, errno, "read-only root");
    /* The old root lands on top of the new one and is taken off again: no directory for it is needed. */
    if (fchdir(launch->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return failure_set(failure, 0, errno, "pivot into the root");
    struct mount_attr private = { .propagation = MS_PRIVATE };
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private) < 0)
        return failure_set(failure, 0, errno, "propagation of the root");
    return 0;
}

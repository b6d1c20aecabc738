/* The program's own file. An app without user namespace is real root: it could open /proc/<pid>/exe of a process that
 * still runs this program and write to it (CVE-2019-5736). Executed from a read-only mount, that is EROFS. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "stage1/launch.h"

extern char **environ;

static const char clone_name[] = "gantry-stage1 (read-only)";

static int executable_clone(int *ret_fd) {
    _cleanup_fd_ int fd = open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
    if (mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        return -errno;
    *ret_fd = fd_take(&fd);
    return 0;
}

int executable_protect(Launch *launch, Failure *failure) {
    struct statfs where;
    if (launch->plan->userns.mode == USERNS_POD)
        return 0; /* the app's root has no right to the file */
    if (statfs("/proc/self/exe", &where) < 0)
        return failure_set(failure, 0, errno, "/proc/self/exe");
    if (where.f_flags & ST_RDONLY)
        return 0;
    if (strcmp(launch->argv[0], clone_name) == 0)
        return failure_set(failure, 0, EROFS, "/proc/self/exe is writable in spite of its read-only mount");
    _cleanup_fd_ int fd = -1;
    int r = executable_clone(&fd);
    if (r < 0)
        return failure_set(failure, 0, -r, "read-only mount of /proc/self/exe");
    char *argv[] = { (char *)clone_name, launch->argv[1], NULL };
    (void)execveat(fd, "", argv, environ, AT_EMPTY_PATH);
    return failure_set(failure, 0, errno, "execution of the read-only /proc/self/exe");
}

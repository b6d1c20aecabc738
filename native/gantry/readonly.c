#include "readonly.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/cleanup.h"

extern char **environ;

static char clone_name[] = "gantry (read-only)";

int readonly_reexecute(char **argv) {
    struct statfs where;
    if (statfs("/proc/self/exe", &where) < 0)
        return -errno;
    if (where.f_flags & ST_RDONLY)
        return 0;
    if (strcmp(argv[0], clone_name) == 0)
        return -EROFS; /* once is enough */
    _cleanup_fd_ int fd = open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        return -errno;
    argv[0] = clone_name;
    (void)execveat(fd, "", argv, environ, AT_EMPTY_PATH);
    return -errno;
}

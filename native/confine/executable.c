#include "confine/executable.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"

extern char **environ;

int executable_protect(const char *name, char **argv) {
    struct statfs where;
    if (statfs("/proc/self/exe", &where) < 0)
        return -errno;
    if (where.f_flags & ST_RDONLY)
        return 0;
    if (strcmp(argv[0], name) == 0)
        return -EROFS; /* once is enough */
    _cleanup_fd_ int fd = open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        return -errno;
    argv[0] = (char *)name;
    (void)execveat(fd, "", argv, environ, AT_EMPTY_PATH);
    return -errno;
}

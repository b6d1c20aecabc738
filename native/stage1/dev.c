/* The app's /dev: device nodes of its own, so that changing their mode changes nothing on the host. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "stage1/mount.h"

typedef struct Node {
    const char *name;
    unsigned major, minor; /* Linux allocated devices (admin-guide/devices.txt) */
} Node;

static const Node nodes[] = {
    { "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

typedef struct Link {
    const char *name, *target;
} Link;

static const Link links[] = {
    { "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
    { "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

static int dev_fill(const Launch *launch, int tree, Failure *failure) {
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (mknodat(tree, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0 ||
            fchownat(tree, nodes[i].name, launch->base, launch->base, AT_SYMLINK_NOFOLLOW) < 0)
            return failure_set(failure, 0, errno, "/dev/%s", nodes[i].name);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i].target, tree, links[i].name) < 0 ||
            fchownat(tree, links[i].name, launch->base, launch->base, AT_SYMLINK_NOFOLLOW) < 0)
            return failure_set(failure, 0, errno, "/dev/%s", links[i].name);
    return 0;
}

int dev_mount(const Launch *launch, const MountPlan *plan, Failure *failure) {
    char mode[16], size[24], owner[16];
    (void)snprintf(mode, sizeof mode, "%" PRIo32, plan->options & MOUNT_OPTION_MODE ? plan->mode : 0755);
    /* Only nodes, links and mount points belong here; what it holds counts as memory. */
    (void)snprintf(size, sizeof size, "%" PRIu64, plan->options & MOUNT_OPTION_SIZE ? plan->size : UINT64_C(65536));
    (void)snprintf(owner, sizeof owner, "%u", launch->base);
    const FsParameter parameters[] = { { "mode", mode }, { "size", size }, { "uid", owner }, { "gid", owner }, { 0 } };
    _cleanup_fd_ int tree = filesystem_make("tmpfs", parameters, mount_attributes(plan));
    if (tree < 0)
        return failure_set(failure, 0, -tree, "tmpfs on %s", plan->destination);
    int r = dev_fill(launch, tree, failure);
    return r < 0 ? r : mount_attach(launch, tree, plan->destination, true, failure);
}

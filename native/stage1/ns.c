/* The app's mount namespace, and in it a tmpfs that only this launch sees. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/kernel.h"
#include "stage1/launch.h"

#define SCRATCH "/run/gantry/stage1"

/* A null device of our own: masks and standard streams made of the host's would let an app without user namespace
 * change the mode of the host's /dev/null. */
static int null_make(Launch *launch, Failure *failure) {
    if (mknodat(launch->scratch, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
        return failure_set(failure, 0, errno, "null device");
    launch->null = openat(launch->scratch, "null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    return launch->null < 0 ? failure_set(failure, 0, errno, "null device") : 0;
}

static int scratch_mount(Launch *launch, Failure *failure) {
    int r = directory_make(SCRATCH);
    if (r < 0)
        return failure_set(failure, 0, -r, SCRATCH);
    /* A link of more than 127 bytes takes a page, and there may be 500 layers. */
    if (mount("gantry", SCRATCH, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0700,size=4m,nr_inodes=1k") < 0)
        return failure_set(failure, 0, errno, SCRATCH);
    launch->scratch = open(SCRATCH, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (launch->scratch < 0)
        return failure_set(failure, 0, errno, SCRATCH);
    if (mkdirat(launch->scratch, "layers", 0700) < 0 || mkdirat(launch->scratch, "root", 0700) < 0 ||
        mkdirat(launch->scratch, "empty", 0555) < 0)
        return failure_set(failure, 0, errno, SCRATCH);
    return 0;
}

int ns_unshare(Launch *launch, Failure *failure) {
    if (unshare(CLONE_NEWNS) < 0)
        return failure_set(failure, 0, errno, "mount namespace");
    /* Slave, not private: an unmount on the host must still reach us while we build. Private at the pivot. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return failure_set(failure, 0, errno, "propagation of /");
    int r = scratch_mount(launch, failure);
    return r < 0 ? r : null_make(launch, failure);
}

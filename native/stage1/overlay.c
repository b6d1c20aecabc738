/* The app's root: its layers below its upper directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "basic/text.h"
#include "stage1/launch.h"

/* What mount(2) takes is one page; 500 layers with numbers for names are 1890 bytes of it. */
enum { OPTIONS_MAX = 4096 };

/* Opens the upper or work directory, made and given to the app's root if need be: a file copied up gets its ids from
 * the lower file, but a new one only fits into a directory that the pod's root owns. */
static int directory_prepare(const Launch *launch, const char *path, int *ret_fd, Failure *failure) {
    struct stat status;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return failure_set(failure, 0, errno, "%s", path);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0)
        return failure_set(failure, 0, errno, "%s", path);
    if ((status.st_uid != launch->base || status.st_gid != launch->base) && fchown(fd, launch->base, launch->base) < 0)
        return failure_set(failure, 0, errno, "%s", path);
    *ret_fd = fd_take(&fd);
    return 0;
}

/* Names are relative to scratch/layers, top first; the others are descriptors, so that no host path can need escaping
 * or show up in the app's /proc/self/mountinfo. user.overlay.* are what the unpacker writes (docs/on-disk-format.md).
 */
static int options_write(const Launch *launch, int upper, int work, char ret[static OPTIONS_MAX]) {
    int used = snprintf(ret, OPTIONS_MAX, "lowerdir=");
    for (size_t i = launch->plan->layers.count; i-- > 0 && used < OPTIONS_MAX;)
        used += snprintf(ret + used, (size_t)(OPTIONS_MAX - used), "%zu%s", i, i ? ":" : "");
    if (used < OPTIONS_MAX)
        used += snprintf(ret + used, (size_t)(OPTIONS_MAX - used),
                         ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,userxattr,index=off", upper, work);
    return used < OPTIONS_MAX ? 0 : -E2BIG;
}

/* A layer that is gone is the likeliest reason, and mount(2) only says ENOENT. */
static int mount_failed(const Launch *launch, int error, Failure *failure) {
    struct stat status;
    for (size_t i = 0; i < launch->plan->layers.count; i++)
        if (stat(launch->plan->layers.items[i], &status) < 0)
            return failure_set(failure, 0, errno, "%s", launch->plan->layers.items[i]);
    return failure_set(failure, 0, error, "overlay of %zu layers on %s", launch->plan->layers.count,
                       launch->plan->upper);
}

/* overlayfs mounts read-only without a word when it cannot use its work directory: a full disk is the likeliest reason. */
static int read_only_explain(const Launch *launch, int work, Failure *failure) {
    static const char name[] = "probe";
    int error = mkdirat(work, name, 0700) < 0 ? errno : 0;
    if (error == ENOSPC || error == EDQUOT)
        return failure_say(failure, 0, error, "no space is left in \"%s\"", launch->plan->upper);
    if (!error)
        (void)unlinkat(work, name, AT_REMOVEDIR);
    return failure_say(failure, 0, EROFS, "%s: the overlay came out read-only", launch->plan->upper);
}

static int root_open(Launch *launch, int work, Failure *failure) {
    struct statfs root;
    launch->root = openat(launch->scratch, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (launch->root < 0 || fstatfs(launch->root, &root) < 0)
        return failure_set(failure, 0, errno, "root");
    return root.f_flags & ST_RDONLY ? read_only_explain(launch, work, failure) : 0;
}

int overlay_mount(Launch *launch, Failure *failure) {
    char options[OPTIONS_MAX];
    _cleanup_fd_ int upper = -1;
    _cleanup_fd_ int work = -1;
    _cleanup_fd_ int layers = openat(launch->scratch, "layers", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = directory_prepare(launch, launch->plan->upper, &upper, failure);
    if (r >= 0)
        r = directory_prepare(launch, launch->plan->work, &work, failure);
    if (r < 0)
        return r;
    if (layers < 0 || fchdir(layers) < 0)
        return failure_set(failure, 0, errno, "scratch directory");
    r = options_write(launch, upper, work, options);
    if (r < 0)
        return failure_set(failure, 0, -r, "overlay of %zu layers", launch->plan->layers.count);
    if (mount("overlay", "../root", "overlay", MS_NODEV, options) < 0)
        return mount_failed(launch, errno, failure);
    return root_open(launch, work, failure);
}

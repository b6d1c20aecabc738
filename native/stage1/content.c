/* A volume that an image asks for begins as what the image has there (Docker's VOLUME). It is copied, not overlaid: such a
 * volume is a plain directory of the host's file system because the app wants none of an overlay's ways there. */
#include "stage1/content.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/directory.h"
#include "basic/kernel.h"
#include "basic/path.h"
#include "stage1/copy.h"

enum {
    OPTIONS_MAX = 4096,        /* what mount(2) takes is one page */
    FILES_MAX = PATH_MAX + 64, /* two for each level of as deep a tree as a path can name */
};

/* The layers by their numbers, as they are on disk: the volume carries the ids that the app sees, too, and is mapped when it is
 * mounted. A lone lower directory makes no overlay, hence the empty one, which five hundred layers have no room for. */
static int layers_lay(const Launch *launch, int layers, char ret_options[static OPTIONS_MAX]) {
    size_t count = launch->plan->layers.count;
    int used = snprintf(ret_options, OPTIONS_MAX, "userxattr,lowerdir=");
    for (size_t i = count; i-- > 0 && used < OPTIONS_MAX;) {
        char name[24];
        (void)snprintf(name, sizeof name, "%zu", i);
        if (symlinkat(launch->plan->layers.items[i], layers, name) < 0)
            return -errno;
        used += snprintf(ret_options + used, (size_t)(OPTIONS_MAX - used), "%s%s", name, i ? ":" : count == 1 ? ":../empty" : "");
    }
    return used < OPTIONS_MAX ? 0 : -E2BIG;
}

/* The image alone, without what is mounted into the app's root or written to it. It goes with the launcher's own root. */
static int image_mount(const Launch *launch) {
    char options[OPTIONS_MAX];
    if (mkdirat(launch->scratch, "image", 0700) < 0)
        return errno == EEXIST ? 0 : -errno; /* for another volume */
    if (mkdirat(launch->scratch, "plain", 0700) < 0)
        return -errno;
    _cleanup_fd_ int layers = openat(launch->scratch, "plain", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = layers < 0 ? -errno : layers_lay(launch, layers, options);
    if (r < 0)
        return r;
    if (fchdir(layers) < 0 ||
        mount("overlay", "../image", "overlay", MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, options) < 0)
        return -errno;
    return 0;
}

/* -1 where the image has no such directory. */
static int directory_find(const Launch *launch, const char *path, int *ret_fd, Failure *failure) {
    int r = image_mount(launch);
    if (r < 0)
        return failure_set(failure, 0, -r, "the image of %s", path);
    _cleanup_fd_ int image = openat(launch->scratch, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (image < 0)
        return failure_set(failure, 0, errno, "the image of %s", path);
    int fd = path_open(image, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    *ret_fd = fd < 0 ? -1 : fd;
    /* What else may be there is found when the volume is mounted on it. */
    return fd >= 0 || fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : failure_set(failure, 0, -fd, "%s", path);
}

static int directory_fill(const Launch *launch, const char *path, int directory, Failure *failure) {
    _cleanup_fd_ int from = -1;
    bool data = false;
    int r = directory_find(launch, path, &from, failure);
    if (r < 0)
        return r;
    if (from < 0)
        return fchmod(directory, 0755) < 0 ? failure_set(failure, 0, errno, "%s", path) : 0;
    r = tree_copy(launch, from, directory, path, &data, failure);
    if (r < 0)
        return r;
    /* Names follow each other through the file system's journal; data would not, and the new name must not come first. */
    return data && syncfs(directory) < 0 ? failure_set(failure, 0, errno, "copy of %s", path) : 0;
}

static int directory_make(const Launch *launch, const char *path, int parent, const char *name, Failure *failure) {
    int r = entry_remove(parent, name); /* of a start that was killed */
    if (r < 0)
        return failure_set(failure, 0, -r, "copy of %s", path);
    if (mkdirat(parent, name, 0700) < 0)
        return failure_set(failure, 0, errno, "copy of %s", path);
    _cleanup_fd_ int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return failure_set(failure, 0, errno, "copy of %s", path);
    return directory_fill(launch, path, directory, failure);
}

static int source_split(const char *source, char ret_parent[static PATH_MAX], char ret_hidden[static NAME_MAX + 2]) {
    const char *name = strrchr(source, '/') + 1;
    if (!*name || strlen(name) >= NAME_MAX)
        return -EINVAL;
    (void)snprintf(ret_parent, PATH_MAX, "%.*s", (int)(name - source), source);
    (void)snprintf(ret_hidden, NAME_MAX + 2, ".%s", name);
    return 0;
}

static int content_make(const Launch *launch, const char *path, int parent, const char *hidden, Failure *failure) {
    int r = directory_make(launch, path, parent, hidden, failure);
    if (r >= 0 && renameat(parent, hidden, parent, hidden + 1) < 0)
        r = failure_set(failure, 0, errno, "copy of %s", path);
    if (r < 0)
        (void)entry_remove(parent, hidden); /* a full disk stays as full as it was */
    return r;
}

int content_provide(const Launch *launch, const MountPlan *plan, Failure *failure) {
    char path[PATH_MAX], hidden[NAME_MAX + 2];
    struct stat status;
    struct rlimit before;
    int r = source_split(plan->source, path, hidden);
    _cleanup_fd_ int parent = r < 0 ? r : path_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
    if (parent < 0)
        return failure_set(failure, 0, -parent, "%s", plan->source);
    if (fstatat(parent, hidden + 1, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return 0; /* what the app made of it since */
    if (getrlimit(RLIMIT_NOFILE, &before) < 0)
        return failure_set(failure, 0, errno, "copy of %s", plan->destination);
    const struct rlimit deep = { before.rlim_max < FILES_MAX ? before.rlim_max : FILES_MAX, before.rlim_max };
    (void)setrlimit(RLIMIT_NOFILE, &deep);
    r = content_make(launch, plan->destination, parent, hidden, failure);
    (void)setrlimit(RLIMIT_NOFILE, &before); /* the app's until its own is set */
    return r;
}

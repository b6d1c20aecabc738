#include "basic/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"

static bool is_own(const struct dirent *item) {
    return strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
}

const struct dirent *directory_next(DIR *directory) {
    const struct dirent *item;
    do {
        errno = 0; /* only by errno is the end told from a failure (readdir(3)) */
        item = readdir(directory);
    } while (item && is_own(item));
    return item;
}

int directory_open(int parent, const char *name, DIR **ret) {
    _cleanup_fd_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory)
        return -errno;
    (void)fd_take(&fd);
    *ret = directory;
    return 0;
}

static int content_remove(int parent, const char *name) {
    _cleanup_dir_ DIR *directory = NULL;
    int r = directory_open(parent, name, &directory);
    const struct dirent *item;
    while (r >= 0 && (item = directory_next(directory)))
        r = entry_remove(dirfd(directory), item->d_name);
    return r < 0 ? r : -errno;
}

int entry_remove(int parent, const char *name) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    int r = content_remove(parent, name);
    if (r < 0)
        return r;
    return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

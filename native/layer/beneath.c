#include "layer/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/path.h"

const char *path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void path_parent(const char *path, char *ret_parent) {
    const char *name = path_name(path);
    size_t length = name > path ? (size_t)(name - path - 1) : 0;
    memcpy(ret_parent, path, length);
    (void)strcpy(ret_parent + length, length > 0 ? "" : ".");
}

static int short_open(int directory, const char *path, int flags, uint64_t resolve) {
    return path_open(directory, path, (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW), 0,
                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve);
}

int beneath_open(int root, const char *path, int flags, uint64_t resolve) {
    if (strlen(path) < BENEATH_PATH_MAX) /* the kernel counts the final NUL (PATH_MAX, limits.h) */
        return short_open(root, path, flags, resolve);
    char parent[BENEATH_PATH_MAX + 1];
    path_parent(path, parent);
    _cleanup_fd_ int directory = short_open(root, parent, O_PATH | O_DIRECTORY, resolve);
    return directory < 0 ? directory : short_open(directory, path_name(path), flags, resolve);
}

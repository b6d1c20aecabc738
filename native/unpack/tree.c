#include "unpack/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/directory.h"
#include "layer/beneath.h"
#include "unpack/attributes.h"

int tree_open(struct Tree *ret_tree, int into, const char *name, struct List *list, struct Fault *fault) {
    if (mkdirat(into, name, 0755) < 0 || mkdirat(into, ".trash", 0700) < 0)
        return fault_system(fault, errno, "cannot create the layer's directory");
    _cleanup_fd_ int root = openat(into, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_fd_ int trash = openat(into, ".trash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0 || trash < 0)
        return fault_system(fault, errno, "cannot open the layer's directory");
    *ret_tree = (struct Tree){
        .root = fd_take(&root),
        .removal.trash = fd_take(&trash),
        .paths = 1, /* the root */
        .parent = -1,
        .replaces = true,
        .max_created = UINT64_MAX,
        .list = list,
        .fault = fault,
    };
    return 0;
}

static void implied_free(void *node) {
    (void)node; /* the key is the inode number itself */
}

void tree_close(struct Tree *tree) {
    fd_close(&tree->parent);
    fd_close(&tree->removal.trash);
    fd_close(&tree->root);
    tdestroy(tree->implied, implied_free);
    tree->implied = NULL;
}

static int component_check(const char *component, size_t length, const char *raw, const char *role,
                           struct Fault *fault) {
    if (length == 2 && memcmp(component, "..", 2) == 0)
        return fault_image(fault, "the %s %s has a .. component", role, QUOTED(raw));
    if (length > TREE_NAME_MAX)
        return fault_image(fault, "the %s %s has a component of more than 255 bytes", role, QUOTED(raw));
    return 0;
}

int path_clean(const char *raw, const char *role, char *ret_path, struct Fault *fault) {
    size_t used = 0;
    for (const char *at = raw; *at;) {
        size_t length = strcspn(at, "/");
        if (length > 0 && !(length == 1 && *at == '.')) {
            int r = component_check(at, length, raw, role, fault);
            if (r < 0)
                return r;
            if (used + (used > 0) + length > TREE_PATH_MAX)
                return fault_image(fault, "the %s %s has more than 4096 bytes", role, QUOTED(raw));
            if (used > 0)
                ret_path[used++] = '/';
            memcpy(ret_path + used, at, length);
            used += length;
        }
        at += length;
        at += *at == '/';
    }
    if (used == 0)
        ret_path[used++] = '.';
    ret_path[used] = '\0';
    return 0;
}

int tree_find(const struct Tree *tree, const char *path, int flags) {
    return beneath_open(tree->root, path, flags, RESOLVE_NO_XDEV);
}

static int inode_compare(const void *a, const void *b) {
    return a < b ? -1 : a > b;
}

static int implied_add(struct Tree *tree, int directory) {
    struct stat st;
    if (fstat(directory, &st) < 0)
        return -errno;
    return tsearch((void *)(uintptr_t)st.st_ino, &tree->implied, inode_compare) ? 0 : -ENOMEM;
}

bool tree_implied_take(struct Tree *tree, ino_t inode) {
    return tdelete((void *)(uintptr_t)inode, &tree->implied, inode_compare) != NULL;
}

/* The list names every directory of the tree, so that whoever checks the tree against it finds nothing foreign, and
 * gives those no entry asked for a fixed time: the same archive makes the same tree everywhere. */
static int directory_announce(struct Tree *tree, const char *path, bool hides) {
    const struct ListLine directory = { .type = 'd', .mode = 0755, .path = path };
    const struct ListLine opaque = { .type = 'o', .path = path };
    int r = list_write(tree->list, &directory);
    if (r == 0 && hides)
        r = list_write(tree->list, &opaque);
    return r;
}

static int directory_create(struct Tree *tree, int at, const char *name, const char *path, bool hides) {
    if (++tree->created > tree->max_created)
        return fault_image(tree->fault, "the archive has too many entries (at %s)", QUOTED(path));
    if (mkdirat(at, name, 0755) < 0)
        return fault_system(tree->fault, errno, "cannot create the directory %s", QUOTED(path));
    tree->paths++;
    _cleanup_fd_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && tree->inherits)
        attributes_disinherit(fd);
    /* A set-group-id directory above would hand its group and bit on. */
    if (fd < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
        return fault_system(tree->fault, errno, "cannot create the directory %s", QUOTED(path));
    int r = directory_announce(tree, path, hides);
    if (r == 0 && !tree->replaces)
        r = implied_add(tree, fd);
    return r < 0 ? fault_system(tree->fault, -r, "cannot list %s", QUOTED(path)) : fd_take(&fd);
}

/* One step of the slow path. A directory that takes the place of something else in this layer hides what lower
 * layers have there, because the thing it replaces would have hidden it: it becomes opaque. */
static int directory_enter(struct Tree *tree, int at, const char *name, const char *path) {
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        return directory_create(tree, at, name, path, false);
    if (errno != ENOTDIR && errno != ELOOP)
        return fault_system(tree->fault, errno, "cannot open the directory %s", QUOTED(path));
    int r = tree_replace(tree, at, path);
    return r < 0 ? r : directory_create(tree, at, name, path, true);
}

static int parent_build(struct Tree *tree, const char *path) {
    _cleanup_fd_ int at = fcntl(tree->root, F_DUPFD_CLOEXEC, 3);
    if (at < 0)
        return fault_system(tree->fault, errno, "cannot open the layer's directory");
    char prefix[TREE_PATH_MAX + 1];
    for (size_t end = 0; path[end];) {
        size_t start = end + (path[end] == '/');
        end = start + strcspn(path + start, "/");
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        int next = directory_enter(tree, at, prefix + start, prefix);
        if (next < 0)
            return next;
        fd_close(&at);
        at = next;
    }
    return fd_take(&at);
}

int tree_parent(struct Tree *tree, const char *path, int *ret_fd) {
    const char *name = path_name(path);
    size_t length = name > path ? (size_t)(name - path - 1) : 0;
    if (length == 0) {
        *ret_fd = tree->root;
        return 0;
    }
    if (tree->parent >= 0 && strncmp(tree->parent_path, path, length) == 0 && !tree->parent_path[length]) {
        *ret_fd = tree->parent;
        return 0;
    }
    fd_close(&tree->parent);
    memcpy(tree->parent_path, path, length);
    tree->parent_path[length] = '\0';
    int fd = tree_find(tree, tree->parent_path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        fd = parent_build(tree, tree->parent_path);
    if (fd < 0)
        return fd;
    *ret_fd = tree->parent = fd;
    return 0;
}

int tree_replace(struct Tree *tree, int parent, const char *path) {
    if (!tree->replaces)
        return fault_image(tree->fault, "%s is in the archive twice, or something lies below it and it is no directory",
                           QUOTED(path));
    /* The directory used last may lie in what goes away. It is not `parent`: a name is never above its own parent. */
    if (strncmp(tree->parent_path, path, strlen(path)) == 0)
        fd_close(&tree->parent);
    int r = directory_remove(parent, path_name(path), &tree->removal);
    return r < 0 ? fault_system(tree->fault, -r, "cannot replace %s", QUOTED(path)) : 0;
}

static int trash_take(int parent, const char *name, struct Removal *removal) {
    char moved[32];
    (void)snprintf(moved, sizeof(moved), "%" PRIu64, removal->names++);
    return renameat(parent, name, removal->trash, moved) < 0 ? -errno : 0;
}

/* Notes what goes with the name that is about to: a file's bytes go with its last one. */
static uint64_t bytes_lost(int parent, const char *name) {
    struct stat st;
    bool last = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
    return last ? (uint64_t)st.st_size : 0;
}

/* Unlinks, or moves a directory that is not empty into the trash, where it comes up later: no recursion, so an
 * archive can neither exhaust the stack nor the descriptors with its depth. */
static int name_remove(int parent, const char *name, struct Removal *removal) {
    uint64_t bytes = bytes_lost(parent, name);
    if (unlinkat(parent, name, 0) == 0) {
        removal->paths++;
        removal->bytes += bytes;
        return 0;
    }
    if (errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* Linux says EISDIR, POSIX EPERM */
        return -errno;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) {
        removal->paths++;
        return 0;
    }
    return errno == ENOTEMPTY || errno == EEXIST ? trash_take(parent, name, removal) : -errno;
}

static int directory_empty(int parent, const char *name, struct Removal *removal) {
    _cleanup_fd_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    _cleanup_dir_ DIR *directory = fdopendir(fd);
    if (!directory)
        return -errno;
    (void)fd_take(&fd);
    for (const struct dirent *item; (item = directory_next(directory));) {
        int r = name_remove(dirfd(directory), item->d_name, removal);
        if (r < 0)
            return r;
    }
    return -errno;
}

int directory_remove(int parent, const char *name, struct Removal *removal) {
    uint64_t next = removal->names;
    int r = name_remove(parent, name, removal);
    for (; r == 0 && next < removal->names; next++) {
        char moved[32];
        (void)snprintf(moved, sizeof(moved), "%" PRIu64, next);
        r = directory_empty(removal->trash, moved, removal);
        if (r == 0 && unlinkat(removal->trash, moved, AT_REMOVEDIR) < 0)
            r = -errno;
        removal->paths += r == 0;
    }
    return r;
}

#include "unpack/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "basic/cleanup.h"

#define PREFIX ".wh."

/* aufs keeps these at the root of a branch, and Docker's old aufs driver shipped them. */
static bool metadata_is(const char *path) {
    static const char *const names[] = { ".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t length = strlen(names[i]);
        if (strncmp(path, names[i], length) == 0 && (path[length] == '\0' || path[length] == '/'))
            return true;
    }
    return false;
}

int whiteout_read(const char *path, enum WhiteoutKind *ret_kind, char *ret_hidden, struct Fault *fault) {
    const char *name = path_name(path);
    *ret_kind = WHITEOUT_NONE;
    if (metadata_is(path))
        *ret_kind = WHITEOUT_METADATA;
    if (*ret_kind == WHITEOUT_METADATA || strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    const char *hidden = name + strlen(PREFIX);
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return fault_image(fault, "the whiteout %s hides no name", QUOTED(path));
    int directory = (int)(name - path);
    if (strcmp(hidden, ".wh..opq") != 0) {
        *ret_kind = WHITEOUT_NAME;
        (void)snprintf(ret_hidden, TREE_PATH_MAX + 1, "%.*s%s", directory, path, hidden);
        return 0;
    }
    *ret_kind = WHITEOUT_OPAQUE;
    path_parent(path, ret_hidden);
    return 0;
}

/* Linux lets anybody make this one device (since 4.13 or so needs no CAP_MKNOD: vfs_mknod(), is_whiteout). */
static int device_create(struct Tree *tree, int parent, const char *path, struct Fault *fault) {
    if (mknodat(parent, path_name(path), S_IFCHR, makedev(0, 0)) < 0)
        return fault_system(fault, errno, "cannot make the whiteout of %s", QUOTED(path));
    tree->paths++;
    return 0;
}

static int opaque_make(struct Tree *tree, const char *path, struct Fault *fault) {
    _cleanup_fd_ int fd = tree_find(tree, path, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0; /* a later entry replaced it, and hides the lower one anyway */
    if (fd < 0)
        return fault_system(fault, -fd, "cannot open the directory %s", QUOTED(path));
    if (fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0)
        return fault_system(fault, errno, "cannot mark the directory %s opaque", QUOTED(path));
    return 0;
}

static int name_make(struct Tree *tree, const char *path, struct Fault *fault) {
    _cleanup_fd_ int existing = tree_find(tree, path, O_PATH);
    struct stat st;
    if (existing >= 0) { /* the same layer has it: it survives, and only a directory lets something shine through */
        if (fstat(existing, &st) < 0)
            return fault_system(fault, errno, "cannot stat %s", QUOTED(path));
        return S_ISDIR(st.st_mode) ? opaque_make(tree, path, fault) : 0;
    }
    if (existing == -ENOTDIR || existing == -ELOOP)
        return 0; /* its directory was replaced, or it is a link of the same layer */
    if (existing != -ENOENT)
        return fault_system(fault, -existing, "cannot look for %s", QUOTED(path));
    char directory[TREE_PATH_MAX + 1];
    path_parent(path, directory);
    _cleanup_fd_ int parent = tree_find(tree, directory, O_PATH | O_DIRECTORY);
    if (parent == -ENOENT)
        return 0; /* gone with a directory that a later entry replaced */
    if (parent < 0)
        return fault_system(fault, -parent, "cannot open the directory of %s", QUOTED(path));
    return device_create(tree, parent, path, fault);
}

int whiteout_make(struct Tree *tree, const struct ListItem *item, struct Fault *fault) {
    return item->type == 'o' ? opaque_make(tree, item->path, fault) : name_make(tree, item->path, fault);
}

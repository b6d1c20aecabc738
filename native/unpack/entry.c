#include "unpack/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "layer/attribute.h"
#include "unpack/aci.h"
#include "unpack/attributes.h"

struct Entry {
    struct Layer *layer;
    struct archive *archive;
    struct archive_entry *header;
    const char *path;
    const char *name;
    int parent;
    struct Attributes attributes;
    uint64_t size;
    struct DigestValues digest;
    struct DigestValues attributes_digest; /* empty: it has none */
    char target[TREE_PATH_MAX + 1];        /* of a hard link */
    bool skipped;
    bool unchanged; /* a hard link to itself */
};

static int entry_failed(const struct Entry *entry, const char *doing) {
    return fault_system(entry->layer->fault, errno, "cannot %s %s", doing, QUOTED(entry->path));
}

/* Calls a creating system call, once more after making room. Returns what it returned, errno set. */
#define CREATE(entry, call)                                                                                    \
    ({                                                                                                         \
        long _created = (call);                                                                                \
        if (_created < 0 && errno == EEXIST) {                                                                 \
            int _replaced = tree_replace(&(entry)->layer->tree, (entry)->parent, (entry)->path);               \
            if (_replaced < 0)                                                                                 \
                return _replaced;                                                                              \
            _created = (call);                                                                                 \
        }                                                                                                      \
        (int)_created;                                                                                         \
    })

/* What an attribute really became is read back: lists that say no more than the mode are not kept, and change it. */
static int attributes_note(struct Entry *entry, int fd) {
    if (!attributes_brought(entry->header))
        return 0;
    struct stat st;
    const struct AttributeSource source = { .fd = fd, .name = entry->name };
    int r = fd >= 0 ? fstat(fd, &st) : fstatat(AT_FDCWD, entry->name, &st, AT_SYMLINK_NOFOLLOW);
    if (r < 0)
        return entry_failed(entry, "stat");
    entry->attributes.mode = st.st_mode & 07777;
    r = attributes_digest(&source, &entry->layer->content, &entry->attributes_digest);
    return r < 0 ? fault_system(entry->layer->fault, -r, "cannot read the attributes of %s", QUOTED(entry->path)) : 0;
}

static int fd_apply(struct Entry *entry, int fd) {
    struct Layer *layer = entry->layer;
    int r = attributes_apply_fd(&entry->attributes, fd, entry->path, &layer->tree.inherits, layer->fault);
    return r < 0 ? r : attributes_note(entry, fd);
}

/* A hole is not written, but its zeros count for the digest. */
static int hole_skip(struct Entry *entry, int fd, uint64_t length) {
    static const char zeros[64 * 1024];
    if (lseek(fd, (off_t)length, SEEK_CUR) < 0)
        return -errno;
    for (uint64_t left = length; left > 0;) {
        size_t size = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
        int r = digest_update(&entry->layer->content, zeros, size);
        if (r < 0)
            return r;
        left -= size;
    }
    return 0;
}

static int data_failed(const struct Entry *entry) {
    const char *text = archive_error_string(entry->archive);
    return fault_image(entry->layer->fault, "the archive is damaged in %s: %s", QUOTED(entry->path),
                         text ? text : "bad data");
}

static int data_copy(struct Entry *entry, int fd) {
    uint64_t at = 0;
    for (;;) {
        const void *bytes;
        size_t size;
        la_int64_t offset;
        int status = archive_read_data_block(entry->archive, &bytes, &size, &offset);
        if (status == ARCHIVE_EOF)
            break;
        if (status != ARCHIVE_OK || offset < 0 || (uint64_t)offset < at || (uint64_t)offset > entry->size ||
            size > entry->size - (uint64_t)offset)
            return data_failed(entry);
        int r = (uint64_t)offset > at ? hole_skip(entry, fd, (uint64_t)offset - at) : 0;
        if (r == 0)
            r = digest_update(&entry->layer->content, bytes, size);
        if (r == 0)
            r = io_write_all(fd, bytes, size);
        if (r < 0)
            return fault_system(entry->layer->fault, -r, "cannot write %s", QUOTED(entry->path));
        at = (uint64_t)offset + size;
    }
    if (at == entry->size)
        return 0;
    int r = hole_skip(entry, fd, entry->size - at);
    if (r == 0 && ftruncate(fd, (off_t)entry->size) < 0)
        r = -errno;
    return r < 0 ? fault_system(entry->layer->fault, -r, "cannot write %s", QUOTED(entry->path)) : 0;
}

static int file_extract(struct Entry *entry) {
    struct Layer *layer = entry->layer;
    entry->size = (uint64_t)archive_entry_size(entry->header);
    if (entry->size > layer->options->max_bytes - layer->bytes)
        return fault_image(layer->fault, "the archive's files have more than %" PRIu64 " bytes (at %s)",
                             layer->options->max_bytes, QUOTED(entry->path));
    layer->bytes += entry->size;
    _cleanup_fd_ int fd = CREATE(
        entry, openat(entry->parent, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd < 0)
        return entry_failed(entry, "create");
    int r = data_copy(entry, fd);
    if (r == 0)
        r = digest_finish(&layer->content, &entry->digest);
    return r < 0 ? r : fd_apply(entry, fd);
}

/* An ACI may describe a directory it implied before, but nothing twice. */
static int directory_reuse(struct Entry *entry, int fd, const struct stat *st) {
    struct Layer *layer = entry->layer;
    bool root = strcmp(entry->path, ".") == 0;
    if (!layer->tree.replaces && (root ? layer->root_seen : !tree_implied_take(&layer->tree, st->st_ino)))
        return fault_image(layer->fault, "%s is in the archive twice", QUOTED(entry->path));
    layer->root_seen = layer->root_seen || root;
    return attributes_clear(fd, entry->path, layer->fault);
}

/* Returns 1 if the directory was there before. */
static int directory_ensure(struct Entry *entry, struct stat *ret_st) {
    struct Tree *tree = &entry->layer->tree;
    if (mkdirat(entry->parent, entry->name, 0700) == 0) {
        tree->paths++;
        return 0;
    }
    if (errno != EEXIST)
        return entry_failed(entry, "create");
    if (fstatat(entry->parent, entry->name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_failed(entry, "stat");
    if (S_ISDIR(ret_st->st_mode))
        return 1;
    int r = tree_replace(tree, entry->parent, entry->path);
    if (r < 0)
        return r;
    if (mkdirat(entry->parent, entry->name, 0700) < 0)
        return entry_failed(entry, "create");
    tree->paths++;
    /* What it replaces hid the lower layers' directory of that name. */
    const struct ListLine line = { .type = 'o', .path = entry->path };
    r = list_write(&entry->layer->list, &line);
    return r < 0 ? fault_system(entry->layer->fault, -r, "cannot list %s", QUOTED(entry->path)) : 0;
}

static int directory_extract(struct Entry *entry) {
    struct stat st;
    int r = directory_ensure(entry, &st);
    if (r < 0)
        return r;
    _cleanup_fd_ int fd = openat(entry->parent, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return entry_failed(entry, "open");
    if (r > 0)
        r = directory_reuse(entry, fd, &st);
    return r < 0 ? r : fd_apply(entry, fd);
}

static int node_apply(struct Entry *entry) {
    struct Layer *layer = entry->layer;
    int r = attributes_apply_at(&entry->attributes, entry->parent, entry->path, &layer->tree.inherits, layer->fault);
    return r < 0 ? r : attributes_note(entry, -1);
}

static int symlink_extract(struct Entry *entry) {
    struct Layer *layer = entry->layer;
    const char *target = archive_entry_symlink(entry->header);
    size_t length = target ? strlen(target) : 0;
    if (length == 0 || length >= TREE_PATH_MAX)
        return fault_image(layer->fault, "the symbolic link %s has a target of %zu bytes", QUOTED(entry->path), length);
    if (CREATE(entry, symlinkat(target, entry->parent, entry->name)) < 0)
        return entry_failed(entry, "create");
    entry->size = length;
    int r = digest_update(&layer->content, target, length);
    if (r == 0)
        r = digest_finish(&layer->content, &entry->digest);
    return r < 0 ? r : node_apply(entry);
}

/* Where the kernel makes no devices for us (a user namespace, a unit with DevicePolicy=closed), they are left out
 * and counted: an app gets its /dev from its launch plan, never from its image. */
static int node_extract(struct Entry *entry) {
    struct Layer *layer = entry->layer;
    mode_t type = archive_entry_filetype(entry->header);
    dev_t device = type == AE_IFIFO ? 0 : archive_entry_rdev(entry->header);
    entry->size = device; /* a device has a number in the size's place */
    if (type == AE_IFCHR && device == makedev(0, 0))
        return fault_image(layer->fault, "%s is the character device 0:0, which would pass for a whiteout",
                             QUOTED(entry->path));
    int r = CREATE(entry, mknodat(entry->parent, entry->name, type | 0600, device));
    if (r < 0 && errno == EPERM && type != AE_IFIFO) {
        entry->skipped = true;
        return 0;
    }
    if (r < 0)
        return entry_failed(entry, "create");
    return node_apply(entry);
}

/* Resolves the target inside of this layer: a lower layer's file has no name here. Returns 0 with O_PATH
 * descriptors' worth of knowledge: the target's directory and last name exist and are no directory. */
static int link_resolve(struct Entry *entry, char *target, int *ret_directory) {
    struct Layer *layer = entry->layer;
    const char *raw = archive_entry_hardlink(entry->header);
    int r = path_clean(raw, "hard link target", target, layer->fault);
    if (r == 0 && layer->options->verb == VERB_ACI)
        r = aci_link(target, layer->fault);
    if (r < 0)
        return r;
    char directory[TREE_PATH_MAX + 1];
    path_parent(target, directory);
    _cleanup_fd_ int fd = tree_find(&layer->tree, directory, O_PATH | O_DIRECTORY);
    struct stat st;
    if (fd < 0 || fstatat(fd, path_name(target), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fault_image(layer->fault, "the hard link %s has the target %s, which is not in this layer",
                             QUOTED(entry->path), QUOTED(raw));
    if (S_ISDIR(st.st_mode))
        return fault_image(layer->fault, "the hard link %s has the directory %s as target", QUOTED(entry->path),
                             QUOTED(raw));
    *ret_directory = fd_take(&fd);
    return 0;
}

static int link_extract(struct Entry *entry) {
    _cleanup_fd_ int directory = -1;
    int r = link_resolve(entry, entry->target, &directory);
    entry->unchanged = r == 0 && strcmp(entry->target, entry->path) == 0;
    if (r < 0 || entry->unchanged)
        return r;
    if (CREATE(entry, linkat(directory, path_name(entry->target), entry->parent, entry->name, 0)) == 0)
        return 0;
    if (errno == ENOENT) /* it went away with what the link replaces */
        return fault_image(entry->layer->fault, "the hard link %s replaces its own target", QUOTED(entry->path));
    return entry_failed(entry, "link");
}

static int kind_extract(struct Entry *entry) {
    if (archive_entry_hardlink(entry->header))
        return link_extract(entry);
    switch (archive_entry_filetype(entry->header)) {
    case AE_IFREG:
        return file_extract(entry);
    case AE_IFDIR:
        return directory_extract(entry);
    case AE_IFLNK:
        return symlink_extract(entry);
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        return node_extract(entry);
    default:
        return fault_image(entry->layer->fault, "%s has an unknown type", QUOTED(entry->path));
    }
}

static int entry_create(struct Entry *entry) {
    bool directory = archive_entry_filetype(entry->header) == AE_IFDIR && !archive_entry_hardlink(entry->header);
    int r = kind_extract(entry);
    /* A directory counts itself: it may have been there. */
    if (r == 0 && !directory && !entry->skipped && !entry->unchanged)
        entry->layer->tree.paths++;
    return r;
}

static char entry_letter(struct archive_entry *header) {
    if (archive_entry_hardlink(header))
        return 'h';
    switch (archive_entry_filetype(header)) {
    case AE_IFREG:
        return 'f';
    case AE_IFDIR:
        return 'd';
    case AE_IFLNK:
        return 'l';
    case AE_IFCHR:
        return 'c';
    case AE_IFBLK:
        return 'b';
    default:
        return 'p';
    }
}

static int attributes_list(struct Entry *entry) {
    if (!*entry->attributes_digest.sha256)
        return 0;
    const struct ListLine line = { .type = 'x', .digest = entry->attributes_digest.sha256, .path = entry->path };
    return list_write(&entry->layer->list, &line);
}

static int entry_list(struct Entry *entry) {
    const struct ListLine line = {
        .type = entry->skipped ? 'n' : entry_letter(entry->header),
        .mode = entry->attributes.mode,
        .uid = entry->attributes.uid,
        .gid = entry->attributes.gid,
        .size = entry->size,
        .time = entry->attributes.time,
        .digest = *entry->digest.sha256 ? entry->digest.sha256 : NULL,
        .target = *entry->target ? entry->target : NULL,
        .path = entry->path,
    };
    int r = list_write(&entry->layer->list, &line);
    if (r == 0)
        r = attributes_list(entry);
    return r < 0 ? fault_system(entry->layer->fault, -r, "cannot list %s", QUOTED(entry->path)) : 0;
}

int entry_extract(struct Layer *layer, struct archive *archive, struct archive_entry *header, const char *path) {
    struct Entry entry = { .layer = layer, .archive = archive, .header = header, .path = path };
    entry.name = path_name(path);
    bool directory = archive_entry_filetype(header) == AE_IFDIR && !archive_entry_hardlink(header);
    if (strcmp(path, ".") == 0 && !directory)
        return fault_image(layer->fault, "the root of the archive is not a directory");
    int r = attributes_read(header, path, &entry.attributes, layer->fault);
    if (r == 0)
        r = tree_parent(&layer->tree, path, &entry.parent);
    if (r == 0)
        r = entry_create(&entry);
    if (r < 0 || entry.unchanged)
        return r;
    layer->skipped += entry.skipped;
    return entry_list(&entry);
}

#include "pack/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "pack/attributes.h"
#include "pack/holes.h"

#define BLOCK (256 * 1024)

struct Entry {
    struct Pack *pack;
    size_t layer;
    const char *path;
    struct stat st;
    struct archive_entry *header;
};

static void header_free(struct archive_entry **header) {
    archive_entry_free(*header);
}

static int entry_failed(const struct Entry *entry, int error, const char *doing) {
    return fault_system(entry->pack->fault, error, "cannot %s %s", doing, QUOTED(*entry->path ? entry->path : "."));
}

/* "./" for the root of a layer, "rootfs/" for an ACI's; a directory's name ends in a slash, as tar(1) has it. */
static void name_set(const struct Entry *entry) {
    char name[OVERLAY_PATH_MAX + 16];
    const char *prefix = *entry->path || *entry->pack->prefix ? entry->pack->prefix : ".";
    const char *slash = S_ISDIR(entry->st.st_mode) && (*entry->path || !*entry->pack->prefix) ? "/" : "";
    (void)snprintf(name, sizeof(name), "%s%s%s", prefix, entry->path, slash);
    archive_entry_copy_pathname(entry->header, name);
}

static int header_write(struct Entry *entry) {
    struct archive *archive = entry->pack->output.tar;
    if (archive_write_header(archive, entry->header) < ARCHIVE_WARN)
        return output_failed(&entry->pack->output, archive, *entry->path ? entry->path : ".");
    entry->pack->entries++;
    return 0;
}

static int data_write(struct Entry *entry, const void *bytes, size_t size) {
    struct archive *archive = entry->pack->output.tar;
    if (archive_write_data(archive, bytes, size) == (la_ssize_t)size)
        return 0;
    return output_failed(&entry->pack->output, archive, entry->path);
}

/* libarchive leaves out what the sparse map calls a hole, but wants to be given it. */
static int data_copy(struct Entry *entry, int fd) {
    _cleanup_free_ unsigned char *block = malloc(BLOCK);
    if (!block)
        return entry_failed(entry, ENOMEM, "read");
    for (uint64_t left = (uint64_t)entry->st.st_size; left > 0;) {
        ssize_t n = read(fd, block, left < BLOCK ? (size_t)left : BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return entry_failed(entry, errno, "read");
        if (n == 0)
            return fault_image(entry->pack->fault, "%s became shorter while it was read", QUOTED(entry->path));
        int r = data_write(entry, block, (size_t)n);
        if (r < 0)
            return r;
        left -= (uint64_t)n;
    }
    return 0;
}

static int file_pack(struct Entry *entry) {
    /* A name may have become a fifo meanwhile, which would be waited for. */
    _cleanup_fd_ int fd = overlay_open(&entry->pack->overlay, entry->layer, entry->path, O_RDONLY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return entry_failed(entry, fd < 0 ? -fd : errno, "open");
    if (!S_ISREG(st.st_mode))
        return fault_image(entry->pack->fault, "%s became another thing while it was read", QUOTED(entry->path));
    entry->st = st;
    attributes_stat(entry->header, &st, entry->pack->options);
    int r = attributes_of_fd(entry->header, fd, entry->path, entry->pack->fault);
    if (r < 0)
        return r;
    r = holes_describe(fd, (uint64_t)st.st_size, entry->header);
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return entry_failed(entry, r < 0 ? -r : errno, "read");
    entry->pack->bytes += (uint64_t)st.st_size;
    r = header_write(entry);
    return r < 0 ? r : data_copy(entry, fd);
}

static int directory_pack(struct Entry *entry) {
    _cleanup_fd_ int fd = overlay_open(&entry->pack->overlay, entry->layer, entry->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return entry_failed(entry, -fd, "open");
    int r = attributes_of_fd(entry->header, fd, *entry->path ? entry->path : ".", entry->pack->fault);
    return r < 0 ? r : header_write(entry);
}

/* The directory a path lies in, and its last component. */
static int parent_open(const struct Entry *entry, const char **ret_name) {
    const char *slash = strrchr(entry->path, '/');
    char parent[OVERLAY_PATH_MAX + 1];
    size_t length = slash ? (size_t)(slash - entry->path) : 0;
    memcpy(parent, entry->path, length);
    parent[length] = '\0';
    *ret_name = slash ? slash + 1 : entry->path;
    return overlay_open(&entry->pack->overlay, entry->layer, parent, O_RDONLY | O_DIRECTORY);
}

/* A symbolic link, device or fifo. */
static int node_pack(struct Entry *entry) {
    const char *name;
    _cleanup_fd_ int parent = parent_open(entry, &name);
    if (parent < 0)
        return entry_failed(entry, -parent, "open the directory of");
    if (S_ISLNK(entry->st.st_mode)) {
        char target[OVERLAY_PATH_MAX + 1];
        ssize_t n = readlinkat(parent, name, target, sizeof(target) - 1);
        if (n < 0)
            return entry_failed(entry, errno, "read the link");
        target[n] = '\0';
        archive_entry_copy_symlink(entry->header, target);
    }
    int r = attributes_of_name(entry->header, parent, name, entry->path, entry->pack->fault);
    return r < 0 ? r : header_write(entry);
}

/* Returns 1 if the file is in the archive already and only its name was added. */
static int link_pack(struct Entry *entry) {
    if (S_ISDIR(entry->st.st_mode) || entry->st.st_nlink < 2)
        return 0;
    const char *first;
    int r = links_meet(&entry->pack->links, entry->layer, &entry->st, entry->path, &first);
    if (r < 0)
        return entry_failed(entry, -r, "remember");
    if (!first)
        return 0;
    char target[OVERLAY_PATH_MAX + 16];
    (void)snprintf(target, sizeof(target), "%s%s", entry->pack->prefix, first);
    archive_entry_copy_hardlink(entry->header, target);
    archive_entry_unset_size(entry->header);
    r = header_write(entry);
    return r < 0 ? r : 1;
}

static int kind_pack(struct Entry *entry) {
    int r = link_pack(entry);
    if (r != 0)
        return r < 0 ? r : 0;
    if (S_ISREG(entry->st.st_mode))
        return file_pack(entry);
    return S_ISDIR(entry->st.st_mode) ? directory_pack(entry) : node_pack(entry);
}

int entry_pack(struct Pack *pack, size_t layer, const char *path) {
    struct Entry entry = { .pack = pack, .layer = layer, .path = path };
    _cleanup_fd_ int fd = overlay_open(&pack->overlay, layer, path, O_PATH);
    if (fd < 0 || fstat(fd, &entry.st) < 0)
        return entry_failed(&entry, fd < 0 ? -fd : errno, "stat");
    if (S_ISSOCK(entry.st.st_mode)) {
        pack->skipped++;
        return 0;
    }
    cleanup(header_free) struct archive_entry *header = entry.header = archive_entry_new();
    if (!header)
        return entry_failed(&entry, ENOMEM, "pack");
    attributes_stat(header, &entry.st, pack->options);
    name_set(&entry);
    return kind_pack(&entry);
}

static int bytes_pack(struct Pack *pack, const char *path, mode_t mode, const char *bytes, size_t size) {
    struct Entry entry = { .pack = pack, .path = path };
    cleanup(header_free) struct archive_entry *header = entry.header = archive_entry_new();
    if (!header)
        return entry_failed(&entry, ENOMEM, "pack");
    archive_entry_copy_pathname(header, path);
    archive_entry_set_mode(header, S_IFREG | mode);
    archive_entry_set_size(header, (la_int64_t)size);
    archive_entry_set_mtime(header, 0, 0);
    int r = header_write(&entry);
    return r < 0 || size == 0 ? r : data_write(&entry, bytes, size);
}

int entry_whiteout(struct Pack *pack, const char *directory, const char *name) {
    char path[OVERLAY_PATH_MAX + 16];
    int n = snprintf(path, sizeof(path), "%s%s.wh.%s", directory, *directory ? "/" : "", *name ? name : ".wh..opq");
    if (n < 0 || (size_t)n >= sizeof(path))
        return fault_image(pack->fault, "the path of the whiteout of %s is too long", QUOTED(name));
    return bytes_pack(pack, path, 0, "", 0);
}

int entry_manifest(struct Pack *pack, const char *bytes, size_t size) {
    return bytes_pack(pack, "manifest", 0644, bytes, size);
}

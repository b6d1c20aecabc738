#include "pack/attributes.h"

#include <archive.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/cleanup.h"

/* XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h. */
#define NAMES_MAX 65536
#define VALUE_MAX 65536

/* libarchive writes -3 s and 0.75 s as "-3.75", which is another time: a quarter after two seconds before is -2.25. */
static void time_set(struct archive_entry *entry, struct timespec time) {
    if (time.tv_sec < -1 && time.tv_nsec > 0) {
        time.tv_sec++;
        time.tv_nsec = 1000000000 - time.tv_nsec;
    } else if (time.tv_sec == -1)
        time.tv_nsec = 0; /* "-0.5" cannot be had from it: the second is all that is kept */
    archive_entry_set_mtime(entry, time.tv_sec, time.tv_nsec);
}

void attributes_stat(struct archive_entry *entry, const struct stat *st, const struct PackOptions *options) {
    archive_entry_set_mode(entry, st->st_mode);
    archive_entry_set_uid(entry, options->owner_given ? options->uid : st->st_uid);
    archive_entry_set_gid(entry, options->owner_given ? options->gid : st->st_gid);
    time_set(entry, st->st_mtim);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        archive_entry_set_rdev(entry, st->st_rdev);
    archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
}

/* Where attributes are read: at a descriptor, or at a name in the working directory. */
struct Source {
    int fd;
    const char *name;
};

static ssize_t names_read(const struct Source *source, char *names) {
    ssize_t n = source->fd >= 0 ? flistxattr(source->fd, names, NAMES_MAX) : llistxattr(source->name, names, NAMES_MAX);
    return n < 0 ? -errno : n;
}

static ssize_t value_read(const struct Source *source, const char *name, void *value) {
    ssize_t n = source->fd >= 0 ? fgetxattr(source->fd, name, value, VALUE_MAX)
                                : lgetxattr(source->name, name, value, VALUE_MAX);
    return n < 0 ? -errno : n;
}

static int tag_convert(unsigned tag) {
    switch (tag) {
    case ACL_USER_OBJ:
        return ARCHIVE_ENTRY_ACL_USER_OBJ;
    case ACL_USER:
        return ARCHIVE_ENTRY_ACL_USER;
    case ACL_GROUP_OBJ:
        return ARCHIVE_ENTRY_ACL_GROUP_OBJ;
    case ACL_GROUP:
        return ARCHIVE_ENTRY_ACL_GROUP;
    case ACL_MASK:
        return ARCHIVE_ENTRY_ACL_MASK;
    default:
        return ARCHIVE_ENTRY_ACL_OTHER;
    }
}

/* The owning group's permissions, which the mode of stat(2) has not where a list has a mask, become the entry's. */
static int list_add(struct archive_entry *entry, int type, const unsigned char *value, size_t size) {
    struct posix_acl_xattr_entry item;
    for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(item) <= size; at += sizeof(item)) {
        memcpy(&item, value + at, sizeof(item));
        bool named = item.e_tag == ACL_USER || item.e_tag == ACL_GROUP;
        int status = archive_entry_acl_add_entry(entry, type, item.e_perm, tag_convert(item.e_tag),
                                                 named ? (int)item.e_id : -1, NULL);
        if (status < ARCHIVE_WARN)
            return -ENOMEM;
    }
    return 0;
}

/* docs/packer.md: what the unpacker keeps is all a layer has; a directory of the host may have more. */
static int attribute_add(struct archive_entry *entry, const char *name, const unsigned char *value, size_t size) {
    if (strcmp(name, "system.posix_acl_access") == 0)
        return list_add(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value, size);
    if (strcmp(name, "system.posix_acl_default") == 0)
        return list_add(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value, size);
    archive_entry_xattr_add_entry(entry, name, value, size);
    return 0;
}

static bool attribute_kept(const char *name) {
    if (strncmp(name, "user.", 5) == 0)
        return strncmp(name, "user.overlay.", 13) != 0;
    return strcmp(name, "security.capability") == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
           strcmp(name, "system.posix_acl_default") == 0;
}

static int name_compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* File systems tell names in an order of their own. */
static size_t names_sort(const char *names, size_t size, const char **ret_sorted) {
    size_t count = 0;
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (attribute_kept(name))
            ret_sorted[count++] = name;
    qsort(ret_sorted, count, sizeof(*ret_sorted), name_compare);
    return count;
}

static int attributes_read(struct archive_entry *entry, const struct Source *source) {
    _cleanup_free_ char *names = malloc(NAMES_MAX);
    if (!names)
        return -ENOMEM;
    ssize_t size = names_read(source, names);
    if (size <= 0)
        return size == -EOPNOTSUPP ? 0 : (int)size;
    _cleanup_free_ const char **sorted = calloc((size_t)size, sizeof(*sorted));
    _cleanup_free_ unsigned char *value = malloc(VALUE_MAX);
    if (!sorted || !value)
        return -ENOMEM;
    size_t count = names_sort(names, (size_t)size, sorted);
    for (size_t i = 0; i < count; i++) {
        ssize_t n = value_read(source, sorted[i], value);
        int r = n < 0 ? (int)n : attribute_add(entry, sorted[i], value, (size_t)n);
        if (r < 0)
            return r;
    }
    return 0;
}

int attributes_of_fd(struct archive_entry *entry, int fd, const char *path, struct Fault *fault) {
    const struct Source source = { .fd = fd };
    int r = attributes_read(entry, &source);
    return r < 0 ? fault_system(fault, -r, "cannot read the attributes of %s", QUOTED(path)) : 0;
}

int attributes_of_name(struct archive_entry *entry, int parent, const char *name, const char *path,
                       struct Fault *fault) {
    const struct Source source = { .fd = -1, .name = name };
    int r = fchdir(parent) < 0 ? -errno : attributes_read(entry, &source);
    return r < 0 ? fault_system(fault, -r, "cannot read the attributes of %s", QUOTED(path)) : 0;
}

#include "pack/attributes.h"

#include <archive.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "layer/attribute.h"

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
static int attribute_add(void *context, const char *name, const unsigned char *value, size_t size) {
    struct archive_entry *entry = context;
    if (strcmp(name, "system.posix_acl_access") == 0)
        return list_add(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value, size);
    if (strcmp(name, "system.posix_acl_default") == 0)
        return list_add(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value, size);
    archive_entry_xattr_add_entry(entry, name, value, size);
    return 0;
}

int attributes_of_fd(struct archive_entry *entry, int fd, const char *path, struct Fault *fault) {
    const struct AttributeSource source = { .fd = fd };
    int r = attributes_visit(&source, attribute_add, entry);
    return r < 0 ? fault_system(fault, -r, "cannot read the attributes of %s", QUOTED(path)) : 0;
}

int attributes_of_name(struct archive_entry *entry, int parent, const char *name, const char *path,
                       struct Fault *fault) {
    const struct AttributeSource source = { .fd = -1, .name = name };
    int r = fchdir(parent) < 0 ? -errno : attributes_visit(&source, attribute_add, entry);
    return r < 0 ? fault_system(fault, -r, "cannot read the attributes of %s", QUOTED(path)) : 0;
}

#include "unpack/acl.h"

#include <archive.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "basic/cleanup.h"

/* As many as 64 KiB of attribute hold (XATTR_SIZE_MAX); the kernel takes no more. */
#define ACL_ENTRIES_MAX 8191

struct Acl {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[];
};

/* One entry of a list as libarchive hands it out. */
struct Item {
    int type, permissions, tag, id;
    const char *name;
};

static bool item_next(struct archive_entry *entry, int wanted, struct Item *ret_item) {
    return archive_entry_acl_next(entry, wanted, &ret_item->type, &ret_item->permissions, &ret_item->tag,
                                  &ret_item->id, &ret_item->name) == ARCHIVE_OK;
}

mode_t acl_mask(struct archive_entry *entry, mode_t mode) {
    struct Item item;
    archive_entry_acl_reset(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS);
    while (item_next(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &item))
        if (item.tag == ARCHIVE_ENTRY_ACL_MASK)
            mode = (mode & ~(mode_t)070) | ((mode_t)item.permissions & 7) << 3;
    return mode;
}

static uint16_t tag_convert(int tag) {
    switch (tag) {
    case ARCHIVE_ENTRY_ACL_USER_OBJ:
        return ACL_USER_OBJ;
    case ARCHIVE_ENTRY_ACL_USER:
        return ACL_USER;
    case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
        return ACL_GROUP_OBJ;
    case ARCHIVE_ENTRY_ACL_GROUP:
        return ACL_GROUP;
    case ARCHIVE_ENTRY_ACL_MASK:
        return ACL_MASK;
    default:
        return ACL_OTHER;
    }
}

static int acl_fill(struct archive_entry *entry, int type, const char *path, struct Acl *acl, size_t *ret_count,
                    struct Fault *fault) {
    size_t count = 0;
    for (struct Item item; item_next(entry, type, &item); count++) {
        bool named = item.tag == ARCHIVE_ENTRY_ACL_USER || item.tag == ARCHIVE_ENTRY_ACL_GROUP;
        if (named && item.id < 0) /* names mean nothing outside of the system that wrote them */
            return fault_image(fault, "%s has an access control list that names %s without a number", QUOTED(path),
                               QUOTED(item.name ? item.name : ""));
        if (count == ACL_ENTRIES_MAX)
            return fault_image(fault, "%s has an access control list that is too long", QUOTED(path));
        acl->entries[count] = (struct posix_acl_xattr_entry){
            .e_tag = tag_convert(item.tag),
            .e_perm = (uint16_t)(item.permissions & 7),
            .e_id = named ? (uint32_t)item.id : (uint32_t)ACL_UNDEFINED_ID,
        };
    }
    *ret_count = count;
    return 0;
}

/* The kernel wants the tags in this order (posix_acl_valid()). */
static int item_compare(const void *a, const void *b) {
    const struct posix_acl_xattr_entry *left = a, *right = b;
    if (left->e_tag != right->e_tag)
        return left->e_tag < right->e_tag ? -1 : 1;
    return left->e_id < right->e_id ? -1 : left->e_id > right->e_id;
}

int acl_read(struct archive_entry *entry, int type, const char *path, void **ret_value, size_t *ret_size,
             struct Fault *fault) {
    if (archive_entry_acl_reset(entry, type) == 0)
        return 0;
    _cleanup_free_ struct Acl *acl = malloc(sizeof(*acl) + ACL_ENTRIES_MAX * sizeof(*acl->entries));
    if (!acl)
        return fault_system(fault, ENOMEM, "cannot set the access control list of %s", QUOTED(path));
    size_t count;
    int r = acl_fill(entry, type, path, acl, &count, fault);
    if (r < 0 || count == 0)
        return r;
    acl->header.a_version = POSIX_ACL_XATTR_VERSION;
    qsort(acl->entries, count, sizeof(*acl->entries), item_compare);
    *ret_size = sizeof(*acl) + count * sizeof(*acl->entries);
    *ret_value = take_pointer(acl);
    return 1;
}

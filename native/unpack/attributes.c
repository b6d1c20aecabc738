#include "unpack/attributes.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "layer/attribute.h"
#include "unpack/acl.h"
#include "unpack/tree.h"

/* XATTR_LIST_MAX of linux/limits.h: the longest list of names the kernel tells. */
#define XATTR_LIST_MAX_BYTES 65536

static int id_check(int64_t id, const char *what, const char *path, struct Fault *fault) {
    if (id >= 0 && id < UINT32_MAX) /* the last one means "unchanged" to chown(2) */
        return 0;
    return fault_image(fault, "%s has the %s %" PRId64, QUOTED(path), what, id);
}

/* libarchive (3.6 to 3.8, pax_time()) reads "-2.25" as second -2 and 0.25 seconds more; it is a quarter before. */
static struct timespec time_read(struct archive_entry *entry) {
    struct timespec time = { .tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry) };
    if (time.tv_sec < 0 && time.tv_nsec > 0) {
        time.tv_sec--;
        time.tv_nsec = 1000000000 - time.tv_nsec;
    }
    return time;
}

int attributes_read(struct archive_entry *entry, const char *path, struct Attributes *ret_attributes,
                    struct Fault *fault) {
    int r = id_check(archive_entry_uid(entry), "owner", path, fault);
    if (r == 0)
        r = id_check(archive_entry_gid(entry), "group", path, fault);
    if (r < 0)
        return r;
    *ret_attributes = (struct Attributes){
        .entry = entry,
        .mode = acl_mask(entry, archive_entry_perm(entry) & 07777),
        .uid = (uid_t)archive_entry_uid(entry),
        .gid = (gid_t)archive_entry_gid(entry),
        .time = time_read(entry),
    };
    return 0;
}

/* Where attributes are set: at a descriptor, or at a name in the working directory. */
struct Target {
    int fd; /* negative: `name` counts */
    const char *name;
    const char *path; /* for sentences */
};

static int target_set(const struct Target *target, const char *attribute, const void *value, size_t size) {
    int r = target->fd >= 0 ? fsetxattr(target->fd, attribute, value, size, 0)
                            : lsetxattr(target->name, attribute, value, size, 0);
    return r < 0 ? -errno : 0;
}

/* An attribute larger than the file system holds is ENOSPC on ext4, as is a full disk. */
static bool disk_full(const struct Target *target) {
    struct statvfs st;
    int r = target->fd >= 0 ? fstatvfs(target->fd, &st) : statvfs(".", &st);
    return r < 0 || st.f_bfree < 16;
}

static int set_failed(const struct Target *target, int error, const char *attribute, struct Fault *fault) {
    bool too_large = error == E2BIG || error == ERANGE || (error == ENOSPC && !disk_full(target));
    /* The kernel keeps no user.* on links and devices and checks the form of lists and capabilities. */
    bool misplaced = error == EINVAL || (error == EPERM && target->fd < 0);
    if (too_large || misplaced)
        return fault_image(fault, "%s has the attribute %s, which cannot be set: %s", QUOTED(target->path),
                             QUOTED(attribute), too_large ? "it is too large" : strerror(error));
    return fault_system(fault, error, "cannot set the attribute %s of %s", QUOTED(attribute), QUOTED(target->path));
}

static int xattrs_set(const struct Target *target, struct archive_entry *entry, struct Fault *fault) {
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (!name || !attribute_kept(name))
            continue;
        int r = target_set(target, name, value, size);
        if (r < 0)
            return set_failed(target, -r, name, fault);
    }
    return 0;
}

static int acl_set(const struct Target *target, struct archive_entry *entry, int type, const char *attribute,
                   struct Fault *fault) {
    _cleanup_free_ void *value = NULL;
    size_t size;
    int r = acl_read(entry, type, target->path, &value, &size, fault);
    if (r <= 0)
        return r;
    r = target_set(target, attribute, value, size);
    return r < 0 ? set_failed(target, -r, attribute, fault) : 0;
}

/* A default list of a directory is handed on to whatever is created in it, which the archive did not ask for. */
static void inherited_remove(const struct Target *target) {
    static const char *const lists[] = { "system.posix_acl_access", "system.posix_acl_default" };
    for (size_t i = 0; i < 2; i++)
        (void)(target->fd >= 0 ? fremovexattr(target->fd, lists[i]) : lremovexattr(target->name, lists[i]));
}

void attributes_disinherit(int fd) {
    const struct Target target = { .fd = fd };
    inherited_remove(&target);
}

static bool default_brought(struct archive_entry *entry) {
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
        if (name && strcmp(name, "system.posix_acl_default") == 0)
            return true;
    return archive_entry_acl_reset(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT) > 0;
}

static int lists_set(const struct Target *target, struct archive_entry *entry, bool *inherits, struct Fault *fault) {
    int r = acl_set(target, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", fault);
    if (r == 0)
        r = acl_set(target, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", fault);
    if (r == 0)
        r = xattrs_set(target, entry, fault);
    *inherits = *inherits || default_brought(entry);
    return r;
}

int attributes_apply_fd(const struct Attributes *attributes, int fd, const char *path, bool *inherits,
                        struct Fault *fault) {
    const struct Target target = { .fd = fd, .path = path };
    const struct timespec times[2] = { attributes->time, attributes->time };
    if (*inherits)
        inherited_remove(&target);
    /* Changing the owner clears set-id bits and capabilities: it comes first (chown(2)). */
    if (fchown(fd, attributes->uid, attributes->gid) < 0)
        return fault_system(fault, errno, "cannot set the owner of %s", QUOTED(path));
    if (fchmod(fd, attributes->mode) < 0)
        return fault_system(fault, errno, "cannot set the mode of %s", QUOTED(path));
    int r = lists_set(&target, attributes->entry, inherits, fault);
    if (r < 0)
        return r;
    return futimens(fd, times) < 0 ? fault_system(fault, errno, "cannot set the times of %s", QUOTED(path)) : 0;
}

int attributes_apply_at(const struct Attributes *attributes, int parent, const char *path, bool *inherits,
                        struct Fault *fault) {
    const struct Target target = { .fd = -1, .name = path_name(path), .path = path };
    const struct timespec times[2] = { attributes->time, attributes->time };
    bool link = archive_entry_filetype(attributes->entry) == AE_IFLNK;
    if (fchdir(parent) < 0)
        return fault_system(fault, errno, "cannot enter the directory of %s", QUOTED(path));
    if (*inherits && !link)
        inherited_remove(&target);
    if (lchown(target.name, attributes->uid, attributes->gid) < 0)
        return fault_system(fault, errno, "cannot set the owner of %s", QUOTED(path));
    if (!link && chmod(target.name, attributes->mode) < 0)
        return fault_system(fault, errno, "cannot set the mode of %s", QUOTED(path));
    int r = link ? xattrs_set(&target, attributes->entry, fault)
                 : lists_set(&target, attributes->entry, inherits, fault);
    if (r < 0)
        return r;
    if (utimensat(AT_FDCWD, target.name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fault_system(fault, errno, "cannot set the times of %s", QUOTED(path));
    return 0;
}

int attributes_clear(int fd, const char *path, struct Fault *fault) {
    _cleanup_free_ char *names = malloc(XATTR_LIST_MAX_BYTES);
    if (!names)
        return fault_system(fault, ENOMEM, "cannot clear the attributes of %s", QUOTED(path));
    ssize_t size = flistxattr(fd, names, XATTR_LIST_MAX_BYTES);
    if (size < 0)
        return errno == EOPNOTSUPP ? 0 : fault_system(fault, errno, "cannot list the attributes of %s", QUOTED(path));
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (attribute_kept(name) && fremovexattr(fd, name) < 0)
            return fault_system(fault, errno, "cannot clear the attributes of %s", QUOTED(path));
    return 0;
}

bool attributes_brought(struct archive_entry *entry) {
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
        if (name && attribute_kept(name))
            return true;
    return archive_entry_acl_reset(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS | ARCHIVE_ENTRY_ACL_TYPE_DEFAULT) > 0;
}

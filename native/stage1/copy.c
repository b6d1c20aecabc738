#include "stage1/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/directory.h"
#include "basic/kernel.h"
#include "basic/notify.h"
#include "basic/text.h"

/* How much is copied between two requests for more time; a file counts as some bytes of its own. */
#define WORK_PER_EXTENSION (UINT64_C(64) << 20)
#define WORK_PER_FILE 4096
#define PIECE_MAX (8 << 20)

typedef struct Copy {
    const Launch *launch;
    int target;          /* where the copy begins */
    void *links;         /* tsearch(3): files that have more than one name */
    uint64_t work;       /* since systemd was asked for more time */
    bool data;
    size_t length;
    char path[PATH_MAX]; /* of what is being copied, below both roots */
} Copy;

typedef struct Link {
    dev_t device;
    ino_t inode;
    char path[];
} Link;

static int directory_copy(Copy *copy, int parent, const char *name, int to);

/* However much an image has there, the start must not run into the unit's timeout while it comes along. */
static void work_done(Copy *copy, uint64_t amount) {
    copy->work += amount;
    if (copy->work < WORK_PER_EXTENSION)
        return;
    copy->work = 0;
    (void)notify_send(copy->launch->notify, "EXTEND_TIMEOUT_USEC=90000000");
}

static int link_compare(const void *a, const void *b) {
    const Link *left = a, *right = b;
    if (left->device != right->device)
        return left->device < right->device ? -1 : 1;
    return left->inode < right->inode ? -1 : left->inode > right->inode;
}

/* The name under which a file was copied before, NULL the first time. */
static int link_meet(Copy *copy, const struct stat *status, const char **ret_first) {
    *ret_first = NULL;
    if (status->st_nlink < 2)
        return 0;
    Link *link = malloc(sizeof *link + copy->length + 1);
    if (!link)
        return -ENOMEM;
    link->device = status->st_dev;
    link->inode = status->st_ino;
    memcpy(link->path, copy->path, copy->length + 1);
    Link **slot = tsearch(link, &copy->links, link_compare);
    if (slot && *slot != link)
        *ret_first = (*slot)->path;
    if (!slot || *slot != link)
        free(link);
    return slot ? 0 : -ENOMEM;
}

static int data_copy(Copy *copy, int from, int to, off_t at, off_t end) {
    if (lseek(to, at, SEEK_SET) < 0)
        return -errno;
    while (at < end) {
        ssize_t n = sendfile(to, from, &at, end - at < PIECE_MAX ? (size_t)(end - at) : PIECE_MAX);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        work_done(copy, (uint64_t)n);
    }
    copy->data = true;
    return 0;
}

static int content_copy(Copy *copy, int from, int to, off_t size) {
    for (off_t at = 0; at < size;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* nothing but a hole is left */
        off_t hole = data < 0 ? data : lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        int r = data_copy(copy, from, to, data, hole < size ? hole : size);
        if (r < 0)
            return r;
        at = hole;
    }
    return ftruncate(to, size) < 0 ? -errno : 0;
}

/* The rest speaks to the host's security modules. */
static bool attribute_is_copied(const char *name) {
    return text_starts_with(name, "user.") || text_starts_with(name, "system.posix_acl_") ||
           strcmp(name, "security.capability") == 0;
}

static int attributes_copy(int from, int to) {
    char few[1024];
    _cleanup_free_ char *names = NULL, *value = NULL;
    ssize_t size = flistxattr(from, few, sizeof few);
    if (size == 0 || (size < 0 && errno == EOPNOTSUPP))
        return 0;
    names = malloc(XATTR_LIST_MAX);
    value = malloc(XATTR_SIZE_MAX);
    if (!names || !value)
        return -ENOMEM;
    size = flistxattr(from, names, XATTR_LIST_MAX);
    for (const char *name = names; name < names + size; name += strlen(name) + 1) {
        if (!attribute_is_copied(name))
            continue;
        ssize_t length = fgetxattr(from, name, value, XATTR_SIZE_MAX);
        if (length < 0 || fsetxattr(to, name, value, (size_t)length, 0) < 0)
            return -errno;
    }
    return size < 0 ? -errno : 0;
}

/* The owner first: a change of it takes the set-id bits and the file's capabilities away. */
static int facts_copy(int from, int to, const struct stat *status) {
    const struct timespec times[2] = { status->st_atim, status->st_mtim };
    if (fchown(to, status->st_uid, status->st_gid) < 0 || fchmod(to, status->st_mode & 07777) < 0)
        return -errno;
    int r = attributes_copy(from, to);
    if (r < 0)
        return r;
    return futimens(to, times) < 0 ? -errno : 0;
}

static int file_copy(Copy *copy, int from, int to, const char *name) {
    struct stat status;
    _cleanup_fd_ int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (source < 0 || fstat(source, &status) < 0)
        return -errno;
    _cleanup_fd_ int copied = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (copied < 0)
        return -errno;
    int r = content_copy(copy, source, copied, status.st_size);
    return r < 0 ? r : facts_copy(source, copied, &status);
}

static int subdirectory_copy(Copy *copy, int from, int to, const char *name) {
    if (mkdirat(to, name, 0700) < 0)
        return -errno;
    _cleanup_fd_ int copied = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return copied < 0 ? -errno : directory_copy(copy, from, name, copied);
}

static int symlink_copy(int from, int to, const char *name) {
    char target[PATH_MAX];
    ssize_t length = readlinkat(from, name, target, sizeof target - 1);
    if (length < 0)
        return -errno;
    target[length] = 0;
    return symlinkat(target, to, name) < 0 ? -errno : 0;
}

/* For what has no descriptor to set its facts by. */
static int named_facts_copy(int to, const char *name, const struct stat *status) {
    const struct timespec times[2] = { status->st_atim, status->st_mtim };
    if (fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!S_ISLNK(status->st_mode) && fchmodat(to, name, status->st_mode & 07777, 0) < 0))
        return -errno;
    return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int entry_make(Copy *copy, int from, int to, const char *name, const struct stat *status) {
    int r;
    switch (status->st_mode & S_IFMT) {
    case S_IFDIR:
        return subdirectory_copy(copy, from, to, name);
    case S_IFREG:
        return file_copy(copy, from, to, name);
    case S_IFLNK:
        r = symlink_copy(from, to, name);
        break;
    case S_IFIFO:
        r = mkfifoat(to, name, 0600) < 0 ? -errno : 0;
        break;
    default:
        return 0; /* a device would be dead on a volume, which is always nodev */
    }
    return r < 0 ? r : named_facts_copy(to, name, status);
}

static int entry_copy(Copy *copy, int from, int to, const char *name) {
    struct stat status;
    const char *first = NULL;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    int r = S_ISDIR(status.st_mode) ? 0 : link_meet(copy, &status, &first);
    if (r < 0)
        return r;
    work_done(copy, WORK_PER_FILE);
    if (first)
        return linkat(copy->target, first, to, name, 0) < 0 ? -errno : 0;
    return entry_make(copy, from, to, name, &status);
}

/* The path stays at what failed. */
static int named_copy(Copy *copy, int from, int to, const char *name) {
    size_t before = copy->length, size = strlen(name);
    if (before + size + 2 > sizeof copy->path)
        return -ENAMETOOLONG;
    if (before > 0)
        copy->path[copy->length++] = '/';
    memcpy(copy->path + copy->length, name, size + 1);
    copy->length += size;
    int r = entry_copy(copy, from, to, name);
    if (r >= 0)
        copy->path[copy->length = before] = 0;
    return r;
}

/* A directory's own facts come last: what is made in it would change its time, and inherit its default list. */
static int directory_copy(Copy *copy, int parent, const char *name, int to) {
    _cleanup_dir_ DIR *directory = NULL;
    const struct dirent *item;
    struct stat status;
    int r = directory_open(parent, name, &directory);
    if (r < 0)
        return r;
    while ((item = directory_next(directory))) {
        r = named_copy(copy, dirfd(directory), to, item->d_name);
        if (r < 0)
            return r;
    }
    if (errno || fstat(dirfd(directory), &status) < 0)
        return -errno;
    return facts_copy(dirfd(directory), to, &status);
}

int tree_copy(const Launch *launch, int from, int to, const char *shown, bool *ret_data, Failure *failure) {
    Copy copy = { .launch = launch, .target = to };
    int r = directory_copy(&copy, from, ".", to);
    tdestroy(copy.links, free);
    *ret_data = copy.data;
    if (r >= 0)
        return 0;
    return failure_set(failure, 0, -r, "copy of %s%s%s", shown, copy.length ? "/" : "", copy.path);
}

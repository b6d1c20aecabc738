#include "confine/database.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/path.h"
#include "basic/text.h"

enum { DATABASE_SIZE_MAX = 4 << 20, GROUPS_MAX = 65536, FIELDS = 7 };

int database_read(int root_fd, const char *path, Database *ret) {
    /* NONBLOCK: the image may have put a FIFO there. */
    _cleanup_fd_ int fd =
        path_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd == -ENOENT || fd == -ENOTDIR) {
        *ret = (Database){ 0 };
        return 0;
    }
    struct stat status;
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EBADF;
    return io_read_all(fd, DATABASE_SIZE_MAX, &ret->text, &ret->size);
}

void database_done(Database *database) {
    free(database->text);
    *database = (Database){ 0 };
}

/* Cuts the part before `separator` off *rest; false at the end. */
static bool slice_next(Slice *rest, char separator, Slice *ret) {
    if (!rest->text)
        return false;
    const char *end = rest->length ? memchr(rest->text, separator, rest->length) : NULL;
    if (!end) {
        *ret = *rest;
        *rest = (Slice){ 0 };
        return true;
    }
    *ret = (Slice){ rest->text, (size_t)(end - rest->text) };
    *rest = (Slice){ end + 1, rest->length - ret->length - 1 };
    return true;
}

static bool slice_equal(Slice a, Slice b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.text, b.text, a.length) == 0);
}

static bool slice_number(Slice slice, uint32_t *ret) {
    char text[16];
    uint64_t number;
    if (slice.length >= sizeof text)
        return false;
    memcpy(text, slice.text, slice.length);
    text[slice.length] = 0;
    if (text_to_number(text, UINT32_MAX - 1, &number) < 0)
        return false;
    *ret = (uint32_t)number;
    return true;
}

static size_t line_split(Slice line, Slice fields[FIELDS]) {
    size_t count = 0;
    while (count < FIELDS && slice_next(&line, ':', &fields[count]))
        count++;
    return count;
}

static Slice slice_of(const char *text) {
    return (Slice){ text, strlen(text) };
}

bool database_find_user(const Database *database, const char *name, uid_t uid, UserEntry *ret) {
    Slice rest = { database->text, database->size }, line, fields[FIELDS];
    while (slice_next(&rest, '\n', &line)) {
        UserEntry entry;
        size_t count = line_split(line, fields);
        /* name:password:uid:gid:gecos:home:shell, passwd(5); Docker takes lines that end early, too. */
        if (count < 4 || fields[0].length == 0 || !slice_number(fields[2], &entry.uid) ||
            !slice_number(fields[3], &entry.gid))
            continue;
        entry.name = fields[0];
        entry.home = count > 5 ? fields[5] : (Slice){ 0 };
        if (name ? slice_equal(entry.name, slice_of(name)) : entry.uid == uid) {
            *ret = entry;
            return true;
        }
    }
    return false;
}

static bool group_parse(Slice line, GroupEntry *ret) {
    Slice fields[FIELDS];
    size_t count = line_split(line, fields);
    /* name:password:gid:members, group(5) */
    if (count < 3 || fields[0].length == 0 || !slice_number(fields[2], &ret->gid))
        return false;
    ret->name = fields[0];
    ret->members = count > 3 ? fields[3] : (Slice){ 0 };
    return true;
}

bool database_find_group(const Database *database, const char *name, GroupEntry *ret) {
    Slice rest = { database->text, database->size }, line;
    while (slice_next(&rest, '\n', &line)) {
        GroupEntry entry;
        if (group_parse(line, &entry) && slice_equal(entry.name, slice_of(name))) {
            *ret = entry;
            return true;
        }
    }
    return false;
}

static bool members_hold(Slice members, Slice user) {
    Slice member;
    while (slice_next(&members, ',', &member))
        if (slice_equal(member, user))
            return true;
    return false;
}

int database_collect_groups(const Database *database, Slice user, gid_t **groups, size_t *n_groups) {
    Slice rest = { database->text, database->size }, line;
    while (slice_next(&rest, '\n', &line)) {
        GroupEntry entry;
        if (!group_parse(line, &entry) || !members_hold(entry.members, user))
            continue;
        if (*n_groups >= GROUPS_MAX)
            return -E2BIG;
        gid_t *longer = realloc(*groups, (*n_groups + 1) * sizeof *longer);
        if (!longer)
            return -ENOMEM;
        longer[(*n_groups)++] = entry.gid;
        *groups = longer;
    }
    return 0;
}

#include "audit/attribute.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static const char *type_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "symbolic link";
    case S_IFCHR:
        return "character device";
    case S_IFBLK:
        return "block device";
    case S_IFIFO:
        return "fifo";
    default:
        return "socket";
    }
}

static mode_t type_mode(char type) {
    static const char letters[] = "fdlcbpw";
    static const mode_t modes[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFCHR };
    return modes[strchr(letters, type) - letters];
}

static void numbers_compare(struct Audit *audit, const char *what, const char *path, uint64_t expected,
                            uint64_t found, bool octal) {
    char left[32], right[32];
    if (expected == found)
        return;
    (void)snprintf(left, sizeof(left), octal ? "%" PRIo64 : "%" PRIu64, expected);
    (void)snprintf(right, sizeof(right), octal ? "%" PRIo64 : "%" PRIu64, found);
    finding_add(audit->findings, what, path, left, right);
}

static void owner_compare(struct Audit *audit, const char *path, const struct ListLine *line, const struct stat *st) {
    char left[32], right[32];
    if (line->uid == st->st_uid && line->gid == st->st_gid)
        return;
    (void)snprintf(left, sizeof(left), "%u:%u", line->uid, line->gid);
    (void)snprintf(right, sizeof(right), "%u:%u", st->st_uid, st->st_gid);
    finding_add(audit->findings, "owner", path, left, right);
}

/* The first and last seconds that file systems keep: what is beyond was clamped when it was set (Linux's s_time_min and
 * s_time_max: ext4, XFS, and 32 bits). */
static bool time_clamped(struct timespec expected, struct timespec found) {
    if (expected.tv_sec < found.tv_sec)
        return found.tv_sec == INT32_MIN;
    return found.tv_sec == INT32_MAX || found.tv_sec == INT64_C(0x37fffffff) || found.tv_sec == INT64_C(16299260424);
}

static void time_compare(struct Audit *audit, const char *path, const struct ListLine *line, const struct stat *st) {
    struct timespec left = line->time, right = st->st_mtim;
    char expected[48], found[48];
    if ((left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec) || time_clamped(left, right))
        return;
    (void)snprintf(expected, sizeof(expected), "%jd.%09ld", (intmax_t)left.tv_sec, left.tv_nsec);
    (void)snprintf(found, sizeof(found), "%jd.%09ld", (intmax_t)right.tv_sec, right.tv_nsec);
    finding_add(audit->findings, "time", path, expected, found);
}

bool stat_compare(struct Audit *audit, const char *path, const struct ListLine *line, const struct stat *st) {
    mode_t wanted = type_mode(line->type);
    if ((st->st_mode & S_IFMT) != wanted) {
        finding_add(audit->findings, "type", path, type_name(wanted), type_name(st->st_mode));
        return false;
    }
    if (line->type == 'w') { /* the kernel looks at nothing else of a whiteout */
        numbers_compare(audit, "device", path, makedev(0, 0), st->st_rdev, false);
        return true;
    }
    if (line->type == 'c' || line->type == 'b')
        numbers_compare(audit, "device", path, line->size, st->st_rdev, false);
    if (line->type != 'l') /* Linux has no modes for links */
        numbers_compare(audit, "mode", path, line->mode, st->st_mode & 07777, true);
    owner_compare(audit, path, line, st);
    time_compare(audit, path, line, st);
    return true;
}

int attributes_compare(struct Audit *audit, const char *path, const char *wanted,
                       const struct AttributeSource *source, struct DigestStream *stream) {
    struct DigestValues values;
    int r = attributes_digest(source, stream, &values);
    if (r < 0)
        return r;
    const char *found = r > 0 ? values.sha256 : NULL;
    if (wanted ? found && strcmp(wanted, found) == 0 : !found)
        return 0;
    finding_add(audit->findings, "attributes", path, wanted ? wanted : "none", found ? found : "none");
    return 0;
}

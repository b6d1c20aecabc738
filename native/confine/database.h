/* /etc/passwd and /etc/group of an image. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A part of the file's text, not terminated. */
typedef struct Slice {
    const char *text;
    size_t length;
} Slice;

/* A whole file; missing is empty. The image wrote it, so nothing of it is trusted. */
typedef struct Database {
    char *text;
    size_t size;
} Database;

typedef struct UserEntry {
    Slice name, home;
    uid_t uid;
    gid_t gid;
} UserEntry;

typedef struct GroupEntry {
    Slice name, members; /* comma-separated */
    gid_t gid;
} GroupEntry;

/* `path` is below `root_fd` and cannot leave it. -EFBIG above 4 MiB, -EBADF if it is no regular file. */
int database_read(int root_fd, const char *path, Database *ret);
void database_done(Database *database);

/* The first entry wins. Malformed lines are skipped, as libc does. A user is found by number if `name` is NULL. */
bool database_find_user(const Database *database, const char *name, uid_t uid, UserEntry *ret);
bool database_find_group(const Database *database, const char *name, GroupEntry *ret);

/* Appends the groups that list the user as a member; *groups is realloc'ed. -E2BIG beyond 65536 (NGROUPS_MAX). */
int database_collect_groups(const Database *database, Slice user, gid_t **groups, size_t *n_groups);

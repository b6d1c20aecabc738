#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"

/* One line per limit in the order of their numbers, behind a heading; columns as fs/proc/base.c formats them. */
#define LIMITS_FILE_MAX 8192
#define COLUMN_SOFT 26U
#define COLUMN_HARD 47U

static int limit_parse(const char *text, rlim_t *ret);

int limits_read(pid_t pid, struct rlimit ret[static RLIM_NLIMITS]) {
    char path[64];
    _cleanup_free_ char *text = NULL;
    (void)snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    int r = file_read(AT_FDCWD, path, LIMITS_FILE_MAX, &text, NULL);
    if (r < 0)
        return r;
    char *save = NULL, *line = strtok_r(text, "\n", &save);
    for (unsigned resource = 0; resource < RLIM_NLIMITS; resource++) {
        line = strtok_r(NULL, "\n", &save);
        if (!line || strlen(line) <= COLUMN_HARD || limit_parse(line + COLUMN_SOFT, &ret[resource].rlim_cur) < 0 ||
            limit_parse(line + COLUMN_HARD, &ret[resource].rlim_max) < 0)
            return -EBADMSG;
    }
    return 0;
}

int limits_set(const struct rlimit limits[static RLIM_NLIMITS]) {
    for (unsigned resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit = limits[resource], own;
        if (setrlimit((__rlimit_resource_t)resource, &limit) == 0)
            continue;
        if (errno != EPERM || getrlimit((__rlimit_resource_t)resource, &own) < 0)
            return -errno;
        limit.rlim_max = own.rlim_max;
        limit.rlim_cur = limit.rlim_cur < own.rlim_max ? limit.rlim_cur : own.rlim_max;
        if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
            return -errno;
    }
    return 0;
}

static int limit_parse(const char *text, rlim_t *ret) {
    char *end;
    if (strncmp(text, "unlimited", strlen("unlimited")) == 0) {
        *ret = RLIM_INFINITY;
        return 0;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text)
        return -EBADMSG;
    *ret = value;
    return 0;
}

/* Who an app runs as: names and numbers resolved in its own root, never with the host's NSS. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "plan/plan.h"

typedef struct Credentials {
    uid_t uid;     /* as the app sees it */
    gid_t gid;
    gid_t *groups; /* supplementary */
    size_t n_groups;
    char *home;    /* from the passwd entry, else "/" */
} Credentials;

/* Fails with 217 USER or 216 GROUP, naming the user or group. */
int credentials_resolve(const LaunchPlan *plan, int root_fd, Credentials *ret, Failure *failure);
void credentials_done(Credentials *credentials);

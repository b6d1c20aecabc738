/* What the kernel lets an app's process do: applied by stage1 to the app and, identically, by `gantry exec` to a
 * process that joins it.
 *
 *   keyring_join(), oom_score_set()   in a process that only launches: children inherit both
 *   confinement_prepare()             outside, as real root: finds the user in the image, compiles the filter
 *   ... fork, join or build the namespaces, pivot ...
 *   confinement_enter()               in the process: limits, user namespace, ids, capabilities, directory, signals
 *   confinement_seal()                in the process, the last thing before program_execute(): the filter
 *
 * All failures carry systemd's exit status (217 USER, 205 LIMITS, ...). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "confine/credentials.h"
#include "confine/filter.h"
#include "plan/plan.h"

typedef struct Confinement {
    const ProcessPlan *process;
    Credentials credentials;
    SeccompFilter filter;
    const char *cwd; /* process->cwd; the caller may replace it */
    int userns_fd;   /* the pod's user namespace, -1 for none; the caller's to close */
} Confinement;

/* Resolves the user below `root_fd` (the app's root) and makes the filter. `userns_fd` may be -1. */
int confinement_prepare(const LaunchPlan *plan, int root_fd, int userns_fd, Confinement *ret, Failure *failure);

/* Everything but the filter, in the order that is safe: limits while still host root, then the user namespace,
 * groups, gid, bounding set, no-new-privileges, uid, capabilities, umask, directory, signals. Without
 * no-new-privileges CAP_SYS_ADMIN stays until the execve, since installing the filter needs it. */
int confinement_enter(const Confinement *confinement, Failure *failure);

/* Installs the filter. After it only execve, write and exit_group are needed. */
int confinement_seal(const Confinement *confinement, Failure *failure);

void confinement_done(Confinement *confinement);

/* A session keyring of its own, so that the app cannot see the host root's keys. 237 KEYRING. */
int keyring_join(Failure *failure);

/* Sets /proc/self/oom_score_adj if the plan has one. 206 OOM_ADJUST. */
int oom_score_set(const ProcessPlan *process, Failure *failure);

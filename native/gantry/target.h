/* A running app as exec needs it: its main process, pinned, and where its control groups are. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "plan/plan.h"

#define HIERARCHIES_MAX 32U

typedef struct Target {
    pid_t pid; /* as the host sees it */
    int pidfd;
    int root;    /* the app's root */
    int userns;  /* -1 in a pod without one */
    int unified; /* directory of its cgroup2, -1 where only v1 hierarchies exist */
    int procs[HIERARCHIES_MAX]; /* cgroup.procs of its v1 control groups, where they are not the caller's */
    size_t n_procs;
    struct rlimit limits[RLIM_NLIMITS];
} Target;

/*
 * Finds the app's main process through its `started` fact and makes sure that it is still one of the unit's.
 * -ESRCH with a sentence if the app does not run.
 */
int target_find(const LaunchPlan *plan, const char *unit, Target *ret, Failure *failure);
void target_done(Target *target);

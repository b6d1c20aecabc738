/* What the files of the sandbox share: the launcher clones pid 1 of the pod, which becomes the relay and the reaper. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "plan/plan.h"

/* What pid 1 of the pod is given by the launcher. */
typedef struct Init {
    const SandboxPlan *plan;
    int listener; /* the pod's socket */
    int report;   /* a Failure goes here: status 0 when the sandbox stands */
    uid_t owner;  /* host root as seen from the pod's user namespace */
    bool hold;    /* apps wait until a client has attached */
} Init;

/* namespaces.c: the namespaces of the plan as CLONE_NEW flags. */
uint64_t namespaces_flags(const SandboxPlan *plan);

/* Gives the pod's first process its id range; by the launcher, which is root of the host. */
int namespaces_map(pid_t pid, const UsernsPlan *userns, Failure *failure);

/* Inside: become root of the user namespace, bring lo up, set the host name. */
int namespaces_enter(const SandboxPlan *plan, Failure *failure);

/* root.c: leaves the host's file system for an empty read-only one. */
int root_empty(Failure *failure);

/* privileges.c: keeps only what signalling and journaling in an app's name need. */
int privileges_drop(Failure *failure);

/* init.c: pid 1 of the pod; never returns. */
_Noreturn void init_main(const Init *init);

/* What the files of this folder share. */
#pragma once

#include "basic/failure.h"
#include "plan/plan.h"

/* kinds.c: the namespaces of the plan as CLONE_NEW flags. */
uint64_t namespaces_flags(const SandboxPlan *plan);

/* Gives the pod's first process its id range; by the launcher, which is root of the host. */
int namespaces_map(pid_t pid, const UsernsPlan *userns, Failure *failure);

/* Inside: become root of the user namespace, bring lo up, set the host name. */
int namespaces_enter(const SandboxPlan *plan, Failure *failure);

/* root.c: leaves the host's file system for an empty read-only one. */
int root_empty(Failure *failure);

/* Another process's resource limits. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

/*
 * Reads all limits of `pid` from /proc: prlimit(2) of another user's process takes CAP_SYS_RESOURCE. Indexed by RLIMIT_.
 */
int limits_read(pid_t pid, struct rlimit ret[static RLIM_NLIMITS]);

/* Takes them over, as far as this process may: a hard limit above its own needs CAP_SYS_RESOURCE. */
int limits_set(const struct rlimit limits[static RLIM_NLIMITS]);

/* Capability sets of the calling process, capabilities(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/failure.h"
#include "plan/plan.h"

/* Drops from the bounding set what `mask` does not hold. */
int capability_bound(uint64_t mask, Failure *failure);

/* Sets effective, permitted, inheritable and ambient. `privileged` leaves CAP_SYS_ADMIN effective beside them: an
 * execve computes the app's sets from the bounding, inheritable and ambient ones alone, so it ends there. */
int capability_set(const CapabilityPlan *sets, bool privileged, Failure *failure);

/* Makes every permitted capability effective again; returns 0 or -errno. */
int capability_raise(void);

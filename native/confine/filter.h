/* The system call filter as the kernel takes it. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>

#include "basic/failure.h"
#include "plan/plan.h"

typedef struct SeccompFilter {
    struct sock_filter *instructions; /* NULL: no filter */
    unsigned short count;
} SeccompFilter;

/* Makes the default profile for the plan's capabilities, or has gantry-filter compile the plan's own. 228 SECCOMP. */
int seccomp_filter_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure);

/* Needs no-new-privileges or CAP_SYS_ADMIN in the process's user namespace. */
int seccomp_filter_install(const SeccompFilter *filter, Failure *failure);

void seccomp_filter_done(SeccompFilter *filter);

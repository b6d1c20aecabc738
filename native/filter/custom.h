/* A plan's own filter (OCI runtime specification, "Seccomp"). */
#pragma once

#include <seccomp.h>

#include "basic/failure.h"
#include "plan/plan.h"

/* 228 SECCOMP, naming the key. A call that libseccomp does not know is skipped in a rule that allows it, and an error
 * in one that forbids it. */
int custom_build(const SeccompPlan *plan, scmp_filter_ctx *ret, Failure *failure);

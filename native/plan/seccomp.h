/* `linux.seccomp`. */
#pragma once

#include "plan/reader.h"

/* A SeccompPlan *. */
int read_seccomp(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

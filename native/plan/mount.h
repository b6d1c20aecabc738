/* The members of `mounts`. */
#pragma once

#include "plan/reader.h"

/* A MountPlan. */
int read_mount(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

/* `process`. */
#pragma once

#include "plan/reader.h"

/* A ProcessPlan. */
int read_process(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

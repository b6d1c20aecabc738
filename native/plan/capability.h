/* Capability names. */
#pragma once

#include "plan/reader.h"

/* Makes a mask (uint64_t) of an array of names. Unknown and repeated names are errors. */
int read_capabilities(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

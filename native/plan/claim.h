/* The name of a pod, `names/<name>` (docs/on-disk-format.md). */
#pragma once

#include <stdbool.h>

/* Is it a pod's name? An instance of the template is what somebody typed; an ACName is no path. */
bool claim_name_valid(const char *name);

/* The directory of the pod that claims a name below the state directory. -ENOENT if none does: a claim is a symbolic link
 * to ../pods/<uuid>, and anything else in its place is none. */
int claim_read(const char *state, const char *name, char **ret_directory);

/* The name of a pod, `names/<name>` (docs/on-disk-format.md). */
#pragma once

/* The directory of the pod that claims a name below the state directory. -ENOENT if none does: a claim is a symbolic link
 * to ../pods/<uuid>, and anything else in its place is none. */
int claim_read(const char *state, const char *name, char **ret_directory);

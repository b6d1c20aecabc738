/* A tree of files once more, somewhere else. */
#pragma once

#include "stage1/launch.h"

/* Copies what is in the directory `from` into the empty directory `to`, with owners, modes, times, extended attributes, hard links
 * and holes, and at last the directory's own. `shown` is how a failure calls it. Returns whether files with data were among it. */
int tree_copy(const Launch *launch, int from, int to, const char *shown, bool *ret_data, Failure *failure);

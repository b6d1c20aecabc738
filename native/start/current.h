/* The pod that an installed pod's definition stands for. */
#pragma once

/* Its directory (caller frees). -ESTALE: it has to be prepared anew, or its images judged again. */
int pod_current(const char *name, char **ret_directory);

/* The pod that an installed pod's definition stands for. */
#pragma once

/*
 * Finds its directory (caller frees). With another definition than the pod was prepared from, the pod is prepared anew
 * first; with other keys or rules than its images were judged by, they are judged again. Returns 0, -errno, or the
 * positive exit status of the TypeScript half, which has said why.
 */
int current_pod(const char *name, char **ret_directory);

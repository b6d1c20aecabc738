/* Prepared pods on disk (docs/on-disk-format.md). */
#pragma once

#include <stddef.h>

#define STATE_DIRECTORY "/var/lib/gantry"

/*
 * Finds the one pod a name or the beginning of a UUID means. *ret_directory is the pod's (caller frees). -ENOENT: no
 * such pod, -ENOTUNIQ: several UUIDs begin so.
 */
int pod_find(const char *state, const char *what, char **ret_directory);

/* The names of the pod's apps, sorted; freed with pod_apps_free(). */
int pod_apps(const char *directory, char ***ret_names, size_t *ret_count);
void pod_apps_free(char **names, size_t count);

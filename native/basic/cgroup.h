/* Control groups as systemd's map from processes to units: the unified hierarchy if that is what /sys/fs/cgroup is,
 * else the one named systemd, which exists in the hybrid and the v1 layout and mirrors the other. */
#pragma once

#include <sys/types.h>

/* The process's path in systemd's hierarchy, such as "/gantry.slice/gantry-web.slice/gantry-web.service".
 * `pid` 0 is the caller. -ESRCH if there is no such process. */
int cgroup_of(pid_t pid, char **ret_path);

/* The unit's name: the last component of that path. */
int cgroup_unit(const char *path, char **ret_unit);

/* "<parent of path>/<unit>": a unit of the same slice. */
int cgroup_sibling(const char *path, const char *unit, char **ret_path);

/* Opens the directory of a path, O_PATH. */
int cgroup_open(const char *path, int *ret_fd);

/* Pins a process that is pid 1 of a namespace below the caller's and belongs to the unit at `path`. Membership is checked
 * again after the pin, so a recycled pid is never returned. -ESRCH if it is no such process. */
int cgroup_pin_init(const char *path, pid_t pid, int *ret_pidfd);

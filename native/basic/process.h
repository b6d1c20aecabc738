/* Processes beyond what glibc wraps. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* clone3(2) as fork() with flags: returns 0 in the child, the pid in the parent, or -errno. With CLONE_PARENT
 * `exit_signal` must be 0 (SIGCHLD is EINVAL since Linux 5.6). */
pid_t process_clone(uint64_t flags, int exit_signal);

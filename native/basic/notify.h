/* sd_notify(3), without libsystemd: a socket connected once stays usable after pivot_root. */
#pragma once

#include "basic/failure.h"

/* How long PID 1 may take, at the boot of a slow machine or in a daemon-reload with thousands of units. */
enum { NOTIFY_BARRIER_MS = 30000 };

/* Connects to $NOTIFY_SOCKET and removes it from the environment, so that no child inherits it.
 * -ENOENT if the variable is absent, -EINVAL if it names no socket. */
int notify_connect(int *ret_fd);

/* Sends one datagram of newline-separated assignments. */
int notify_send(int fd, const char *text);

/* Sends `STATUS=<step>: <text>` and `ERRNO=`. */
int notify_failure(int fd, const Failure *failure);

/* Asks for a barrier: *ret_fd hangs up once systemd has processed everything sent before. */
int notify_barrier_open(int fd, int *ret_fd);

/* Waits for that; -ETIMEDOUT after `timeout_ms`. */
int notify_barrier_await(int barrier, int timeout_ms);

/* Both: returns once systemd has processed everything sent before; -ETIMEDOUT after `timeout_ms`. */
int notify_barrier(int fd, int timeout_ms);

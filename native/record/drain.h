/* Taking an app's last output from the sandbox, which can't journal it in a process's name that is gone. */
#pragma once

/*
 * Asks the sandbox at `socket` for what the app's pipes still hold and writes it to `out` and `err` (the app unit's
 * journal streams). Returns 0, -ETIMEDOUT if the sandbox says nothing for 5 s, or -errno.
 */
int drain_app(const char *socket, const char *app, int out, int err);

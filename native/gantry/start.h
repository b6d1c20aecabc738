/* What gantry@.service runs to start an installed pod. */
#pragma once

/*
 * Makes the pod's sandbox, starts its apps, and ends when all of them are ready and systemd knows the sandbox as the
 * unit's main process. Returns the exit status; anything but 0 fails the unit's start. Prints.
 */
int installed_start(const char *name);

/* The program's own file, out of reach of a process that is real root in an app. */
#pragma once

/*
 * Makes sure that /proc/self/exe is on a read-only mount: executes this program again from one if it is not, with `name` as
 * its argv[0]. An app without user namespace could open /proc/<pid>/exe of a process that still runs this program and write
 * to it (CVE-2019-5736); from such a mount, that is EROFS. Returns 0 when it is there, -errno if that can't be done.
 */
int executable_protect(const char *name, char **argv);

/* The program's own file, out of reach of a process that is real root in an app. */
#pragma once

/*
 * Makes sure that /proc/self/exe is on a read-only mount (CVE-2019-5736): executes this program again from one if it is
 * not. Returns 0 when it is, -errno if that can't be done.
 */
int readonly_reexecute(char **argv);

/* `gantry exec`, alias `enter`. */
#pragma once

/*
 * `state` is the state directory; `arguments` what follows the verb. Returns the exit status: the command's, 2 usage,
 * 3 not running, 4 no such pod or app, 6 not root, 125 own failure, 126 and 127 as shells do.
 */
int exec_verb(const char *state, char **arguments, char **argv);

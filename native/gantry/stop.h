/* `gantry stop POD…` without a decision to make: every pod is there and runs. */
#pragma once

/* stop_verb() has done nothing: the TypeScript half knows more words, callers and reasons. */
#define STOP_NOT_HERE (-1)

/*
 * Stops all the pods at once and waits; `state` is the state directory, `pods` what follows the verb. Prints what the
 * TypeScript half prints. Returns the exit status, or STOP_NOT_HERE for an option, a caller who is not root, or a pod
 * that is not there or does not run.
 */
int stop_verb(const char *state, char **pods);

/* Stops the apps of an installed pod and waits; its sandbox stays. 0 or -errno. */
int stop_apps(const char *directory);

/* The TypeScript half: the same command line, run by Node. */
#pragma once

#include <sys/types.h>

/* Replaces this process. Returns only on failure, -errno; -ENOENT: there is no Node. */
int node_execute(char **arguments);

/* The same for the agent, which takes no arguments. */
int node_execute_agent(void);

/* The same for a worker, gantry-fetcher or gantry-verifier; -ESRCH for any other name. */
int node_execute_worker(const char *program, char **arguments);

/*
 * Starts the TypeScript half with the write end of a pipe as fd 3 and reads what it writes there, up to a newline or
 * the end. *ret_line (caller frees) has no newline and may be empty.
 */
int node_ask(char **arguments, pid_t *ret_pid, char **ret_line, size_t *ret_size);

/* Waits for it; returns its exit status as shells tell it, 128 + n for a signal. */
int node_wait(pid_t pid);

/* The same for one that ordered nothing: when a signal ended it, nobody has told yet, and it is Gantry's own failure. */
int node_finish(pid_t pid);

/* Prints why node_execute() or node_ask() failed. */
void node_complain(int error);

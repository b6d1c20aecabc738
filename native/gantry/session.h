/* The caller's side of an exec: its streams, its terminal, its signals. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

typedef struct Session {
    int child[3];  /* what the command gets as 0, 1 and 2 */
    int master;    /* of the command's pty, -1 without one */
    int input;     /* write end towards the command's stdin, -1: it reads ours or nothing */
    int output[2]; /* read ends of its stdout and stderr, -1: it writes to ours */
} Session;

/*
 * Decides the command's streams. With `terminal` (a pty's slave, else -1; `master` its other end) all three are it.
 * Without, files and pipes of the caller are handed on, but never the caller's terminal: a process could push input
 * into it (TIOCSTI). `interactive`: stdin is the caller's, else it is at its end.
 */
int session_open(int master, int terminal, bool interactive, Session *ret);

/* The command has its streams: closes its ends here. */
void session_started(Session *session);

/* Relays until the command ends. Returns its status as shells tell it. */
int session_run(Session *session, pid_t pid);
void session_done(Session *session);

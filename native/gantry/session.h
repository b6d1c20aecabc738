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

typedef struct SessionOptions {
    int master;       /* a pty's master, -1 without one */
    int terminal;     /* its slave */
    bool interactive; /* stdin is the caller's, else it is at its end */
    bool shared_ids;  /* the app's root is the host's */
} SessionOptions;

/*
 * Decides the command's streams. With a terminal all three are it. Without, files and pipes of the caller are handed
 * on if that gives the app nothing but them (not with `shared_ids`), and never the caller's terminal: a process could
 * push input into it (TIOCSTI). What is not handed on is copied.
 */
int session_open(const SessionOptions *options, Session *ret);

/* The command has its streams: closes its ends here. */
void session_started(Session *session);

/* Relays until the command ends. Returns its status as shells tell it. */
int session_run(Session *session, pid_t pid);
void session_done(Session *session);

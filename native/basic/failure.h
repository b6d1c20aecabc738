/* What went wrong, said where the object is known, carried to the edge that reports it and exits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* systemd's exit statuses (systemd.exec(5), "Process Exit Codes"), the only ones stage1 and the sandbox use. */
enum {
    EXIT_STATUS_CONFIG = 78,
    EXIT_STATUS_CHDIR = 200,
    EXIT_STATUS_EXEC = 203,
    EXIT_STATUS_LIMITS = 205,
    EXIT_STATUS_OOM_ADJUST = 206,
    EXIT_STATUS_STDOUT = 209,
    EXIT_STATUS_GROUP = 216,
    EXIT_STATUS_USER = 217,
    EXIT_STATUS_CAPABILITIES = 218,
    EXIT_STATUS_CGROUP = 219,
    EXIT_STATUS_NAMESPACE = 226,
    EXIT_STATUS_NO_NEW_PRIVILEGES = 227,
    EXIT_STATUS_SECCOMP = 228,
    EXIT_STATUS_KEYRING = 237,
};

/* Plain memory, so that one process can send it to another over a pipe. */
typedef struct Failure {
    int status;      /* exit status; 0 lets the caller's default stand */
    int error;       /* positive errno, 0 if no system call failed */
    char step[32];   /* the step that failed; filled by whoever runs steps */
    char text[1024]; /* names the object and the reason; printable, NUL-terminated */
} Failure;

/* Records a failed system call: text becomes "<object>: <strerror(error)>". The object is a printf format.
 * Returns -error, so that callers can write `return failure_set(...)`. */
int failure_set(Failure *failure, int status, int error, const char *object, ...)
    __attribute__((format(printf, 4, 5)));

/* Records a complete sentence of the caller's own; returns -error. */
int failure_say(Failure *failure, int status, int error, const char *sentence, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Between who makes a pod's namespaces and gantry-init, which becomes their pid 1. It is a program of its own because it
 * stays for as long as the pod, and only what it is made of stays in memory.
 *
 *   gantry-init OWNER GRACE HOLD
 *
 * OWNER is host root's id as seen from the pod's user namespace, GRACE the seconds between TERM and KILL for what is left
 * at the end, HOLD is "hold" when apps wait until a client has attached, else "go".
 */
#pragma once

enum {
    INIT_LISTENER_FD = 0, /* the pod's socket, listening */
    INIT_REPORT_FD = 1,   /* one InitReport is written here, and it is closed */
};
enum { INIT_BACKLOG = 64 };

typedef enum InitStep {
    INIT_STANDS,
    INIT_ARGUMENTS,
    INIT_DESCRIPTORS,
    INIT_CAPABILITIES,
    INIT_NO_NEW_PRIVILEGES,
    INIT_FILTER,
} InitStep;

typedef struct InitReport {
    InitStep step; /* the one that failed */
    int error;     /* positive errno */
} InitReport;

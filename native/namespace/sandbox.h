/* A pod's sandbox on its way up: the pod's namespaces, its socket, and the process that holds both. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "plan/plan.h"

typedef struct Sandbox {
    SandboxPlan *plan;
    int listener; /* the pod's socket: who connects before pid 1 of the pod is there waits for it */
    pid_t pid;    /* that process, once it stands */
} Sandbox;

/*
 * Reads the sandbox plan, checks that the pod's images are still trusted, and binds the socket, whose directory systemd
 * has made. Close with sandbox_close(), whatever this returns.
 */
int sandbox_open(const char *plan_path, Sandbox *ret, Failure *failure);

/*
 * Makes the namespaces and their pid 1, a child of this process's parent, and returns when it stands. `hold`: no app's
 * output begins before a client has attached.
 */
int sandbox_start(Sandbox *sandbox, bool hold, Failure *failure);

void sandbox_close(Sandbox *sandbox);

/* A process that joins a running app as stage1 confined the app itself. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "confine/confine.h"
#include "plan/plan.h"
#include "target.h"

typedef struct Enter {
    const LaunchPlan *plan;
    const Target *target;
    const Confinement *confinement;
    const TextList *command;
    const char *term; /* "TERM=…", NULL without a terminal */
    int stdio[3];     /* become 0, 1 and 2 */
    bool terminal;    /* stdio[0] is a pty: becomes the controlling terminal */
} Enter;

/*
 * Starts the command. On success *ret_pid is a child of the caller and has executed it. A failure's status is systemd's
 * (203 EXEC, 217 USER, ...), its error the errno.
 */
int enter_start(const Enter *enter, pid_t *ret_pid, Failure *failure);

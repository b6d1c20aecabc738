/* An app's `exit` fact as gantry-record wrote it (docs/launch-plan.md, "Exit facts"). */
#pragma once

#include <stdint.h>

#include "plan/units.h"

typedef struct Ending {
    int status;    /* as shells tell it: 128 + n for a signal, 125 when no process ever ran */
    uint64_t time; /* realtime, microseconds */
} Ending;

/* Reads `<status directory>/exit`; -ENOENT if the app has not ended. */
int ending_read(const char *directory, Ending *ret);

/* Of apps that systemd calls failed, the one that failed first tells the pod's status, which is never 0. */
typedef struct FirstFailure {
    const UnitSetApp *app; /* NULL: none has failed */
    Ending ending;
} FirstFailure;

/* Leaves a sentence for the installed pod's gantry-record, which tells it when the pod's unit has failed. */
void failure_leave(const char *pod, const char *sentence);

/* Makes `app` the first failure if it failed before the one known so far. */
void first_failure_add(FirstFailure *first, const UnitSetApp *app);

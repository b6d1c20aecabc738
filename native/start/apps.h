/* An installed pod's apps: one StartTransientUnit call, until every app is ready or has failed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/ending.h"
#include "plan/units.h"
#include "systemd.h"

typedef enum JobPhase { JOB_WAITS, JOB_DONE, JOB_FAILED } JobPhase;

typedef struct Apps {
    const char *pod; /* its name */
    const UnitSet *set;
    Systemd *systemd;
    char *job;             /* path of the slice's start job, once there is one; "" if its start went unheard */
    JobPhase *jobs;        /* [0] the slice's, [1 + n] app n's */
    size_t waiting;        /* jobs */
    bool failed;
    bool undoing;
    uint64_t begin;        /* realtime, microseconds: an app's end after this is of this start */
    uint32_t call;         /* serial */
    int stop;              /* what becomes readable when they are to stop, or -1 */
    bool repeated;         /* the call: systemd may have heard it when it came first */
} Apps;

/* Sends the call. Undone with apps_done(), whatever this returns. */
int apps_call(Apps *apps);

/* 0: every app is ready. Else all is stopped again, and what failed has been printed: -ECHILD. */
int apps_await(Apps *apps);

/* Stops what has been asked for. */
void apps_undo(Apps *apps);

/* How many apps have ended since, and how. */
typedef struct Ended {
    FirstFailure first;
    size_t failed;
    size_t all;
    size_t leaving; /* systemd has not made up its mind: it waits for the recorder */
} Ended;
int apps_count(Apps *apps, Ended *ret);

void apps_done(Apps *apps);

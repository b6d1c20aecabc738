/* Starting prepared pods: one StartTransientUnit call each, many in flight, until every app is ready or has failed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "manager.h"
#include "order.h"
#include "units.h"

typedef enum PodPhase {
    POD_QUEUED,   /* not yet asked for */
    POD_CALLED,   /* the call is in flight */
    POD_STARTING, /* jobs run */
    POD_UP,       /* every app is ready */
    POD_UNDOING,  /* something failed: the rest is being stopped */
    POD_FAILED,
} PodPhase;

typedef enum JobPhase { JOB_WAITS, JOB_DONE, JOB_FAILED } JobPhase;

typedef struct Launch Launch;
typedef struct Foreground Foreground;

typedef struct PodLaunch {
    Launch *launch;
    const OrderPod *pod;
    UnitSet set;
    PodPhase phase;
    JobPhase *jobs; /* [0] the pod's unit, [1 + n] app n */
    char *job;      /* path of its unit's job: the start, "" if that ended unseen; then the stop that undoes it */
    unsigned retries;
    bool repeated;  /* the call, which systemd may have heard when it came first */
    bool unwanted;  /* it is to stop, even if systemd does not know it yet */
    int status;     /* what a foreground run ends with when this pod failed: 125, 126, 127; 0: as its apps ended */
} PodLaunch;

struct Launch {
    const LaunchOrder *order;
    sd_bus *bus;
    sd_event *event;
    PodLaunch *pods;
    size_t n_pods;
    size_t next;      /* the first pod not yet asked for */
    size_t in_flight;
    size_t settled;   /* pods that are up or failed */
    JobMatch match;
    Foreground *foreground; /* NULL when detached */
};

/* Does what the order says. Returns the exit status: 0, 1, or in the foreground the apps'. Prints. */
int launch_run(const LaunchOrder *order);

/* Calls for pods that were not yet asked for, as many as may be in flight. */
void launch_fill(Launch *launch);

/* Once no job is left the pod is up, or what is there is undone. */
void pod_settle(PodLaunch *pod);
void pod_undo(PodLaunch *pod);
void pod_done(PodLaunch *pod, PodPhase phase);

/* Forgets the failed units of a PodLaunch. Fails only when the connection is lost: what is not there needs no reset. */
int units_reset(sd_bus *bus, void *pod);

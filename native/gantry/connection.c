#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "basic/cleanup.h"
#include "call.h"
#include "foreground.h"

#define LOCAL "org.freedesktop.DBus.Local"
#define LOCAL_PATH "/org/freedesktop/DBus/Local"

static int connection_set_up(Launch *launch);
static int connection_lost(sd_bus_message *message, void *userdata, sd_bus_error *error);
static int connection_renew(Launch *launch);
static void start_catch_up(PodLaunch *pod);
static void job_catch_up(PodLaunch *pod, const char *unit, char **job);
static void end_catch_up(PodLaunch *pod);

int connection_open(Launch *launch) {
    int r = manager_connect(&launch->bus);
    return r < 0 ? r : connection_set_up(launch);
}

static int connection_set_up(Launch *launch) {
    sd_bus *bus = launch->bus;
    int r = sd_bus_set_close_on_exit(bus, 0); /* the loop's end is not yet the last call's */
    if (r >= 0)
        r = sd_bus_attach_event(bus, launch->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_match_signal(bus, NULL, LOCAL, LOCAL_PATH, LOCAL, "Disconnected", connection_lost, launch);
    if (r >= 0)
        r = manager_match_jobs(bus, &launch->match);
    if (r >= 0 && launch->foreground)
        r = foreground_watch(launch->foreground);
    return r < 0 ? r : manager_subscribe(bus);
}

static int connection_lost(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    Launch *launch = userdata;
    (void)message;
    (void)error;
    int r = connection_renew(launch);
    if (r < 0) {
        fprintf(stderr, "gantry: systemd does not answer any more: %s\n", strerror(-r));
        (void)sd_event_exit(launch->event, -EALREADY);
    }
    return 0;
}

/* Signals of what happened in between have gone nowhere, so their reasons are asked for, once new ones would come. */
static int connection_renew(Launch *launch) {
    launch->bus = sd_bus_unref(launch->bus);
    int r = manager_reconnect(&launch->bus);
    if (r >= 0)
        r = connection_set_up(launch);
    for (size_t i = 0; r >= 0 && i < launch->next; i++)
        pod_catch_up(&launch->pods[i]);
    if (r >= 0 && launch->foreground)
        foreground_signal_again(launch->foreground);
    if (r >= 0)
        launch_fill(launch);
    return r;
}

void pod_catch_up(PodLaunch *pod) {
    if (pod->phase == POD_CALLED) {
        pod_call_again(pod);
    } else if (pod->phase == POD_STARTING) {
        if (pod->unwanted)
            pod_stop(pod);
        start_catch_up(pod);
    } else if (pod->phase == POD_UNDOING) {
        pod_undo(pod);
    }
    if (pod->phase == POD_UP && pod->launch->foreground)
        end_catch_up(pod);
}

static void start_catch_up(PodLaunch *pod) {
    job_catch_up(pod, pod->set.unit, &pod->job);
    for (size_t i = 0; i < pod->set.n_apps; i++)
        job_catch_up(pod, pod->set.apps[i].unit, NULL);
    if (pod->phase == POD_STARTING)
        pod_settle(pod);
}

/*
 * A start that is there still ends later. Of one that is not, or was followed by a stop, the unit tells the result: its state,
 * and while it is being stopped what it is stopped for.
 */
static void job_catch_up(PodLaunch *pod, const char *unit, char **job) {
    _cleanup_free_ char *state = NULL, *found = NULL, *result = NULL;
    Launch *launch = pod->launch;
    int r = unit_job(launch->bus, unit, &found);
    bool starts = r > 0 && !job_stops(launch->bus, found);
    if (starts && job && **job == '\0') {
        free(*job);
        *job = take_pointer(found);
    }
    if (r < 0 || (starts && (!job || !found || strcmp(*job, found) == 0)) || unit_active_state(launch->bus, unit, &state) < 0)
        return;
    bool failed = strcmp(state, "activating") == 0 || /* waits for another attempt */
                  (service_text(launch->bus, unit, "Result", &result) && strcmp(result, "success") != 0);
    launch->match.handler(launch->match.userdata, job ? *job : "", unit, failed ? "failed" : "done");
}

/* A pod that was told to stop may not have heard it. */
static void end_catch_up(PodLaunch *pod) {
    _cleanup_free_ char *state = NULL;
    if (pod->unwanted)
        pod_stop(pod);
    if (unit_active_state(pod->launch->bus, pod->set.unit, &state) >= 0 &&
        (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0))
        foreground_pod_ended(pod->launch->foreground);
}

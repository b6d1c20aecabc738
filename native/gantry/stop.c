#include "stop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "manager.h"
#include "pod.h"
#include "units.h"

typedef struct StopPod {
    struct Stop *stop;
    char *directory;
    UnitSet set;
    const char *unit; /* what is stopped */
    char *job;
    char *result; /* systemd's word for the stop job's end; "gone" when the unit was */
} StopPod;

typedef struct Stop {
    sd_bus *bus;
    JobMatch match;
    StopPod *pods;
    size_t n_pods;
    size_t called;
    size_t ended;
} Stop;

static int stop_load(Stop *stop, const char *state, char **pods);
static bool stop_applies(Stop *stop);
static int stop_run(Stop *stop);
static int stop_fill(Stop *stop);
static int stop_called(sd_bus_message *reply, void *userdata, sd_bus_error *error);
static void job_ended(void *userdata, const char *job, const char *unit, const char *result);
static void pod_ended(StopPod *pod, const char *result);
static int stop_tell(const Stop *stop);
static void stop_done(Stop *stop);

int stop_verb(const char *state, char **pods) {
    Stop stop = { 0 };
    int status = STOP_NOT_HERE;
    if (geteuid() == 0 && stop_load(&stop, state, pods) >= 0 && stop_applies(&stop)) {
        int r = stop_run(&stop);
        status = r < 0 ? 1 : stop_tell(&stop);
        if (r < 0)
            fprintf(stderr, "gantry: stopping pods: %s\n", strerror(-r));
    }
    stop_done(&stop);
    return status;
}

int stop_apps(const char *directory) {
    StopPod pod = { 0 };
    Stop stop = { .pods = &pod, .n_pods = 1 };
    _cleanup_free_ char *sentence = NULL;
    int r = unit_set_load(directory, &pod.set, &sentence);
    if (r >= 0)
        r = manager_connect(&stop.bus);
    if (r >= 0) {
        pod.stop = &stop;
        pod.unit = pod.set.unit;
        r = stop_run(&stop);
    }
    unit_set_done(&pod.set);
    free(pod.job);
    free(pod.result);
    sd_bus_flush_close_unref(stop.bus);
    return r < 0 ? r : 0;
}

static int stop_load(Stop *stop, const char *state, char **pods) {
    size_t count = 0;
    while (pods[count])
        count++;
    stop->pods = calloc(count, sizeof *stop->pods);
    if (count == 0 || !stop->pods)
        return -EINVAL;
    for (; stop->n_pods < count; stop->n_pods++) {
        StopPod *pod = &stop->pods[stop->n_pods];
        _cleanup_free_ char *sentence = NULL;
        *pod = (StopPod){ .stop = stop };
        int r = pods[stop->n_pods][0] == '-' ? -EINVAL : pod_find(state, pods[stop->n_pods], &pod->directory);
        if (r >= 0)
            r = unit_set_load(pod->directory, &pod->set, &sentence);
        if (r < 0) {
            free(pod->directory);
            return r;
        }
        pod->unit = pod->set.pod_unit;
    }
    return 0;
}

static bool stop_applies(Stop *stop) {
    bool active = manager_connect(&stop->bus) >= 0;
    for (size_t i = 0; active && i < stop->n_pods; i++) {
        _cleanup_free_ char *state = NULL;
        active = unit_active_state(stop->bus, stop->pods[i].unit, &state) >= 0 && strcmp(state, "active") == 0;
    }
    return active;
}

static int stop_run(Stop *stop) {
    stop->match = (JobMatch){ job_ended, stop };
    int r = manager_match_jobs(stop->bus, &stop->match);
    if (r >= 0)
        r = manager_subscribe(stop->bus);
    while (r >= 0 && stop->ended < stop->n_pods) {
        r = stop_fill(stop);
        if (r >= 0)
            r = sd_bus_process(stop->bus, NULL);
        if (r == 0)
            r = sd_bus_wait(stop->bus, UINT64_MAX);
    }
    return r;
}

static int stop_fill(Stop *stop) {
    while (stop->called < stop->n_pods && stop->called - stop->ended < CALLS_MAX) {
        __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
        StopPod *pod = &stop->pods[stop->called++];
        int r = manager_message(stop->bus, &message, "StopUnit");
        if (r >= 0)
            r = sd_bus_message_append(message, "ss", pod->unit, "replace");
        if (r >= 0)
            r = sd_bus_call_async(stop->bus, NULL, message, stop_called, pod, 0);
        if (r < 0)
            return r;
    }
    return 0;
}

/* PID 1 answers before it runs the job, so the job's path is known when its end is told. */
static int stop_called(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    StopPod *pod = userdata;
    const sd_bus_error *failure = sd_bus_message_get_error(reply);
    const char *job;
    (void)error;
    if (failure)
        pod_ended(pod, sd_bus_error_has_name(failure, "org.freedesktop.systemd1.NoSuchUnit") ? "gone" : failure->message);
    else if (sd_bus_message_read(reply, "o", &job) < 0 || !(pod->job = strdup(job)))
        return -ENOMEM;
    return 0;
}

static void job_ended(void *userdata, const char *job, const char *unit, const char *result) {
    Stop *stop = userdata;
    (void)unit;
    for (size_t i = 0; i < stop->called; i++)
        if (stop->pods[i].job && strcmp(stop->pods[i].job, job) == 0)
            pod_ended(&stop->pods[i], result);
}

static void pod_ended(StopPod *pod, const char *result) {
    if (pod->result)
        return;
    pod->result = strdup(result ? result : "");
    pod->stop->ended++;
}

static int stop_tell(const Stop *stop) {
    int status = 0;
    for (size_t i = 0; i < stop->n_pods; i++) {
        const StopPod *pod = &stop->pods[i];
        const char *uuid = strrchr(pod->directory, '/') + 1, *result = pod->result ? pod->result : "unknown";
        if (strcmp(result, "done") == 0)
            printf("%s\n", uuid);
        else if (strcmp(result, "gone") == 0)
            printf("pod %s has ended already\n", uuid);
        else {
            fprintf(stderr, "gantry: pod \"%s\" did not stop: its stop job was %s\n", uuid, result);
            status = 1;
        }
    }
    return status;
}

static void stop_done(Stop *stop) {
    for (size_t i = 0; i < stop->n_pods; i++) {
        unit_set_done(&stop->pods[i].set);
        free(stop->pods[i].directory);
        free(stop->pods[i].job);
        free(stop->pods[i].result);
    }
    free(stop->pods);
    sd_bus_flush_close_unref(stop->bus);
}

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
    bool called; /* over some connection */
    char *job;
    char *result; /* systemd's word for the stop job's end; "gone" when the unit was */
} StopPod;

typedef struct Stop {
    sd_bus *bus; /* while it runs */
    JobMatch match;
    StopPod *pods;
    size_t n_pods;
    bool begun;
    size_t next;    /* the first pod not called over this connection */
    size_t pending; /* called over it, and not ended */
    size_t ended;
} Stop;

static int stop_load(Stop *stop, const char *state, char **pods);
static int stop_active(sd_bus *bus, void *userdata);
static int stop_applies(sd_bus *bus, const Stop *stop);
static int stop_run(sd_bus *bus, void *userdata);
static int stop_fill(Stop *stop);
static int stop_call(StopPod *pod);
static int stop_called(sd_bus_message *reply, void *userdata, sd_bus_error *error);
static int stop_called_again(sd_bus_message *reply, void *userdata, sd_bus_error *error);
static int stop_answered(StopPod *pod, sd_bus_message *reply, const char *missing);
static void job_ended(void *userdata, const char *job, const char *unit, const char *result);
static void pod_ended(StopPod *pod, const char *result);
static int stop_tell(const Stop *stop);
static void stop_done(Stop *stop);

int stop_verb(const char *state, char **pods) {
    Stop stop = { 0 };
    int status = STOP_NOT_HERE;
    if (geteuid() == 0 && stop_load(&stop, state, pods) >= 0) {
        int r = manager_work(stop_active, &stop);
        if (stop.begun)
            status = r < 0 ? 1 : stop_tell(&stop);
        if (stop.begun && r < 0)
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
    if (r >= 0) {
        pod.stop = &stop;
        pod.unit = pod.set.unit;
        r = manager_work(stop_run, &stop);
    }
    unit_set_done(&pod.set);
    free(pod.job);
    free(pod.result);
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

/* Once something was stopped, what does not run any more is no reason to leave the rest to somebody else. */
static int stop_active(sd_bus *bus, void *userdata) {
    Stop *stop = userdata;
    int r = stop->begun ? 0 : stop_applies(bus, stop);
    if (r < 0)
        return r;
    stop->begun = true;
    return stop_run(bus, stop);
}

static int stop_applies(sd_bus *bus, const Stop *stop) {
    for (size_t i = 0; i < stop->n_pods; i++) {
        _cleanup_free_ char *state = NULL;
        int r = unit_active_state(bus, stop->pods[i].unit, &state);
        if (r < 0 || strcmp(state, "active") != 0)
            return r < 0 ? r : -ESRCH;
    }
    return 0;
}

/* Also over a second connection: what has been called for and has not ended is called for again, which finds the same job. */
static int stop_run(sd_bus *bus, void *userdata) {
    Stop *stop = userdata;
    stop->bus = bus;
    stop->next = stop->pending = 0;
    stop->match = (JobMatch){ job_ended, stop };
    int r = manager_match_jobs(bus, &stop->match);
    if (r >= 0)
        r = manager_subscribe(bus);
    while (r >= 0 && stop->ended < stop->n_pods) {
        r = stop_fill(stop);
        if (r >= 0)
            r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, UINT64_MAX);
    }
    return r;
}

static int stop_fill(Stop *stop) {
    int r = 0;
    for (; r >= 0 && stop->next < stop->n_pods && stop->pending < CALLS_MAX; stop->next++)
        if (!stop->pods[stop->next].result)
            r = stop_call(&stop->pods[stop->next]);
    return r;
}

static int stop_call(StopPod *pod) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    Stop *stop = pod->stop;
    int r = manager_message(stop->bus, &message, "StopUnit");
    if (r >= 0)
        r = sd_bus_message_append(message, "ss", pod->unit, "replace");
    if (r >= 0)
        r = sd_bus_call_async(stop->bus, NULL, message, pod->called ? stop_called_again : stop_called, pod, 0);
    pod->called = true;
    stop->pending++;
    return r < 0 ? r : 0;
}

static int stop_called(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    (void)error;
    return stop_answered(userdata, reply, "gone");
}

/* A unit that is not there any more has been stopped by the first call. */
static int stop_called_again(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    (void)error;
    return stop_answered(userdata, reply, "done");
}

/* PID 1 answers before it runs the job, so the job's path is known when its end is told. */
static int stop_answered(StopPod *pod, sd_bus_message *reply, const char *missing) {
    const sd_bus_error *failure = sd_bus_message_get_error(reply);
    const char *job;
    if (failure && manager_is_lost(pod->stop->bus))
        return 0;
    if (failure) {
        pod_ended(pod, sd_bus_error_has_name(failure, "org.freedesktop.systemd1.NoSuchUnit") ? missing : failure->message);
        return 0;
    }
    free(pod->job);
    pod->job = sd_bus_message_read(reply, "o", &job) < 0 ? NULL : strdup(job);
    return pod->job ? 0 : -ENOMEM;
}

static void job_ended(void *userdata, const char *job, const char *unit, const char *result) {
    Stop *stop = userdata;
    (void)unit;
    for (size_t i = 0; i < stop->n_pods; i++)
        if (stop->pods[i].job && strcmp(stop->pods[i].job, job) == 0)
            pod_ended(&stop->pods[i], result);
}

static void pod_ended(StopPod *pod, const char *result) {
    if (pod->result)
        return;
    pod->result = strdup(result ? result : "");
    pod->stop->ended++;
    pod->stop->pending--;
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
}

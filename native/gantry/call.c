#include "call.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "connection.h"
#include "report.h"

/* An earlier run's units leave within PID 1's next turns, or when what refers to them has ended. */
#define RETRIES_AT_ONCE 3U
#define RETRIES_MAX 100U
#define RETRY_AFTER_US 20000U
#define ATTACH_VARIABLE "GANTRY_ATTACH=1"

static int pod_called(sd_bus_message *reply, void *userdata, sd_bus_error *error);
static void pod_refused(PodLaunch *pod, const sd_bus_error *error);
static bool pod_is_own(const PodLaunch *pod);
static bool pod_is_queued(const PodLaunch *pod);
static bool pod_call_later(PodLaunch *pod);
static bool pod_has_begun(const PodLaunch *pod);
static bool pod_has_ended(const PodLaunch *pod);
static bool pod_file_time(const PodLaunch *pod, const char *name, uint64_t *ret);
static void pod_begun(PodLaunch *pod, const char *job);

int pod_call(PodLaunch *pod) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    _cleanup_free_ char *sentence = NULL;
    Launch *launch = pod->launch;
    int r = manager_message(launch->bus, &message, "StartTransientUnit");
    if (r >= 0)
        r = unit_set_append(&pod->set, message, launch->foreground ? ATTACH_VARIABLE : NULL, &sentence);
    if (r >= 0)
        r = sd_bus_call_async(launch->bus, NULL, message, pod_called, pod, 0);
    if (r < 0 && !manager_is_lost(launch->bus)) {
        report_print(pod->pod, NULL, sentence ? sentence : strerror(-r));
        return r;
    }
    pod->phase = POD_CALLED;
    launch->in_flight++;
    return 0;
}

/* A call that failed with the connection was not refused: connection_open() sees to it that it is made again. */
static int pod_called(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    PodLaunch *pod = userdata;
    const sd_bus_error *refusal = sd_bus_message_get_error(reply);
    const char *job;
    (void)error;
    if (refusal && manager_is_lost(pod->launch->bus))
        return 0;
    pod->launch->in_flight--;
    if (refusal)
        pod_refused(pod, refusal);
    else if (sd_bus_message_read(reply, "o", &job) >= 0)
        pod_begun(pod, job);
    else
        pod_done(pod, POD_FAILED);
    launch_fill(pod->launch);
    return 0;
}

/* A name in use is a pod that runs, or units of one that failed: those go when they are reset. */
static void pod_refused(PodLaunch *pod, const sd_bus_error *error) {
    _cleanup_free_ char *state = NULL;
    bool used = sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitExists");
    bool own = used && pod->repeated && pod_is_own(pod);
    bool runs = used && unit_active_state(pod->launch->bus, pod->set.unit, &state) >= 0 &&
                (strcmp(state, "active") == 0 || strcmp(state, "activating") == 0);
    if (manager_is_lost(pod->launch->bus)) { /* to be called for again */
        pod->launch->in_flight++;
    } else if (own) {
        pod_begun(pod, "");
        pod_catch_up(pod);
    } else if (!used || runs || !pod_call_later(pod)) {
        report_print(pod->pod, NULL, runs ? "runs already" : pod->unwanted ? "stopped before it was ready" : error->message);
        pod_done(pod, POD_FAILED);
    }
}

/*
 * What the first call asked for. In this order: a job that is gone by then has changed the rest. Taken for an earlier run's,
 * its units would be reset, and with them why an app has failed meanwhile.
 */
static bool pod_is_own(const PodLaunch *pod) {
    return pod_is_queued(pod) || pod_has_begun(pod) || pod_has_ended(pod);
}

static bool pod_is_queued(const PodLaunch *pod) {
    _cleanup_free_ char *job = NULL;
    return unit_job(pod->launch->bus, pod->set.unit, &job) > 0 && !job_stops(pod->launch->bus, job);
}

static bool pod_call_later(PodLaunch *pod) {
    if (pod->unwanted || pod->retries++ >= RETRIES_MAX)
        return false;
    (void)units_reset(pod->launch->bus, pod);
    if (pod->retries > RETRIES_AT_ONCE)
        (void)usleep(RETRY_AFTER_US);
    return pod_call(pod) >= 0;
}

void pod_call_again(PodLaunch *pod) {
    pod->launch->in_flight--;
    pod->repeated = true;
    if (pod_has_ended(pod)) {
        pod_begun(pod, "");
        pod_catch_up(pod);
    } else if (pod_call(pod) < 0) {
        pod_done(pod, POD_FAILED);
    }
}

/* What follows: since this start, which has written `started`. */
static bool pod_has_begun(const PodLaunch *pod) {
    uint64_t started, begun;
    return pod_file_time(pod, "started", &started) && unit_begun(pod->launch->bus, pod->set.unit, &begun) >= 0 && begun >= started;
}

static bool pod_has_ended(const PodLaunch *pod) {
    uint64_t started, ended;
    return pod_file_time(pod, "started", &started) && pod_file_time(pod, "ended", &ended) && ended > started;
}

/* Realtime, microseconds; false when there is no such file. */
static bool pod_file_time(const PodLaunch *pod, const char *name, uint64_t *ret) {
    struct stat file;
    _cleanup_fd_ int fd = open(pod->pod->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatat(fd, name, &file, 0) < 0)
        return false;
    *ret = (uint64_t)file.st_mtim.tv_sec * 1000000U + (uint64_t)file.st_mtim.tv_nsec / 1000U;
    return true;
}

static void pod_begun(PodLaunch *pod, const char *job) {
    pod->job = strdup(job);
    if (!pod->job) {
        pod_done(pod, POD_FAILED);
        return;
    }
    pod->phase = POD_STARTING;
    if (pod->unwanted)
        pod_stop(pod);
}

void pod_stop(PodLaunch *pod) {
    pod->unwanted = true;
    if (pod->phase != POD_CALLED)
        (void)manager_call(pod->launch->bus, "StopUnit", pod->set.unit, "replace");
}

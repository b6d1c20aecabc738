#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "call.h"
#include "connection.h"
#include "foreground.h"
#include "report.h"

static int launch_prepare(Launch *launch);
static int pod_load(PodLaunch *pod);
static int started_write(const Launch *launch);
static int bus_prepare(Launch *launch);
static void job_ended(void *userdata, const char *job, const char *unit, const char *result);
static bool pod_job_ended(PodLaunch *pod, const char *job, const char *unit, const char *result);
static void pod_undone(PodLaunch *pod);
static int launch_status(const Launch *launch);
static int launch_foreground_status(const Launch *launch);
static void launch_done(Launch *launch);

int launch_run(const LaunchOrder *order) {
    Launch launch = { .order = order };
    int r = launch_prepare(&launch);
    if (r >= 0) {
        launch_fill(&launch);
        r = sd_event_loop(launch.event);
    }
    if (r < 0 && r != -EALREADY) /* -EALREADY: the sentence has been printed */
        fprintf(stderr, "gantry: starting pods: %s\n", strerror(-r));
    int status = r < 0 ? (order->foreground ? 125 : 1) : launch_status(&launch);
    launch_done(&launch);
    return status;
}

static int launch_prepare(Launch *launch) {
    launch->pods = calloc(launch->order->n_pods, sizeof *launch->pods);
    if (!launch->pods)
        return -ENOMEM;
    for (; launch->n_pods < launch->order->n_pods; launch->n_pods++) {
        PodLaunch *pod = &launch->pods[launch->n_pods];
        *pod = (PodLaunch){ .launch = launch, .pod = &launch->order->pods[launch->n_pods], .status = 125 };
        int r = pod_load(pod);
        if (r < 0)
            return r;
    }
    int r = bus_prepare(launch);
    if (r >= 0)
        r = started_write(launch);
    if (r >= 0 && launch->foreground)
        foreground_announce(launch->foreground);
    return r;
}

static int pod_load(PodLaunch *pod) {
    _cleanup_free_ char *sentence = NULL;
    int r = unit_set_load(pod->pod->directory, &pod->set, &sentence);
    if (r < 0) {
        report_print(pod->pod, NULL, sentence ? sentence : strerror(-r));
        return -EALREADY;
    }
    pod->jobs = calloc(1 + pod->set.n_apps, sizeof *pod->jobs);
    return pod->jobs ? 0 : -ENOMEM;
}

static int started_write(const Launch *launch) {
    int r = 0;
    for (size_t i = 0; r >= 0 && i < launch->n_pods; i++) {
        const PodLaunch *pod = &launch->pods[i];
        r = unit_set_write_started(&pod->set, pod->pod->directory, launch->n_pods == 1);
        if (r < 0) {
            report_print(pod->pod, NULL, strerror(-r));
            r = -EALREADY;
        }
    }
    if (r < 0 || launch->n_pods == 1)
        return r;
    /* One flush for all of them, where hundreds of fsyncs would wait for the disk one after the other. */
    _cleanup_fd_ int fd = open(launch->pods[0].pod->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

static int bus_prepare(Launch *launch) {
    launch->match = (JobMatch){ job_ended, launch };
    int r = sd_event_default(&launch->event);
    if (r >= 0)
        r = connection_open(launch);
    if (r < 0) {
        fprintf(stderr, "gantry: connecting to systemd: %s\n", strerror(-r));
        return -EALREADY;
    }
    return launch->order->foreground ? foreground_new(launch, &launch->pods[0], &launch->foreground) : 0;
}

void launch_fill(Launch *launch) {
    while (launch->next < launch->n_pods && launch->in_flight < CALLS_MAX && !manager_is_lost(launch->bus)) {
        PodLaunch *pod = &launch->pods[launch->next++];
        int r = pod_call(pod);
        if (r < 0)
            pod_done(pod, POD_FAILED);
    }
}

static void job_ended(void *userdata, const char *job, const char *unit, const char *result) {
    Launch *launch = userdata;
    for (size_t i = 0; i < launch->next; i++)
        if (pod_job_ended(&launch->pods[i], job, unit, result))
            return;
}

/* Returns whether the job was one of this pod's. */
static bool pod_job_ended(PodLaunch *pod, const char *job, const char *unit, const char *result) {
    bool sandbox = strcmp(unit, pod->set.unit) == 0;
    size_t app = 0;
    while (!sandbox && app < pod->set.n_apps && strcmp(pod->set.apps[app].unit, unit) != 0)
        app++;
    if (!sandbox && app == pod->set.n_apps)
        return false;
    if (!pod->job) /* systemd answers before it runs a job, so this is an earlier run's */
        return true;
    JobPhase *phase = &pod->jobs[sandbox ? 0 : 1 + app];
    bool awaited = !sandbox || strcmp(job, pod->job) == 0;
    if (pod->phase == POD_STARTING && awaited && *phase == JOB_WAITS) {
        *phase = strcmp(result, "done") == 0 ? JOB_DONE : JOB_FAILED;
        if (sandbox && *phase == JOB_DONE && pod->launch->foreground)
            foreground_attach(pod->launch->foreground);
        pod_settle(pod);
    } else if (pod->phase == POD_UNDOING) {
        if (sandbox && awaited)
            pod_undone(pod);
    } else if (sandbox && !awaited && *pod->job && pod->launch->foreground) { /* of "" it may be the start that is told late */
        foreground_pod_ended(pod->launch->foreground);
    }
    return true;
}

void pod_settle(PodLaunch *pod) {
    bool failed = false;
    for (size_t i = 0; i <= pod->set.n_apps; i++) {
        if (pod->jobs[i] == JOB_WAITS)
            return;
        failed = failed || pod->jobs[i] == JOB_FAILED;
    }
    if (!failed) {
        pod_done(pod, POD_UP);
        return;
    }
    pod->status = report_failure(pod);
    if (!manager_is_lost(pod->launch->bus))
        pod_undo(pod);
}

/* Also after the sandbox has failed: the job ends only when the apps, which that stops, have ended and can be reset. */
void pod_undo(PodLaunch *pod) {
    sd_bus *bus = pod->launch->bus;
    _cleanup_free_ char *job = NULL;
    pod->phase = POD_UNDOING;
    int r = manager_stop(bus, pod->set.unit, &job);
    if (r < 0) {
        if (!manager_is_lost(bus))
            pod_undone(pod);
        return;
    }
    free(pod->job);
    pod->job = take_pointer(job);
}

static void pod_undone(PodLaunch *pod) {
    if (units_reset(pod->launch->bus, pod) >= 0)
        pod_done(pod, POD_FAILED);
}

int units_reset(sd_bus *bus, void *userdata) {
    const UnitSet *set = &((const PodLaunch *)userdata)->set;
    for (size_t i = 0; i < set->n_apps; i++)
        (void)manager_call(bus, "ResetFailedUnit", set->apps[i].unit, NULL);
    int r = manager_call(bus, "ResetFailedUnit", set->unit, NULL);
    return manager_is_lost(bus) ? r : 0;
}

void pod_done(PodLaunch *pod, PodPhase phase) {
    Launch *launch = pod->launch;
    pod->phase = phase;
    launch->settled++;
    if (phase == POD_UP && !launch->foreground)
        printf("%s\n", pod->pod->uuid);
    if (!launch->foreground && launch->settled == launch->n_pods)
        (void)sd_event_exit(launch->event, 0);
    if (launch->foreground && phase == POD_FAILED) /* its apps may have said something before */
        foreground_pod_ended(launch->foreground);
}

static int launch_status(const Launch *launch) {
    if (launch->foreground)
        return launch_foreground_status(launch);
    for (size_t i = 0; i < launch->n_pods; i++)
        if (launch->pods[i].phase != POD_UP)
            return 1;
    return 0;
}

/* The caller hears of a failed app by the status, so no failed unit is left for the host to complain of. */
static int launch_foreground_status(const Launch *launch) {
    PodLaunch *pod = &launch->pods[0];
    if (pod->phase != POD_UP && pod->status)
        return pod->status;
    int status = foreground_status(launch->foreground);
    if (status && units_reset(launch->bus, pod) < 0)
        (void)manager_work(units_reset, pod);
    return status;
}

static void launch_done(Launch *launch) {
    launch->foreground = foreground_free(launch->foreground);
    for (size_t i = 0; i < launch->n_pods; i++) {
        unit_set_done(&launch->pods[i].set);
        free(launch->pods[i].jobs);
        free(launch->pods[i].job);
    }
    free(launch->pods);
    launch->bus = sd_bus_flush_close_unref(launch->bus);
    launch->event = sd_event_unref(launch->event);
}

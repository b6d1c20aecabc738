#include "start.h"

#include <errno.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/boot.h"
#include "basic/cleanup.h"
#include "basic/notify.h"
#include "basic/text.h"
#include "current.h"
#include "ending.h"
#include "launch.h"
#include "manager.h"
#include "namespace/sandbox.h"

#define BARRIER_WAIT_MS 30000
#define LEAVING_POLL_US 20000U

typedef struct Start {
    const char *name;
    Sandbox sandbox;
    Failure failure; /* of the sandbox */
    int notify;
    uint64_t begin;  /* realtime, microseconds: an app's end after this is of this start */
} Start;

/* How many apps have ended already, and how. */
typedef struct Ended {
    size_t failed;
    size_t all;
    size_t leaving; /* systemd has not made up its mind: it waits for the recorder */
} Ended;

static int pod_link(const char *name, const char *directory);
static int pod_launch(Start *start, const char *directory);
static int sandbox_raise(void *userdata);
static int apps_up(void *userdata, sd_bus *bus, const UnitSet *set);
static int apps_count(const Start *start, sd_bus *bus, const UnitSet *set, Ended *ret);
static int systemd_tell(const Start *start);
static int complain(const char *name, int error);

int installed_start(const char *name) {
    Start start = { .name = name, .sandbox.listener = -1, .failure.step = "sandbox", .notify = -1 };
    _cleanup_free_ char *directory = NULL, *plan = NULL;
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    int r = current_pod(name, &directory);
    if (r > 0)
        return r;
    if (r >= 0)
        r = pod_link(name, directory);
    if (r >= 0)
        r = notify_connect(&start.notify);
    if (r >= 0)
        r = text_format(&plan, "%s/sandbox.json", directory);
    if (r < 0)
        return complain(name, r);
    int status = sandbox_open(plan, &start.sandbox, &start.failure) < 0 ? 1 : pod_launch(&start, directory);
    sandbox_close(&start.sandbox);
    if (start.failure.status == 0)
        return status;
    fprintf(stderr, "gantry-pod: %s: %s\n", start.failure.step, start.failure.text);
    (void)notify_failure(start.notify, &start.failure);
    return start.failure.status;
}

/* What the unit's other commands work on: the pod that was started, whatever is installed meanwhile. */
static int pod_link(const char *name, const char *directory) {
    _cleanup_free_ char *link = NULL;
    int r = text_format(&link, "/run/gantry/pods/%s/pod", name);
    if (r < 0)
        return r;
    (void)unlink(link);
    return symlink(directory, link) < 0 ? -errno : 0;
}

static int pod_launch(Start *start, const char *directory) {
    OrderPod pod = { .directory = directory, .uuid = strrchr(directory, '/') + 1, .name = start->name };
    const LaunchOrder order = { .pods = &pod, .n_pods = 1 };
    const LaunchPart part = { .beside = sandbox_raise, .up = apps_up, .userdata = start };
    start->begin = realtime_usec();
    return launch_run(&order, &part);
}

/* systemd is starting the apps meanwhile; they wait for the sandbox on its socket. */
static int sandbox_raise(void *userdata) {
    Start *start = userdata;
    return sandbox_start(&start->sandbox, false, &start->failure);
}

/*
 * While the unit's start job is there, nothing else can end the pod: neither an app that failed while others still
 * started, which fails the start, nor what ended since; that is looked for once more when the job is done.
 */
static int apps_up(void *userdata, sd_bus *bus, const UnitSet *set) {
    Start *start = userdata;
    Ended ended;
    int r = apps_count(start, bus, set, &ended);
    if (r < 0 || ended.failed > 0)
        return r < 0 ? complain(start->name, r) : 1;
    r = systemd_tell(start);
    while (r >= 0 && (r = apps_count(start, bus, set, &ended)) >= 0 && ended.leaving > 0)
        (void)usleep(LEAVING_POLL_US);
    if (r < 0)
        return complain(start->name, r);
    if (ended.failed > 0 || ended.all == set->n_apps)
        manager_call(bus, "StopUnit", set->pod_unit, "fail");
    return 0;
}

/* systemd is asked about those only that have left an exit; one that it restarts has not ended. */
static int apps_count(const Start *start, sd_bus *bus, const UnitSet *set, Ended *ret) {
    Ended ended = { 0 };
    for (size_t i = 0; i < set->n_apps; i++) {
        Ending ending;
        _cleanup_free_ char *state = NULL;
        if (ending_read(set->apps[i].status, &ending) < 0 || ending.time < start->begin)
            continue;
        int r = unit_active_state(bus, set->apps[i].unit, &state);
        if (r < 0)
            return r;
        bool failed = strcmp(state, "failed") == 0;
        if (failed)
            fprintf(stderr, "gantry-pod: pod \"%s\", app \"%s\": failed right after its start\n", start->name,
                    set->apps[i].name);
        ended.failed += failed;
        ended.leaving += strcmp(state, "deactivating") == 0;
        ended.all += failed || strcmp(state, "inactive") == 0;
    }
    *ret = ended;
    return 0;
}

/* The start job is done when this returns. */
static int systemd_tell(const Start *start) {
    _cleanup_free_ char *text = NULL;
    int r = text_format(&text, "MAINPID=%d\nREADY=1", start->sandbox.pid);
    if (r >= 0)
        r = notify_send(start->notify, text);
    return r < 0 ? r : notify_barrier(start->notify, BARRIER_WAIT_MS);
}

static int complain(const char *name, int error) {
    fprintf(stderr, "gantry-pod: pod \"%s\": %s\n", name, strerror(-error));
    return 1;
}

#include "apps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/boot.h"
#include "basic/cleanup.h"
#include "basic/text.h"
#include "report.h"
#include "value.h"

/* An earlier run's units leave within PID 1's next turns, or when what refers to them has ended. */
#define RETRIES_AT_ONCE 3U
#define RETRIES_MAX 100U
#define RETRY_AFTER_US 20000U

static int call_send(Apps *apps);
static int call_send_again(Apps *apps);
static bool has_ended(const Apps *apps, const UnitSetApp *app);
static int slice_stop(Apps *apps);
static int set_put(Message *message, const UnitSet *set);
static int properties_put(Message *message, const char *unit, const Json *properties);
static int property_put(Message *message, const char *unit, const Json *property);
static int call_await(Apps *apps);
static int call_refused(Apps *apps, const Reply *reply, unsigned retries);
static int job_set(Apps *apps, const char *job);
static bool slice_is_queued(Apps *apps);
static bool slice_runs(Apps *apps);
static bool any_ended(const Apps *apps);
static int apps_catch_up(Apps *apps);
static int job_catch_up(Apps *apps, size_t index);
static int start_job(Systemd *systemd, const char *unit, char **ret);
static int unit_failed(Systemd *systemd, const char *unit, bool *ret);
static void job_ended(void *userdata, const char *job, const char *unit, const char *result);
static int job_index(const Apps *apps, const char *unit);
static void units_reset(Apps *apps);

int apps_call(Apps *apps) {
    apps->waiting = 1 + apps->set->n_apps;
    apps->jobs = calloc(apps->waiting, sizeof *apps->jobs);
    if (!apps->jobs)
        return -ENOMEM;
    apps->systemd->job_ended = job_ended;
    apps->systemd->userdata = apps;
    apps->begin = realtime_usec();
    int r = call_send(apps);
    return r == -ECONNRESET ? call_send_again(apps) : r;
}

int apps_await(Apps *apps) {
    int r = call_await(apps);
    apps->systemd->interrupt = apps->stop;
    while (r >= 0 && apps->waiting > 0)
        r = apps->systemd->missed ? apps_catch_up(apps) : systemd_wait(apps->systemd);
    apps->systemd->interrupt = -1;
    if (r < 0 && r != -ECANCELED)
        return r;
    if (r >= 0 && !apps->failed)
        return 0;
    for (size_t i = 0; i < apps->set->n_apps; i++)
        if (apps->jobs[1 + i] == JOB_FAILED)
            report_app(apps->systemd, apps->pod, apps->set->apps[i].name, apps->set->apps[i].unit);
    apps_undo(apps);
    return -ECHILD;
}

/* What has been called for may not have begun; a refusal means that the slice has gone already. */
void apps_undo(Apps *apps) {
    if (!apps->job && call_await(apps) < 0)
        return;
    if (apps->job[0] == '\0') /* else the end of its start would be taken for that of its stop */
        (void)job_catch_up(apps, 0);
    apps->undoing = true;
    apps->waiting = 1;
    int r = slice_stop(apps);
    while (r >= 0 && apps->waiting > 0)
        r = apps->systemd->missed ? slice_stop(apps) : systemd_wait(apps->systemd);
    units_reset(apps);
}

static int slice_stop(Apps *apps) {
    apps->systemd->missed = false;
    return systemd_call(apps->systemd, "StopUnit", apps->set->unit, "replace");
}

/* systemd is asked about those only that have left an exit; one that it restarts has not ended. */
int apps_count(Apps *apps, Ended *ret) {
    Ended ended = { 0 };
    for (size_t i = 0; i < apps->set->n_apps; i++) {
        const UnitSetApp *app = &apps->set->apps[i];
        _cleanup_free_ char *state = NULL;
        if (!has_ended(apps, app))
            continue;
        int r = systemd_text(apps->systemd, app->unit, "Unit", "ActiveState", &state);
        if (r < 0)
            return r;
        bool failed = strcmp(state, "failed") == 0;
        if (failed) {
            report_print(apps->pod, app->name, "failed right after its start");
            first_failure_add(&ended.first, app);
        }
        ended.failed += failed;
        ended.leaving += strcmp(state, "deactivating") == 0;
        ended.all += failed || strcmp(state, "inactive") == 0;
    }
    *ret = ended;
    return 0;
}

void apps_done(Apps *apps) {
    free(apps->jobs);
    free(apps->job);
    *apps = (Apps){ 0 };
}

static int call_send(Apps *apps) {
    _cleanup_message_ Message message = { 0 };
    systemd_begin(&message, "StartTransientUnit", "ssa(sv)a(sa(sv))");
    int r = set_put(&message, apps->set);
    return r < 0 ? r : systemd_send(apps->systemd, &message, &apps->call);
}

/* What runs already, or has ended since, is then what the first call has started. */
static int call_send_again(Apps *apps) {
    apps->repeated = true;
    int r = -ECONNRESET;
    while (r == -ECONNRESET) {
        r = systemd_reopen(apps->systemd);
        if (r < 0)
            return r;
        if (any_ended(apps))
            return job_set(apps, "");
        r = call_send(apps);
    }
    return r;
}

static bool any_ended(const Apps *apps) {
    for (size_t i = 0; i < apps->set->n_apps; i++)
        if (has_ended(apps, &apps->set->apps[i]))
            return true;
    return false;
}

/* Since this start. */
static bool has_ended(const Apps *apps, const UnitSetApp *app) {
    Ending ending;
    return ending_read(app->status, &ending) >= 0 && ending.time >= apps->begin;
}

static int set_put(Message *message, const UnitSet *set) {
    message_put_text(message, set->unit);
    message_put_text(message, set->mode);
    int r = properties_put(message, set->unit, set->properties);
    Array units = message_array_begin(message, 8);
    for (size_t i = 0; r >= 0 && i < json_count(set->aux); i++) {
        const Json *entry = json_element(set->aux, i);
        const char *unit = json_text(json_element(entry, 0));
        if (!unit)
            return -EBADMSG;
        message_align(message, 8);
        message_put_text(message, unit);
        r = properties_put(message, unit, json_element(entry, 1));
    }
    message_array_end(message, units);
    return r;
}

static int properties_put(Message *message, const char *unit, const Json *properties) {
    int r = 0;
    Array array = message_array_begin(message, 8);
    for (size_t i = 0; r >= 0 && i < json_count(properties); i++)
        r = property_put(message, unit, json_element(properties, i));
    message_array_end(message, array);
    return r;
}

static int property_put(Message *message, const char *unit, const Json *property) {
    const char *name = json_text(json_element(property, 0)), *signature = json_text(json_element(property, 1));
    int r = json_count(property) == 3 && name && signature ? 0 : -EBADMSG;
    if (r >= 0) {
        message_align(message, 8);
        message_put_text(message, name);
        message_put_signature(message, signature);
        r = value_put(message, signature, json_element(property, 2));
    }
    if (r < 0)
        fprintf(stderr, "gantry: units.json: unit %s: property %s: no value of type \"%s\"\n", unit, name ? name : "?",
                signature ? signature : "?");
    return r;
}

static int call_await(Apps *apps) {
    Reply reply;
    int r = 0;
    for (unsigned retries = 0; r >= 0 && !apps->job; retries++) {
        r = systemd_await(apps->systemd, apps->call, &reply);
        if (r == -ECONNRESET)
            r = call_send_again(apps);
        else if (r >= 0)
            r = reply.error ? call_refused(apps, &reply, retries) : job_set(apps, reply.text);
    }
    return r;
}

/* A name in use is a pod that runs, or units of one that failed: those go when they are reset. */
static int call_refused(Apps *apps, const Reply *reply, unsigned retries) {
    bool used = strcmp(reply->error, "org.freedesktop.systemd1.UnitExists") == 0;
    if (!used || retries == RETRIES_MAX) {
        report_print(apps->pod, NULL, reply->text);
        return -ECHILD;
    }
    /* In this order: a job that is gone by then has changed the rest. */
    if (apps->repeated && (slice_is_queued(apps) || slice_runs(apps) || any_ended(apps)))
        return job_set(apps, "");
    if (slice_runs(apps)) {
        report_print(apps->pod, NULL, "runs already");
        return -ECHILD;
    }
    units_reset(apps);
    if (retries >= RETRIES_AT_ONCE)
        (void)usleep(RETRY_AFTER_US);
    if (!apps->repeated) /* nothing has begun yet */
        apps->begin = realtime_usec();
    int r = call_send(apps);
    return r == -ECONNRESET ? call_send_again(apps) : r;
}

static int job_set(Apps *apps, const char *job) {
    return (apps->job = strdup(job)) ? 0 : -ENOMEM;
}

static bool slice_is_queued(Apps *apps) {
    _cleanup_free_ char *job = NULL;
    return start_job(apps->systemd, apps->set->unit, &job) >= 0 && job;
}

static bool slice_runs(Apps *apps) {
    _cleanup_free_ char *state = NULL;
    return systemd_text(apps->systemd, apps->set->unit, "Unit", "ActiveState", &state) >= 0 &&
           (strcmp(state, "active") == 0 || strcmp(state, "activating") == 0);
}

static int apps_catch_up(Apps *apps) {
    int r = 0;
    apps->systemd->missed = false;
    for (size_t i = 0; r >= 0 && i <= apps->set->n_apps; i++)
        if (apps->jobs[i] == JOB_WAITS)
            r = job_catch_up(apps, i);
    return r;
}

/*
 * A start that is there still ends later. Of one that is not, or was followed by a stop, the unit tells the result: its state,
 * and while it is being stopped what it is stopped for.
 */
static int job_catch_up(Apps *apps, size_t index) {
    _cleanup_free_ char *job = NULL;
    const char *unit = index == 0 ? apps->set->unit : apps->set->apps[index - 1].unit;
    bool failed;
    int r = start_job(apps->systemd, unit, &job);
    if (r < 0)
        return r;
    if (job && index == 0 && apps->job[0] == '\0') {
        free(apps->job);
        apps->job = take_pointer(job);
        return 0;
    }
    if (job && (index > 0 || strcmp(job, apps->job) == 0))
        return 0;
    r = unit_failed(apps->systemd, unit, &failed);
    if (r >= 0)
        job_ended(apps, apps->job, unit, failed ? "failed" : "done");
    return r;
}

/* NULL for none. */
static int start_job(Systemd *systemd, const char *unit, char **ret) {
    _cleanup_free_ char *job = NULL, *type = NULL;
    int r = systemd_job(systemd, unit, &job);
    if (r < 0 || strcmp(job, "/") == 0)
        return r;
    r = systemd_job_type(systemd, job, &type);
    if (r >= 0 && strcmp(type, "stop") != 0)
        *ret = take_pointer(job);
    return r == -ENOENT ? 0 : r;
}

static int unit_failed(Systemd *systemd, const char *unit, bool *ret) {
    _cleanup_free_ char *state = NULL, *result = NULL;
    int r = systemd_text(systemd, unit, "Unit", "ActiveState", &state);
    if (r < 0)
        return r;
    r = systemd_text(systemd, unit, "Service", "Result", &result);
    if (r < 0 && r != -ENOENT) /* a slice has none */
        return r;
    *ret = strcmp(state, "activating") == 0 || /* waits for another attempt */
           (result && strcmp(result, "success") != 0);
    return 0;
}

/* Before the reply, jobs are an earlier run's: systemd answers before it runs what was asked for. */
static void job_ended(void *userdata, const char *job, const char *unit, const char *result) {
    Apps *apps = userdata;
    int index = apps->job ? job_index(apps, unit) : -1;
    if (index < 0)
        return;
    bool start = index > 0 || strcmp(job, apps->job) == 0;
    if (apps->undoing) {
        apps->waiting = index == 0 && !start ? 0 : apps->waiting;
    } else if (start && apps->jobs[index] == JOB_WAITS) {
        apps->jobs[index] = strcmp(result, "done") == 0 ? JOB_DONE : JOB_FAILED;
        apps->failed = apps->failed || apps->jobs[index] == JOB_FAILED;
        apps->waiting--;
    }
}

static int job_index(const Apps *apps, const char *unit) {
    if (strcmp(unit, apps->set->unit) == 0)
        return 0;
    for (size_t i = 0; i < apps->set->n_apps; i++)
        if (strcmp(unit, apps->set->apps[i].unit) == 0)
            return (int)i + 1;
    return -1;
}

static void units_reset(Apps *apps) {
    for (size_t i = 0; i < apps->set->n_apps; i++)
        (void)systemd_call(apps->systemd, "ResetFailedUnit", apps->set->apps[i].unit, NULL);
    (void)systemd_call(apps->systemd, "ResetFailedUnit", apps->set->unit, NULL);
}

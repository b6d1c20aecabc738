#include "installed.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/notify.h"
#include "basic/text.h"
#include "json.h"
#include "launch.h"
#include "manager.h"
#include "node.h"
#include "plan/document.h"
#include "pod.h"
#include "stop.h"
#include "trust/stamp.h"
#include "units.h"

/* Shown for a refusal by `systemctl status`; a sentence of the TypeScript half is shorter. */
#define SENTENCE_MAX 4096U
#define JOB_POLL_US 100000U /* between looks at the pod's own start job */

static const char *const definition_directories[] = { "/etc/gantry/pods", "/usr/lib/gantry/pods" };

static bool is_pod_name(const char *name);
static int sandbox_run(const char *name);
static int pod_current(const char *name, char **ret_directory);
static bool pod_is_fresh(const char *name, const char *directory);
static int definition_stat(const char *name, char **ret_path, char **ret_stamp);
static int pod_refresh(const char *name);
static int pod_link(const char *name, const char *directory);
static int pod_linked(const char *name, char **ret_directory);
static int apps_start(const char *name);
static int apps_check(const char *name, const char *directory);
static int end_later(const char *unit);
static int apps_stop(const char *name);
static int apps_ended(const char *name);
static int pod_end(sd_bus *bus, const UnitSet *set);
static int complain(const char *name, int error);

int installed_verb(char **arguments) {
    const char *verb = arguments[0], *name = verb ? arguments[1] : NULL;
    if (name && !arguments[2] && is_pod_name(name)) {
        if (strcmp(verb, "sandbox") == 0)
            return sandbox_run(name);
        if (strcmp(verb, "start") == 0)
            return apps_start(name);
        if (strcmp(verb, "stop") == 0)
            return apps_stop(name);
        if (strcmp(verb, "ended") == 0)
            return apps_ended(name);
    }
    fputs("Usage: gantry-pod sandbox|start|stop|ended NAME\n", stderr);
    return 2;
}

/* An instance of the template is what somebody typed; an ACName is no path. */
static bool is_pod_name(const char *name) {
    return *name && *name != '-' && strlen(name) <= 200 && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

/*
 * Becomes the sandbox. With another definition than the pod was prepared from, the pod is prepared anew first; with
 * other keys or rules than its images were judged by, they are judged again.
 */
static int sandbox_run(const char *name) {
    _cleanup_free_ char *directory = NULL, *plan = NULL;
    int r = pod_current(name, &directory);
    if (r < 0 || !pod_is_fresh(name, directory)) {
        int status = pod_refresh(name);
        if (status != 0)
            return status;
        free(take_pointer(directory));
        r = pod_current(name, &directory);
    }
    if (r >= 0)
        r = pod_link(name, directory);
    if (r >= 0)
        r = text_format(&plan, "%s/sandbox.json", directory);
    if (r < 0)
        return complain(name, r);
    execl(GANTRY_LIBEXECDIR "/gantry-sandbox", GANTRY_LIBEXECDIR "/gantry-sandbox", plan, NULL);
    return complain(name, -errno);
}

static int pod_current(const char *name, char **ret_directory) {
    struct stat facts;
    _cleanup_free_ char *directory = NULL;
    int r = pod_find(STATE_DIRECTORY, name, &directory);
    if (r < 0)
        return r;
    if (stat(directory, &facts) < 0)
        return -errno;
    *ret_directory = take_pointer(directory);
    return 0;
}

/* The definition's stamp is <inode>:<size>:<mtime in ns> (src/pod/definition.ts). */
static bool pod_is_fresh(const char *name, const char *directory) {
    _cleanup_free_ char *file = NULL, *text = NULL, *path = NULL, *stamp = NULL, *sentence = NULL;
    _cleanup_json_ json_t *document = NULL;
    size_t size;
    if (text_format(&file, "%s/definition.json", directory) < 0 || document_read(file, &text, &size, &sentence) < 0)
        return false;
    if (document_parse(text, size, &document, &sentence) < 0 || definition_stat(name, &path, &stamp) < 0)
        return false;
    const char *known = json_string_value(json_object_get(document, "path"));
    const char *then = json_string_value(json_object_get(document, "stamp"));
    return known && then && strcmp(known, path) == 0 && strcmp(then, stamp) == 0 && trust_stamp_holds(directory);
}

static int definition_stat(const char *name, char **ret_path, char **ret_stamp) {
    for (size_t i = 0; i < sizeof definition_directories / sizeof *definition_directories; i++) {
        _cleanup_free_ char *path = NULL;
        struct stat facts;
        int r = text_format(&path, "%s/%s.json", definition_directories[i], name);
        if (r < 0)
            return r;
        if (stat(path, &facts) < 0)
            continue;
        r = text_format(ret_stamp, "%ju:%jd:%jd%09ld", (uintmax_t)facts.st_ino, (intmax_t)facts.st_size,
                        (intmax_t)facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
        if (r >= 0)
            *ret_path = take_pointer(path);
        return r;
    }
    return -ENOENT;
}

/* The TypeScript half's sentence becomes the unit's status. Returns its exit status. */
static int pod_refresh(const char *name) {
    char *words[] = { (char *)"refresh", (char *)name, NULL };
    char sentence[SENTENCE_MAX];
    int status = node_capture(words, sentence, sizeof sentence);
    fputs(sentence, stderr);
    if (status == 0)
        return 0;
    Failure failure = { 0 };
    sentence[strcspn(sentence, "\n")] = '\0';
    const char *said = text_starts_with(sentence, "gantry: ") ? sentence + strlen("gantry: ") : sentence;
    (void)snprintf(failure.step, sizeof failure.step, "prepare");
    (void)failure_say(&failure, status, 0, "%s", said);
    _cleanup_fd_ int notify = -1;
    if (notify_connect(&notify) >= 0)
        (void)notify_failure(notify, &failure);
    return status;
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

static int pod_linked(const char *name, char **ret_directory) {
    char target[PATH_MAX];
    _cleanup_free_ char *link = NULL;
    int r = text_format(&link, "/run/gantry/pods/%s/pod", name);
    if (r < 0)
        return r;
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return -errno;
    target[length] = '\0';
    return (*ret_directory = strdup(target)) ? 0 : -ENOMEM;
}

static int apps_start(const char *name) {
    _cleanup_free_ char *directory = NULL;
    int r = pod_linked(name, &directory);
    if (r < 0)
        return complain(name, r);
    OrderPod pod = { .directory = directory, .uuid = strrchr(directory, '/') + 1, .name = name };
    const LaunchOrder order = { .pods = &pod, .n_pods = 1, .quiet = true };
    int status = launch_run(&order);
    return status ? status : apps_check(name, directory);
}

/*
 * The pod's start is a pending job, so nothing else could end the pod meanwhile: neither an app that failed while others
 * still started, which fails the start, nor the end of the last one, which is made up for once the job is done.
 */
static int apps_check(const char *name, const char *directory) {
    __attribute__((__cleanup__(sd_bus_flush_close_unrefp))) sd_bus *bus = NULL;
    _cleanup_free_ char *sentence = NULL;
    UnitSet set = { 0 };
    size_t ended = 0;
    int r = unit_set_load(directory, &set, &sentence), status = 0;
    if (r >= 0)
        r = manager_connect(&bus);
    for (size_t i = 0; r >= 0 && i < set.n_apps; i++) {
        _cleanup_free_ char *state = NULL;
        r = unit_active_state(bus, set.apps[i].unit, &state);
        if (r >= 0 && strcmp(state, "failed") == 0) {
            fprintf(stderr, "gantry-pod: pod \"%s\", app \"%s\": failed right after its start\n", name, set.apps[i].name);
            status = 1;
        }
        ended += r >= 0 && strcmp(state, "inactive") == 0;
    }
    if (r >= 0 && status == 0 && ended == set.n_apps)
        r = end_later(set.pod_unit);
    unit_set_done(&set);
    return r < 0 ? complain(name, r) : status;
}

static int end_later(const char *unit) {
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : 0;
    __attribute__((__cleanup__(sd_bus_flush_close_unrefp))) sd_bus *bus = NULL;
    int r = manager_connect(&bus);
    while (r >= 0 && (r = unit_has_job(bus, unit)) == 1)
        (void)usleep(JOB_POLL_US);
    if (r >= 0)
        manager_call(bus, "StopUnit", unit, "fail");
    _exit(r < 0);
}

/* Before the sandbox gets its signal: apps end by their own stop signals and times. */
static int apps_stop(const char *name) {
    _cleanup_free_ char *directory = NULL;
    int r = pod_linked(name, &directory);
    if (r >= 0)
        r = stop_apps(directory);
    return r < 0 ? complain(name, r) : 0;
}

/* The slice is gone: every app has ended, and so does the pod, unless that was part of its own stop or restart. */
static int apps_ended(const char *name) {
    __attribute__((__cleanup__(sd_bus_flush_close_unrefp))) sd_bus *bus = NULL;
    _cleanup_free_ char *directory = NULL, *sentence = NULL;
    UnitSet set = { 0 };
    int r = pod_linked(name, &directory);
    if (r == -ENOENT) /* so is the pod's runtime directory */
        return 0;
    if (r >= 0)
        r = unit_set_load(directory, &set, &sentence);
    if (r >= 0)
        r = manager_connect(&bus);
    if (r >= 0)
        r = pod_end(bus, &set);
    unit_set_done(&set);
    return r < 0 ? complain(name, r) : 0;
}

/* With a job, the pod is starting, stopping or restarting: that decides. */
static int pod_end(sd_bus *bus, const UnitSet *set) {
    _cleanup_free_ char *state = NULL;
    int r = unit_has_job(bus, set->pod_unit);
    if (r != 0)
        return r;
    r = unit_active_state(bus, set->pod_unit, &state);
    if (r >= 0 && strcmp(state, "active") == 0)
        manager_call(bus, "StopUnit", set->pod_unit, "fail");
    return r;
}

static int complain(const char *name, int error) {
    fprintf(stderr, "gantry-pod: pod \"%s\": %s\n", name, strerror(-error));
    return 1;
}

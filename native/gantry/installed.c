#include "installed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "manager.h"
#include "node.h"
#include "outcome.h"
#include "plan/claim.h"
#include "relay/packet.h"
#include "stop.h"

typedef struct Ended {
    const char *name;
    UnitSet set;
} Ended;

static int apps_stop(const char *name);
static int stopping_mark(const char *name);
static int apps_ended(const char *name);
static int pod_end(sd_bus *bus, void *userdata);
static int pod_linked(const char *name, char **ret_directory);
static int refresh(char **arguments);
static int complain(const char *name, int error);

int installed_verb(char **arguments) {
    const char *verb = arguments[0], *name = verb ? arguments[1] : NULL;
    if (name && !arguments[2] && claim_name_valid(name)) {
        if (strcmp(verb, "stop") == 0)
            return apps_stop(name);
        if (strcmp(verb, "ended") == 0)
            return apps_ended(name);
        if (strcmp(verb, "refresh") == 0)
            return refresh(arguments);
    }
    fputs("Usage: gantry-pod refresh|stop|ended NAME\n", stderr);
    return 2;
}

/* Before the sandbox gets its signal: apps end by their own stop signals and times. */
static int apps_stop(const char *name) {
    _cleanup_free_ char *directory = NULL;
    int r = pod_linked(name, &directory);
    if (r >= 0)
        r = stopping_mark(name);
    if (r >= 0)
        r = stop_apps(directory);
    return r < 0 ? complain(name, r) : 0;
}

/* A condition of gantry-ended@.service: nobody has to be told that the apps of a pod end that is stopping. */
static int stopping_mark(const char *name) {
    _cleanup_free_ char *path = NULL;
    int r = text_format(&path, "/run/gantry/pods/%s/stopping", name);
    _cleanup_fd_ int fd = r < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return r < 0 ? r : fd < 0 ? -errno : 0;
}

/* The slice is gone: every app has ended, and so does the pod, unless that was part of its own stop or restart. */
static int apps_ended(const char *name) {
    _cleanup_free_ char *directory = NULL, *sentence = NULL;
    Ended ended = { .name = name };
    int r = pod_linked(name, &directory);
    if (r == -ENOENT) /* so is the pod's runtime directory */
        return 0;
    if (r >= 0)
        r = unit_set_load(directory, &ended.set, &sentence);
    if (r >= 0)
        r = manager_work(pod_end, &ended);
    unit_set_done(&ended.set);
    return r < 0 && r != -ENOENT && r != -ECONNREFUSED ? complain(name, r) : 0; /* those: so is the sandbox */
}

/*
 * By the sandbox's own end, not by a stop of its unit: systemd counts that as a success, whatever the apps came to, and
 * restarts nothing after it. With a job, the pod is starting, stopping or restarting: that decides.
 */
static int pod_end(sd_bus *bus, void *userdata) {
    const Ended *ended = userdata;
    Outcome outcome;
    int r = unit_job(bus, ended->set.pod_unit, NULL);
    if (r == 0)
        r = outcome_read(bus, &ended->set, &outcome);
    if (r != 0 || outcome.running > 0)
        return r;
    if (outcome.first.app)
        outcome_leave(bus, &outcome, ended->name);
    return packet_end(ended->set.socket, outcome.first.ending.status);
}

static int pod_linked(const char *name, char **ret_directory) {
    _cleanup_free_ char *link = NULL;
    int r = text_format(&link, "/run/gantry/pods/%s/pod", name);
    return r < 0 ? r : link_read(link, ret_directory);
}

/* For gantry-start, which knows no Node. */
static int refresh(char **arguments) {
    node_complain(node_execute(arguments));
    return 1;
}

static int complain(const char *name, int error) {
    fprintf(stderr, "gantry-pod: pod \"%s\": %s\n", name, strerror(-error));
    return 1;
}

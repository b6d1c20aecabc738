#include "manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/cleanup.h"

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define UNIT_PATH "/org/freedesktop/systemd1/unit"
#define RECONNECTS_MAX 1500U
#define ABSENCES_MAX 100U
#define RECONNECT_PAUSE_US 20000U
#define LOSSES_MAX 100U
#define PRIVATE_SOCKET "unix:path=/run/systemd/private"

static int manager_await(sd_bus **ret, unsigned tries);
static int private_connect(sd_bus **ret);
static int job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error);

/*
 * A socket that nobody listens on is that of a PID 1 which is not there yet. One that is not there may be just between two,
 * or never come: a service sees what of /run its unit shows it.
 */
int manager_connect(sd_bus **ret) {
    int r = geteuid() == 0 ? private_connect(ret) : -EPERM;
    if (r == -ECONNREFUSED)
        return manager_reconnect(ret);
    if (r == -ENOENT && sd_booted() > 0)
        r = manager_await(ret, ABSENCES_MAX);
    return r < 0 ? sd_bus_open_system(ret) : r;
}

int manager_reconnect(sd_bus **ret) {
    return manager_await(ret, RECONNECTS_MAX);
}

/* Over its own socket only, for who may: the broker would answer for a PID 1 that is not there yet. */
static int manager_await(sd_bus **ret, unsigned tries) {
    int r;
    for (unsigned n = 0; (r = geteuid() == 0 ? private_connect(ret) : sd_bus_open_system(ret)) < 0 && n < tries; n++)
        (void)usleep(RECONNECT_PAUSE_US);
    return r;
}

bool manager_is_lost(sd_bus *bus) {
    return bus && sd_bus_is_open(bus) == 0;
}

int manager_work(ManagerWork work, void *userdata) {
    for (unsigned losses = 0;; losses++) {
        __attribute__((__cleanup__(sd_bus_flush_close_unrefp))) sd_bus *bus = NULL;
        int r = losses > 0 ? manager_reconnect(&bus) : manager_connect(&bus);
        if (r >= 0)
            r = work(bus, userdata);
        if (r >= 0 || !manager_is_lost(bus) || losses == LOSSES_MAX)
            return r;
    }
}

int manager_subscribe(sd_bus *bus) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    int r = manager_message(bus, &message, "Subscribe");
    if (r >= 0)
        r = sd_bus_message_set_expect_reply(message, 0);
    return r < 0 ? r : sd_bus_send(bus, message, NULL);
}

int manager_match_jobs(sd_bus *bus, JobMatch *match) {
    return sd_bus_match_signal(bus, NULL, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "JobRemoved", job_removed, match);
}

int manager_message(sd_bus *bus, sd_bus_message **ret, const char *member) {
    return sd_bus_message_new_method_call(bus, ret, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, member);
}

int manager_call(sd_bus *bus, const char *member, const char *unit, const char *mode) {
    return sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, member, NULL, NULL, mode ? "ss" : "s", unit,
                              mode);
}

int manager_stop(sd_bus *bus, const char *unit, char **ret_job) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    const char *job;
    int r = sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "StopUnit", NULL, &reply, "ss", unit,
                               "replace");
    if (r >= 0)
        r = sd_bus_message_read(reply, "o", &job);
    if (r < 0)
        return r;
    *ret_job = strdup(job);
    return *ret_job ? 0 : -ENOMEM;
}

void manager_kill(sd_bus *bus, const char *unit, const char *who, int signal) {
    (void)sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "KillUnit", NULL, NULL, "ssi", unit, who,
                             signal);
}

bool service_text(sd_bus *bus, const char *unit, const char *property, char **ret) {
    _cleanup_free_ char *path = NULL;
    return sd_bus_path_encode(UNIT_PATH, unit, &path) >= 0 &&
           sd_bus_get_property_string(bus, DESTINATION, path, DESTINATION ".Service", property, NULL, ret) >= 0;
}

bool service_number(sd_bus *bus, const char *unit, const char *property, int *ret) {
    _cleanup_free_ char *path = NULL;
    return sd_bus_path_encode(UNIT_PATH, unit, &path) >= 0 &&
           sd_bus_get_property_trivial(bus, DESTINATION, path, DESTINATION ".Service", property, NULL, 'i', ret) >= 0;
}

int unit_active_state(sd_bus *bus, const char *unit, char **ret) {
    _cleanup_free_ char *path = NULL;
    int r = sd_bus_path_encode(UNIT_PATH, unit, &path);
    return r < 0 ? r
                 : sd_bus_get_property_string(bus, DESTINATION, path, DESTINATION ".Unit", "ActiveState", NULL, ret);
}

int unit_begun(sd_bus *bus, const char *unit, uint64_t *ret) {
    _cleanup_free_ char *path = NULL;
    int r = sd_bus_path_encode(UNIT_PATH, unit, &path);
    return r < 0 ? r
                 : sd_bus_get_property_trivial(bus, DESTINATION, path, DESTINATION ".Unit", "InactiveExitTimestamp", NULL, 't',
                                               ret);
}

int unit_job(sd_bus *bus, const char *unit, char **ret_job) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    _cleanup_free_ char *path = NULL;
    const char *job;
    uint32_t id;
    int r = sd_bus_path_encode(UNIT_PATH, unit, &path);
    if (r >= 0)
        r = sd_bus_get_property(bus, DESTINATION, path, DESTINATION ".Unit", "Job", NULL, &reply, "(uo)");
    if (r >= 0)
        r = sd_bus_message_read(reply, "(uo)", &id, &job);
    if (r < 0 || id == 0)
        return r < 0 ? r : 0;
    return !ret_job || (*ret_job = strdup(job)) ? 1 : -ENOMEM;
}

bool job_stops(sd_bus *bus, const char *job) {
    _cleanup_free_ char *type = NULL;
    int r = sd_bus_get_property_string(bus, DESTINATION, job, DESTINATION ".Job", "JobType", NULL, &type);
    return r < 0 || strcmp(type, "stop") == 0;
}

static int private_connect(sd_bus **ret) {
    __attribute__((__cleanup__(sd_bus_unrefp))) sd_bus *bus = NULL;
    int r = sd_bus_new(&bus);
    if (r >= 0)
        r = sd_bus_set_address(bus, PRIVATE_SOCKET);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r < 0)
        return r;
    *ret = take_pointer(bus);
    return 0;
}

/* sd-bus has matched the sender; over the private socket the peer is PID 1 itself. */
static int job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    const JobMatch *match = userdata;
    const char *job, *unit, *result;
    uint32_t id;
    (void)error;
    if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0)
        match->handler(match->userdata, job, unit, result);
    return 0;
}

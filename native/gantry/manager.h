/* systemd's manager, as one connection and the few calls the front needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* dbus-daemon allows 128 pending replies per connection; PID 1 does one call at a time anyway. */
#define CALLS_MAX 64U

/*
 * Connects: root over PID 1's own socket (as systemctl does: no broker in between, and it works before one runs),
 * otherwise, or when that fails, over the system bus.
 */
int manager_connect(sd_bus **ret);

/* The same as before, once PID 1 answers again; waits up to 30 s for that. */
int manager_reconnect(sd_bus **ret);

/* Whether PID 1 has closed the connection, as it does when it is executed anew: `systemctl daemon-reexec`, any upgrade of systemd. */
bool manager_is_lost(sd_bus *bus);

/* Does `work` over a connection of its own, and once more, over another, whenever that was lost meanwhile. Its result, or -errno. */
typedef int (*ManagerWork)(sd_bus *bus, void *userdata);
int manager_work(ManagerWork work, void *userdata);

/* Asks for signals, without waiting for the answer. */
int manager_subscribe(sd_bus *bus);

/* Called for a manager's signal: `job` is the job's path, `result` systemd's word (systemd's Manager.JobRemoved). */
typedef void (*JobHandler)(void *userdata, const char *job, const char *unit, const char *result);
typedef struct JobMatch {
    JobHandler handler;
    void *userdata;
} JobMatch;

/* `match` must outlive the bus. */
int manager_match_jobs(sd_bus *bus, JobMatch *match);

/* New message for a manager method. */
int manager_message(sd_bus *bus, sd_bus_message **ret, const char *member);

/*
 * Calls a manager method with a unit and perhaps a mode: for clean-up of what may be gone, which is refused. It
 * waits for the reply, since PID 1 looks up its caller's privileges when it comes to the message, and a caller that
 * has exited by then has none.
 */
int manager_call(sd_bus *bus, const char *member, const char *unit, const char *mode);

/* StopUnit(unit, "replace"), in the same way; `ret_job` is the job's path (caller frees). */
int manager_stop(sd_bus *bus, const char *unit, char **ret_job);

/* KillUnit(unit, who, signal), in the same way. */
void manager_kill(sd_bus *bus, const char *unit, const char *who, int signal);

/* Properties of a unit's Service interface; false if the unit is not known or has no such property. */
bool service_text(sd_bus *bus, const char *unit, const char *property, char **ret);
bool service_number(sd_bus *bus, const char *unit, const char *property, int *ret);

/* Whether a job of the unit waits or runs: 0, 1 or -errno. `ret_job` may be NULL, else the job's path (caller frees). */
int unit_job(sd_bus *bus, const char *unit, char **ret_job);

/* Whether the job of this path stops its unit; true, too, for one that has ended meanwhile. */
bool job_stops(sd_bus *bus, const char *job);

/* ActiveState of a unit; "inactive" for one that is not loaded. Caller frees. */
int unit_active_state(sd_bus *bus, const char *unit, char **ret);

/* When a unit has last left its rest: realtime, microseconds; 0 for one that has not, or is not loaded. */
int unit_begun(sd_bus *bus, const char *unit, uint64_t *ret);

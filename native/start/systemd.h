/*
 * systemd's manager over PID 1's own socket, as systemctl has it, in the few calls that a start makes. No library: one takes
 * longer to load than all of this to run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "message.h"

/* A manager's JobRemoved: `job` is the job's path, `result` systemd's word. */
typedef void (*JobHandler)(void *userdata, const char *job, const char *unit, const char *result);

typedef struct Systemd {
    int fd;
    uint32_t serial;
    bool accepted;    /* the answer to the handshake has been read */
    uint8_t *buffer;  /* what has been received; [begin, end) is not yet handled */
    size_t room, begin, end;
    JobHandler job_ended; /* or NULL */
    void *userdata;
    int interrupt;    /* -1, or what waits end with -ECANCELED for when it is readable */
    bool missed;      /* jobs may have ended unheard: this is another connection than before */
} Systemd;

/* What a call came to; the strings lie in the connection's buffer until the next wait. */
typedef struct Reply {
    const char *error; /* NULL: none; else its name */
    const char *text;  /* the first value: the error's message, a job's path, a property */
} Reply;

/* Connects and begins the handshake, which systemd works on meanwhile. */
int systemd_open(Systemd *systemd);
void systemd_close(Systemd *systemd);

/*
 * PID 1 closes its connections when it is executed anew: `systemctl daemon-reexec`, any upgrade of systemd. Connects again
 * once it listens again, and waits up to 30 s for that. All but systemd_send() and systemd_await() do so themselves.
 */
int systemd_reopen(Systemd *systemd);

/* Sends a call that was begun with systemd_begin(); the serial to wait for, -ECONNRESET when the connection is lost, or -errno. */
void systemd_begin(Message *message, const char *member, const char *signature);
int systemd_send(Systemd *systemd, Message *message, uint32_t *ret_serial);
/* Handles what comes, signals too, until the reply is there. -ECONNRESET: systemd may have heard the call. */
int systemd_await(Systemd *systemd, uint32_t serial, Reply *ret);
/* Handles the next message. */
int systemd_wait(Systemd *systemd);

/* StopUnit and ResetFailedUnit; -EREMOTEIO if systemd refuses, as it does when there is no such unit. `mode` may be NULL. */
int systemd_call(Systemd *systemd, const char *member, const char *unit, const char *mode);

/* A property of a unit, as text or number; `interface` is "Unit" or "Service". -ENOENT: no such property. */
int systemd_text(Systemd *systemd, const char *unit, const char *interface, const char *property, char **ret);
int systemd_number(Systemd *systemd, const char *unit, const char *interface, const char *property, int *ret);
/* The path of a unit's job, "/" for none (caller frees). */
int systemd_job(Systemd *systemd, const char *unit, char **ret);
/* "start", "stop" and so on (caller frees). -ENOENT: the job has ended. */
int systemd_job_type(Systemd *systemd, const char *job, char **ret);

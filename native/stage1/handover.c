/* From our clone to systemd's main process: MAINPID=, READY=1, and a barrier before the app's end, without which the
 * status of a short-lived app is lost.
 *
 * By default the app is traced, and stops nowhere but at its end: READY=1 is said when its execve has succeeded, and a failed
 * one fails the start job. The app runs while PID 1 works through the messages; one that ends sooner is held until then.
 * Where tracing is forbidden (Yama 3, a security module), systemd is told and waited for just before the execve. */
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/notify.h"
#include "basic/process.h"
#include "stage1/channel.h"
#include "stage1/launch.h"

typedef struct Tracee {
    pid_t pid;
    pid_t pid_in_pod;
    bool traced;
    sigset_t waiting; /* the signal mask in which its stops are heard */
    bool ended;       /* it stands at its end, or is gone */
    int status;       /* then */
} Tracee;

int handover_clone(Launch *launch, Failure *failure) {
    int ends[2];
    int r = channel_open(ends);
    if (r < 0)
        return failure_set(failure, 0, -r, "socket pair");
    /* CLONE_PARENT: systemd is the parent of both of us, and waits for the app's status itself. */
    pid_t pid = process_clone(CLONE_PARENT | CLONE_NEWCGROUP, 0);
    if (pid < 0)
        return failure_set(failure, 0, (int)-pid, "process in %s", launch->plan->sandbox);
    launch->channel = ends[pid == 0];
    close(ends[pid != 0]);
    if (pid == 0)
        app_run(launch);
    launch->app = pid;
    return 0;
}

/* What the app itself has said by now waits in its own socket, and may only follow: systemd hears nobody but the main process.
 * So the sandbox listens there once we have closed our connection; that it can is settled while our failure is still the unit's. */
static int systemd_tell(Launch *launch, const Tracee *app, int *ret_barrier, Failure *failure) {
    char text[64];
    (void)snprintf(text, sizeof text, "MAINPID=%d%s", (int)app->pid, launch->plan->ready == READY_EXEC ? "\nREADY=1" : "");
    int r = relay_notify(launch, app->pid_in_pod, failure);
    if (r < 0)
        return r;
    r = notify_send(launch->notify, text);
    if (r < 0)
        return failure_set(failure, 0, -r, "systemd's notify socket");
    fd_close(&launch->notify_relay);
    r = notify_barrier_open(launch->notify, ret_barrier);
    return r < 0 ? failure_set(failure, 0, -r, "systemd's notify socket") : 0;
}

static void stop_noticed(int signal) {
    (void)signal; /* only ends the wait below */
}

/* SIGCHLD tells of the app's stops; it must not slip between a look at them and a wait. */
static int app_seize(Tracee *app) {
    const struct sigaction notice = { .sa_handler = stop_noticed };
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (sigaction(SIGCHLD, &notice, NULL) < 0 || sigprocmask(SIG_BLOCK, &child, &app->waiting) < 0)
        return -errno;
    sigdelset(&app->waiting, SIGCHLD);
    app->traced = ptrace(PTRACE_SEIZE, app->pid, 0, PTRACE_O_TRACEEXIT) == 0;
    return 0;
}

/* A stop of the tracer's own making carries an event and no signal to deliver; in a group stop the app stays (ptrace(2)). */
static void stop_pass(pid_t app, int status) {
    int event = status >> 16, signal = WSTOPSIG(status);
    bool group_stop = event == PTRACE_EVENT_STOP && signal != SIGTRAP;
    (void)ptrace(group_stop ? PTRACE_LISTEN : PTRACE_CONT, app, 0, event ? 0 : signal);
}

static int stops_take(Tracee *app) {
    int status;
    pid_t stopped = 0;
    while (!app->ended && (stopped = waitpid(app->pid, &status, __WALL | WNOHANG)) > 0) {
        unsigned long end = SIGKILL; /* which lets nobody stop at the end */
        bool at_end = WIFSTOPPED(status) && status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
        app->ended = at_end || !WIFSTOPPED(status);
        if (at_end)
            (void)ptrace(PTRACE_GETEVENTMSG, app->pid, 0, &end);
        if (app->ended)
            app->status = at_end ? (int)end : status;
        else
            stop_pass(app->pid, status);
    }
    return stopped < 0 ? -errno : 0;
}

/* Passes the app's stops on until `fd` has something to say: 0, or 1 if the app has ended and it has not. */
static int app_accompany(Tracee *app, int fd, const struct timespec *limit) {
    static const struct timespec no_time = { 0 };
    for (;;) {
        int r = stops_take(app);
        if (r < 0)
            return r;
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int ready = ppoll(&wait, 1, app->ended ? &no_time : limit, &app->waiting);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return app->ended ? 1 : -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* The process came to its end before its program began: its report tells why. */
static int ended_early(Launch *launch, int status, Failure *failure) {
    Report report;
    (void)ptrace(PTRACE_CONT, launch->app, 0, 0); /* its end closes the channel */
    while (channel_receive(launch->channel, &report) == 1)
        if (report.kind == REPORT_FAILED) {
            *failure = report.failure;
            return -ECHILD;
        }
    if (WIFSIGNALED(status))
        return failure_say(failure, 0, ECHILD, "the app's process was killed by signal %d", WTERMSIG(status));
    return failure_say(failure, WEXITSTATUS(status), ECHILD, "the app's process ended with %d", WEXITSTATUS(status));
}

/* Takes the app process's next report: 1, or 0 if it has closed the channel. Its failure becomes ours. From the first report on
 * whoever waits for one must take the app's stops, too: an end that nobody lets go on closes no channel. */
static int report_take(Launch *launch, Tracee *app, Report *ret, Failure *failure) {
    int r = app->traced ? app_accompany(app, launch->channel, NULL) : 0;
    if (r > 0)
        return ended_early(launch, app->status, failure);
    if (r == 0)
        r = channel_receive(launch->channel, ret);
    if (r < 0)
        return failure_set(failure, 0, -r, "the app's process");
    if (r == 0 || ret->kind != REPORT_FAILED)
        return r;
    *failure = ret->failure;
    return -ECHILD;
}

static int report_await(Launch *launch, Tracee *app, ReportKind kind, Report *ret, Failure *failure) {
    int r = report_take(launch, app, ret, failure);
    if (r < 0)
        return r;
    return r == 1 && ret->kind == kind ? 0 : failure_say(failure, 0, ECHILD, "the app's process ended");
}

/* The process is confined by then: whoever takes it from `started` finds the app's root and no other. */
static int ready_await(Launch *launch, Tracee *app, Failure *failure) {
    Report report;
    int r = report_await(launch, app, REPORT_READY, &report, failure);
    return r < 0 ? r : status_place_started(launch, failure);
}

/* The execve closes the channel, from where there is no way back: what the kernel cannot load after that ends by SIGSEGV, as
 * a program's own end. An end closes nothing before it has been a stop. */
static int exec_await(Launch *launch, Tracee *app, Failure *failure) {
    Report report;
    int r = report_take(launch, app, &report, failure);
    return r > 0 ? failure_set(failure, 0, EBADMSG, "the app's process") : r;
}

/* The app runs already. At its end it stays until systemd knows it and we have gone: a tracer that exits lets go without
 * another stop, which would interrupt the app's system calls (ptrace(2), "Detaching of the tracee"). Should systemd not
 * be told, our own end fails the unit, and systemd kills what is left in it. */
static int app_release(Launch *launch, Tracee *app, Failure *failure) {
    const struct timespec limit = { .tv_sec = NOTIFY_BARRIER_MS / 1000 };
    int barrier;
    int r = systemd_tell(launch, app, &barrier, failure);
    if (r < 0)
        return r;
    r = app_accompany(app, barrier, &limit);
    if (r > 0)
        r = notify_barrier_await(barrier, NOTIFY_BARRIER_MS);
    return r < 0 ? failure_set(failure, 0, -r, "the app's process") : 0;
}

static int go_send(Launch *launch, Failure *failure) {
    const Report go = { .kind = REPORT_GO };
    int r = channel_send(launch->channel, &go);
    return r < 0 ? failure_set(failure, 0, -r, "the app's process") : 0;
}

static int handover_traced(Launch *launch, Tracee *app, Failure *failure) {
    int r = go_send(launch, failure); /* it need not wait once it is ready */
    if (r >= 0 || r == -EPIPE)
        r = ready_await(launch, app, failure);
    if (r >= 0)
        r = exec_await(launch, app, failure);
    return r < 0 ? r : app_release(launch, app, failure);
}

static int handover_early(Launch *launch, Tracee *app, Failure *failure) {
    int barrier;
    int r = ready_await(launch, app, failure);
    if (r >= 0)
        r = systemd_tell(launch, app, &barrier, failure);
    if (r < 0)
        return r;
    r = notify_barrier_await(barrier, NOTIFY_BARRIER_MS);
    if (r < 0)
        return failure_set(failure, 0, -r, "systemd's notify socket");
    r = go_send(launch, failure);
    /* A failure can only be told now; the unit fails by the app's own status. */
    return r < 0 ? r : exec_await(launch, app, failure);
}

static int handover_run(Launch *launch, Tracee *app, Failure *failure) {
    Report report;
    int r = report_await(launch, app, REPORT_PID, &report, failure);
    if (r < 0)
        return r;
    app->pid_in_pod = report.pid;
    r = status_prepare_started(launch, failure); /* while the app's process confines itself */
    if (r >= 0)
        r = relay_register(launch, report.pid, failure);
    if (r < 0)
        return r;
    return app->traced ? handover_traced(launch, app, failure) : handover_early(launch, app, failure);
}

int handover_finish(Launch *launch, Failure *failure) {
    Tracee app = { .pid = launch->app };
    int r = app_seize(&app);
    if (r < 0)
        return failure_set(failure, 0, -r, "the app's process");
    r = handover_run(launch, &app, failure);
    if (r < 0)
        status_discard_started(launch);
    return r;
}

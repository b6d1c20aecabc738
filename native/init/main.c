/*
 * gantry-init OWNER GRACE HOLD: pid 1 of a pod. Relays output, reaps orphans, and ends the pod's processes when systemd
 * asks. Its start is native/namespace, which has made the namespaces and emptied the root; namespace/init.h is the
 * contract.
 *
 * It stays for as long as the pod. So it is built with a small C library, uses no standard I/O and no heap, and is a few
 * pages in all.
 */
#include "namespace/init.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privileges.h"
#include "relay/relay.h"

#define TAG_SIGNAL 0U
#define EVENTS_PER_TURN 16
#define SIGNALS_PER_TURN 16 /* also orphans: who sends or makes them without a pause must not keep the relay from its turn */
#define STOP_TICK_MS 10 /* apps are systemd's children: their end sends no SIGCHLD here */

/* Where the three descriptors end up that are kept; nothing is ever executed from here, so no close-on-exec. */
enum { LISTENER_FD = INIT_LISTENER_FD, SIGNAL_FD = 1, EPOLL_FD = 2, FIRST_UNUSED_FD = 3 };

typedef struct Stop {
    bool asked;
    int status;        /* to exit with */
    uint64_t deadline; /* CLOCK_MONOTONIC, microseconds: then the rest is killed */
} Stop;

typedef struct Options {
    uid_t owner;
    unsigned grace_ms;
    bool hold;
} Options;

static Relay relay; /* static, so that an idle pod touches few pages */

static InitStep init_prepare(char **arguments, Options *ret, int *ret_report);
static bool options_read(char **arguments, Options *ret);
static int descriptors_keep(const Options *options, int *ret_report);
static int signals_open(void);
static void signals_limit_lift(void);
static int init_loop(const Options *options);
static void signals_read(Stop *stop, const Options *options);
static bool stop_asked(const struct signalfd_siginfo *info, uid_t owner);
static void stop_begin(Stop *stop, int status, const Options *options);
static void children_reap(void);
static bool stop_done(const Stop *stop);

int main(int argc, char **argv) {
    Options options;
    int report_fd = INIT_REPORT_FD;
    /* An execve may make a process dumpable again, and with that readable through /proc/1 (see also meson.build). */
    (void)prctl(PR_SET_DUMPABLE, 0);
    /* The relay's table is touched a page here and there: a huge page for it would be a thousand times its size. */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    InitStep failed = argc == 4 ? init_prepare(argv + 1, &options, &report_fd) : INIT_ARGUMENTS;
    /* Tells whoever connects from now on by the socket's credentials that its pid 1 stands, and who it is (SO_PEERCRED). */
    if (failed == INIT_STANDS && listen(LISTENER_FD, INIT_BACKLOG) < 0)
        failed = INIT_DESCRIPTORS;
    const InitReport report = { failed, failed == INIT_STANDS ? 0 : errno };
    /* Who does not hear of the sandbox reports its death. */
    (void)!write(report_fd, &report, sizeof report);
    if (failed != INIT_STANDS)
        return 1;
    (void)syscall(SYS_close_range, FIRST_UNUSED_FD, ~0U, 0);
    int status = init_loop(&options);
    relay_finish(&relay);
    return status;
}

/* Leaves errno of the step that it returns. */
static InitStep init_prepare(char **arguments, Options *ret, int *ret_report) {
    (void)prctl(PR_SET_NAME, "gantry-sandbox");
    errno = EINVAL;
    if (!options_read(arguments, ret))
        return INIT_ARGUMENTS;
    if (descriptors_keep(ret, ret_report) < 0)
        return INIT_DESCRIPTORS;
    signals_limit_lift();
    return privileges_drop();
}

static bool options_read(char **arguments, Options *ret) {
    char *owner_end, *grace_end;
    unsigned long owner = strtoul(arguments[0], &owner_end, 10), grace = strtoul(arguments[1], &grace_end, 10);
    *ret = (Options){ (uid_t)owner, (unsigned)grace * 1000U, strcmp(arguments[2], "hold") == 0 };
    return !*owner_end && !*grace_end && owner_end != arguments[0] && grace_end != arguments[1];
}

/* The report's descriptor makes room for the kept ones. */
static int descriptors_keep(const Options *options, int *ret_report) {
    int report = dup(INIT_REPORT_FD), signals = signals_open(), epoll = epoll_create1(0);
    if (report < 0 || signals < 0 || epoll < 0)
        return -1;
    *ret_report = report;
    if (dup2(signals, SIGNAL_FD) < 0 || dup2(epoll, EPOLL_FD) < 0)
        return -1;
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = TAG_SIGNAL };
    if (epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, SIGNAL_FD, &event) < 0)
        return -1;
    int r = relay_start(&relay, EPOLL_FD, LISTENER_FD, options->owner, options->hold);
    if (r < 0)
        errno = -r;
    return r;
}

/* Blocked signals reach a signalfd even as pid 1, where default actions are ignored (pid_namespaces(7)). The others are dropped:
 * none of them may pile up here. */
static int signals_open(void) {
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    if (sigprocmask(SIG_SETMASK, &handled, NULL) < 0)
        return -1;
    return signalfd(-1, &handled, SFD_NONBLOCK);
}

/* Beyond this limit the kernel forgets who sent a signal (see stop_asked()). Where host root is 0, who sent it must not be forgotten;
 * where it is not, the kernel refuses this. */
static void signals_limit_lift(void) {
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    (void)setrlimit(RLIMIT_SIGPENDING, &none);
}

/* Returns the status to exit with. */
static int init_loop(const Options *options) {
    struct epoll_event events[EVENTS_PER_TURN];
    Stop stop = { 0 };
    for (;;) {
        int wait = relay_timeout(&relay);
        if (stop.asked && (wait < 0 || wait > STOP_TICK_MS))
            wait = STOP_TICK_MS;
        int count = epoll_wait(EPOLL_FD, events, EVENTS_PER_TURN, wait);
        for (int i = 0; i < count; i++)
            if (events[i].data.u64 == TAG_SIGNAL)
                signals_read(&stop, options);
            else
                relay_dispatch(&relay, events[i].data.u64, events[i].events);
        relay_expire(&relay);
        if (relay.ending && !stop.asked)
            stop_begin(&stop, relay.status, options);
        if (stop.asked && stop_done(&stop))
            return stop.status;
    }
}

static void signals_read(Stop *stop, const Options *options) {
    struct signalfd_siginfo info;
    for (unsigned i = 0; i < SIGNALS_PER_TURN && read(SIGNAL_FD, &info, sizeof info) == sizeof info; i++) {
        if (info.ssi_signo == SIGCHLD)
            children_reap();
        if (!stop->asked && stop_asked(&info, options->owner))
            stop_begin(stop, 0, options);
    }
}

/* A process of the pod may send SIGTERM to its pid 1; only host root ends the pod, whose pid is 0 from here. Where a sender may choose
 * what is told of it, it cannot claim to have called kill(2) (rt_sigqueueinfo(2)). But when its user has too many signals pending, the
 * kernel tells nothing of it, which reads as a kill(2) of pid 0 and id 0: in a user namespace not host root's. */
static bool stop_asked(const struct signalfd_siginfo *info, uid_t owner) {
    return info->ssi_signo == SIGTERM && info->ssi_code == SI_USER && info->ssi_pid == 0 && info->ssi_uid == owner;
}

static void stop_begin(Stop *stop, int status, const Options *options) {
    (void)kill(-1, SIGTERM);
    *stop = (Stop){ .asked = true, .status = status, .deadline = monotonic_now() + options->grace_ms * UINT64_C(1000) };
}

static void children_reap(void) {
    unsigned reaped = 0;
    while (reaped < SIGNALS_PER_TURN && waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        reaped++;
    if (reaped == SIGNALS_PER_TURN)
        (void)kill(1, SIGCHLD); /* for the others, in another turn */
}

/* The kernel kills what is left of a pid namespace when its pid 1 exits, so the grace time ends by returning. */
static bool stop_done(const Stop *stop) {
    return (kill(-1, 0) < 0 && errno == ESRCH) || monotonic_now() >= stop->deadline;
}

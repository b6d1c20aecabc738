/* pid 1 of the pod: relays output, reaps orphans, and ends the pod's processes when systemd asks. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/io.h"
#include "relay/relay.h"
#include "sandbox.h"

#define TAG_SIGNAL 0U
#define EVENTS_PER_TURN 16
#define STOP_TICK_MS 10 /* apps are systemd's children: their end sends no SIGCHLD here */

/* Where the three descriptors end up that are kept; nothing is ever executed from here, so no close-on-exec. */
enum { LISTENER_FD = 0, SIGNAL_FD = 1, EPOLL_FD = 2, FIRST_UNUSED_FD = 3 };

typedef struct Stop {
    bool asked;
    unsigned left_ms; /* until the rest is killed */
} Stop;

static Relay relay; /* static, so that an idle pod touches few pages */

static int init_prepare(const Init *init, Failure *failure);
static int descriptors_keep(const Init *init, Failure *failure);
static void init_loop(unsigned grace_seconds);
static void signals_read(Stop *stop, unsigned grace_seconds);
static void children_reap(void);
static bool stop_done(Stop *stop);

_Noreturn void init_main(const Init *init) {
    Failure failure = { 0 };
    int r = init_prepare(init, &failure);
    /* A launcher that does not hear of the sandbox reports its death. */
    (void)io_write_all(init->report, &failure, sizeof failure);
    if (r < 0)
        _exit(failure.status);
    unsigned grace = init->plan->grace;
    (void)close_range(FIRST_UNUSED_FD, ~0U, 0);
    init_loop(grace);
    relay_finish(&relay);
    _exit(0);
}

static int init_prepare(const Init *init, Failure *failure) {
    int r = namespaces_enter(init->plan, failure);
    if (r >= 0)
        r = root_empty(failure);
    if (r >= 0)
        r = descriptors_keep(init, failure);
    if (r >= 0)
        r = privileges_drop(failure);
    return r;
}

static int descriptors_keep(const Init *init, Failure *failure) {
    sigset_t all, handled;
    sigfillset(&all);
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    /* Blocked signals reach a signalfd even as pid 1, where default actions are ignored (pid_namespaces(7)). */
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "signal mask of the sandbox");
    int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (signals < 0 || epoll < 0 || dup2(init->listener, LISTENER_FD) < 0 || dup2(signals, SIGNAL_FD) < 0 ||
        dup2(epoll, EPOLL_FD) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "descriptors of the sandbox");
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = TAG_SIGNAL };
    int r = epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, SIGNAL_FD, &event) < 0 ? -errno : 0;
    if (r >= 0)
        r = relay_start(&relay, EPOLL_FD, LISTENER_FD, init->owner, init->hold);
    return r < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, -r, "event loop of the sandbox") : 0;
}

static void init_loop(unsigned grace_seconds) {
    struct epoll_event events[EVENTS_PER_TURN];
    Stop stop = { 0 };
    for (;;) {
        int wait = relay_timeout(&relay);
        if (stop.asked && (wait < 0 || wait > STOP_TICK_MS))
            wait = STOP_TICK_MS;
        int count = epoll_wait(EPOLL_FD, events, EVENTS_PER_TURN, wait);
        for (int i = 0; i < count; i++)
            if (events[i].data.u64 == TAG_SIGNAL)
                signals_read(&stop, grace_seconds);
            else
                relay_dispatch(&relay, events[i].data.u64, events[i].events);
        relay_expire(&relay);
        if (stop.asked && stop_done(&stop))
            return;
    }
}

/* A process of the pod may send SIGTERM to its pid 1; only a sender outside (pid 0 from here) ends the pod. */
static void signals_read(Stop *stop, unsigned grace_seconds) {
    struct signalfd_siginfo info;
    while (read(SIGNAL_FD, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            children_reap();
        if (info.ssi_signo != SIGTERM || info.ssi_pid != 0 || stop->asked)
            continue;
        (void)kill(-1, SIGTERM);
        *stop = (Stop){ .asked = true, .left_ms = grace_seconds * 1000 };
    }
}

static void children_reap(void) {
    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        ;
}

/* The kernel kills what is left of a pid namespace when its pid 1 exits, so the grace time ends by returning. */
static bool stop_done(Stop *stop) {
    if (kill(-1, 0) < 0 && errno == ESRCH)
        return true;
    bool over = stop->left_ms < STOP_TICK_MS;
    stop->left_ms -= over ? stop->left_ms : STOP_TICK_MS;
    return over;
}

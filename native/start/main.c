/*
 * gantry-start NAME: starts an installed pod, as ExecStart= of gantry@<name>.service. It has systemd start the apps, makes the
 * sandbox beside, and hands that over as main process when all are ready: an app that cannot be started fails the start.
 * Runs no Node while the definition is what it was. Every millisecond here is one of `systemctl start`, so it is built as
 * gantry-init is and speaks to systemd itself.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "apps.h"
#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "basic/notify.h"
#include "basic/text.h"
#include "current.h"
#include "namespace/sandbox.h"
#include "plan/claim.h"
#include "refresh.h"
#include "relay/packet.h"

#define LEAVING_POLL_US 20000U
/* Shown for a refusal by `systemctl status`; a sentence of the TypeScript half is shorter. */
#define SENTENCE_MAX 4096U

typedef struct Start {
    const char *name;
    char *directory;
    Systemd systemd;
    int notify;
    int stop; /* readable once the pod is to stop */
    Sandbox sandbox;
    Failure failure; /* of the sandbox, or of the preparation */
    UnitSet set;
} Start;

static int pod_start(Start *start);
static int systemd_connect(Start *start);
static int directory_find(Start *start);
static int definition_refresh(Start *start);
static int pod_link(const Start *start);
static int pod_open(Start *start);
static int apps_start(Start *start, Apps *apps);
static int stop_hold(Start *start);
static int apps_up(Start *start, Apps *apps);
static bool stop_asked(const Start *start);
static void pod_end(const Start *start, const FirstFailure *first);
static int systemd_tell(const Start *start);
static int start_tell(Start *start, int error);
static void failure_notify(const Start *start);
static void start_done(Start *start);
static void stop_release(void);

int main(int argc, char **argv) {
    if (argc != 2 || !claim_name_valid(argv[1])) {
        fputs("Usage: gantry-start NAME\n", stderr);
        return 2;
    }
    Start start = { .name = argv[1], .systemd = { .fd = -1, .interrupt = -1 }, .notify = -1, .stop = -1, .sandbox.listener = -1 };
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    int r = pod_start(&start);
    int status = r < 0 ? start_tell(&start, r) : 0;
    start_done(&start);
    stop_release();
    return status;
}

static int pod_start(Start *start) {
    Apps apps = { .pod = start->name, .set = &start->set, .systemd = &start->systemd, .stop = -1 };
    /* systemd takes a while for a new connection. */
    int r = systemd_connect(start);
    if (r >= 0)
        r = directory_find(start);
    if (r >= 0)
        r = pod_link(start);
    if (r >= 0)
        r = notify_connect(&start->notify);
    if (r >= 0)
        r = pod_open(start);
    if (r >= 0)
        r = stop_hold(start);
    if (r >= 0)
        r = apps_start(start, &apps);
    apps_done(&apps);
    return r;
}

static int systemd_connect(Start *start) {
    int r = systemd_open(&start->systemd);
    if (r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE) /* PID 1 is being executed anew */
        r = systemd_reopen(&start->systemd);
    if (r >= 0)
        return 0;
    fprintf(stderr, "gantry-start: connecting to systemd: %s\n", strerror(-r));
    return -ECHILD;
}

static int directory_find(Start *start) {
    int r = pod_current(start->name, &start->directory);
    if (r != -ESTALE)
        return r;
    /* That takes long, and nobody would read what systemd says meanwhile. */
    systemd_close(&start->systemd);
    r = definition_refresh(start);
    if (r >= 0)
        r = pod_current(start->name, &start->directory);
    return r < 0 ? r : systemd_connect(start);
}

/* The TypeScript half's sentence becomes the unit's status. */
static int definition_refresh(Start *start) {
    char sentence[SENTENCE_MAX];
    int status = pod_refresh(start->name, sentence, sizeof sentence);
    fputs(sentence, stderr);
    if (status == 0)
        return 0;
    sentence[strcspn(sentence, "\n")] = '\0';
    const char *said = text_starts_with(sentence, "gantry: ") ? sentence + strlen("gantry: ") : sentence;
    (void)snprintf(start->failure.step, sizeof start->failure.step, "prepare");
    (void)failure_say(&start->failure, status, 0, "%s", said);
    if (notify_connect(&start->notify) >= 0)
        failure_notify(start);
    return -ECHILD;
}

/* What the unit's other commands work on: the pod that was started, whatever is installed meanwhile. */
static int pod_link(const Start *start) {
    _cleanup_free_ char *link = NULL;
    int r = text_format(&link, "/run/gantry/pods/%s/pod", start->name);
    if (r < 0)
        return r;
    (void)unlink(link);
    return symlink(start->directory, link) < 0 ? -errno : 0;
}

static int pod_open(Start *start) {
    _cleanup_free_ char *plan = NULL, *sentence = NULL;
    int r = text_format(&plan, "%s/sandbox.json", start->directory);
    if (r >= 0)
        r = sandbox_open(plan, &start->sandbox, &start->failure);
    if (r >= 0) {
        r = unit_set_load(start->directory, &start->set, &sentence);
        if (r < 0 && sentence)
            fprintf(stderr, "gantry-start: %s\n", sentence);
    }
    return r < 0 ? r : unit_set_write_started(&start->set, start->directory, true);
}

/*
 * SIGTERM comes when a unit that still starts is stopped, or takes too long: systemd has no ExecStop= for it. From here on
 * the sandbox is not to go before the apps, which have their own time to end.
 */
static int stop_hold(Start *start) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
        return -errno;
    start->stop = signalfd(-1, &stop, SFD_CLOEXEC);
    return start->stop < 0 ? -errno : 0;
}

/* systemd starts the apps while the sandbox is made; they wait for it on its socket. */
static int apps_start(Start *start, Apps *apps) {
    apps->stop = start->stop;
    int r = apps_call(apps);
    if (r < 0)
        return r;
    r = sandbox_start(&start->sandbox, false, &start->failure);
    if (r < 0)
        apps_undo(apps);
    else
        r = apps_await(apps);
    return r < 0 ? r : apps_up(start, apps);
}

/*
 * While the unit's start job is there, nothing else can end the pod: neither an app that failed while others still
 * started, which fails the start, nor what ended since; that is looked for once more when the job is done.
 */
static int apps_up(Start *start, Apps *apps) {
    Ended ended;
    int r = apps_count(apps, &ended);
    if (r >= 0 && (ended.failed > 0 || stop_asked(start))) {
        apps_undo(apps);
        return -ECHILD;
    }
    if (r >= 0)
        r = systemd_tell(start);
    if (r >= 0 && stop_asked(start)) { /* it came here, and systemd waits for the sandbox now */
        apps_undo(apps);
        return kill(start->sandbox.pid, SIGTERM) < 0 ? -errno : 0;
    }
    while (r >= 0 && (r = apps_count(apps, &ended)) >= 0 && ended.leaving > 0)
        (void)usleep(LEAVING_POLL_US);
    if (r >= 0 && ended.all == start->set.n_apps)
        pod_end(start, &ended.first);
    else if (r >= 0 && ended.failed > 0) /* the slice's end is told to gantry-ended@.service */
        (void)systemd_call(&start->systemd, "StopUnit", start->set.unit, "fail");
    return r;
}

static bool stop_asked(const Start *start) {
    struct pollfd stop = { .fd = start->stop, .events = POLLIN };
    return poll(&stop, 1, 0) > 0;
}

static void pod_end(const Start *start, const FirstFailure *first) {
    _cleanup_free_ char *sentence = NULL;
    if (first->app && text_format(&sentence, "app \"%s\" failed right after its start; see journalctl -u %s", first->app->name,
                                  first->app->unit) >= 0)
        failure_leave(start->name, sentence);
    (void)packet_end(start->set.socket, first->ending.status);
}

/* The start job is done when this returns. */
static int systemd_tell(const Start *start) {
    _cleanup_free_ char *text = NULL;
    int r = text_format(&text, "MAINPID=%d\nREADY=1", start->sandbox.pid);
    if (r >= 0)
        r = notify_send(start->notify, text);
    return r < 0 ? r : notify_barrier(start->notify, NOTIFY_BARRIER_MS);
}

/* -ECHILD: what failed has told why. Returns the exit status. */
static int start_tell(Start *start, int error) {
    const Failure *failure = &start->failure;
    if (failure->status == 0) {
        if (error != -ECHILD)
            fprintf(stderr, "gantry-start: pod \"%s\": %s\n", start->name, strerror(-error));
        return 1;
    }
    if (error != -ECHILD) {
        (void)snprintf(start->failure.step, sizeof start->failure.step, "sandbox");
        fprintf(stderr, "gantry-start: %s: %s\n", failure->step, failure->text);
        failure_notify(start);
    }
    return failure->status;
}

/* PID 1 may look at a process's end before its last words, and then takes them for nobody's. */
static void failure_notify(const Start *start) {
    if (notify_failure(start->notify, &start->failure) >= 0)
        (void)notify_barrier(start->notify, NOTIFY_BARRIER_MS);
}

static void start_done(Start *start) {
    sandbox_close(&start->sandbox);
    unit_set_done(&start->set);
    systemd_close(&start->systemd);
    fd_close(&start->notify);
    fd_close(&start->stop);
    free(start->directory);
}

/* Who was asked to stop ends by that, which systemd takes for no failure. */
static void stop_release(void) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
}

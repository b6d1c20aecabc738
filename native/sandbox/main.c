/*
 * gantry-sandbox PLAN: the start of a pod. It makes the pod's namespaces and leaves one small process in them, pid 1 of the
 * pod, which is systemd's own child and the main process of the pod's unit.
 *
 * Unit: Type=simple, NotifyAccess=main. The apps are started while this works, and wait on the pod's socket. What fails here
 * fails the unit, and the apps are bound to it.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/kernel.h"
#include "basic/notify.h"
#include "basic/text.h"
#include "namespace/sandbox.h"

static int sandbox_launch(const char *plan_path, int notify, Failure *failure);
static bool front_comes(const char *plan_path);
static int systemd_tell(int notify, pid_t pid, Failure *failure);
static int failure_report(int notify, const Failure *failure);

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("Usage: gantry-sandbox PLAN\n", stderr);
        return 64;
    }
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)prctl(PR_SET_DUMPABLE, 0);
    _cleanup_fd_ int notify = -1;
    Failure failure = { .step = "sandbox" };
    int r = notify_connect(&notify);
    if (r < 0)
        r = failure_set(&failure, EXIT_STATUS_CONFIG, -r, "$NOTIFY_SOCKET");
    else
        r = sandbox_launch(argv[1], notify, &failure);
    return r < 0 ? failure_report(notify, &failure) : 0;
}

static int sandbox_launch(const char *plan_path, int notify, Failure *failure) {
    Sandbox sandbox;
    bool hold = front_comes(plan_path); /* asked before there is a socket for it to attach to */
    int r = sandbox_open(plan_path, &sandbox, failure);
    if (r >= 0)
        r = sandbox_start(&sandbox, hold, failure);
    if (r >= 0)
        r = systemd_tell(notify, sandbox.pid, failure);
    sandbox_close(&sandbox);
    return r;
}

/*
 * Whether a front will attach, for which apps wait. The variable stays in the unit for its restarts, which nobody attaches to:
 * a front that has not attached yet holds a lock on the pod's `started`.
 */
static bool front_comes(const char *plan_path) {
    const char *slash = strrchr(plan_path, '/');
    _cleanup_free_ char *started = NULL;
    if (!getenv("GANTRY_ATTACH") || text_format(&started, "%.*sstarted", slash ? (int)(slash - plan_path) + 1 : 0, plan_path) < 0)
        return false;
    _cleanup_fd_ int fd = open(started, O_RDONLY | O_CLOEXEC);
    return fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0;
}

/* Until systemd knows the pod's pid 1, this process's exit would end the unit. */
static int systemd_tell(int notify, pid_t pid, Failure *failure) {
    _cleanup_free_ char *text = NULL;
    int r = text_format(&text, "MAINPID=%d", pid);
    if (r >= 0)
        r = notify_send(notify, text);
    if (r >= 0)
        r = notify_barrier(notify, NOTIFY_BARRIER_MS);
    return r < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, -r, "handing the sandbox over to systemd") : 0;
}

/* The sentence goes to systemd (StatusText) and, through stderr, to the journal. Returns the exit status. */
static int failure_report(int notify, const Failure *failure) {
    fprintf(stderr, "gantry-sandbox: %s\n", failure->text);
    if (notify >= 0 && notify_failure(notify, failure) >= 0)
        (void)notify_barrier(notify, NOTIFY_BARRIER_MS);
    return failure->status;
}

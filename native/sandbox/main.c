/*
 * gantry-sandbox PLAN: makes a pod's namespaces and leaves one small process in them, pid 1 of the pod, which is
 * systemd's own child and the main process of the pod's unit.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/notify.h"
#include "basic/process.h"
#include "basic/text.h"
#include "sandbox.h"
#include "trust/stamp.h"

#define BARRIER_WAIT_MS 5000
#define BACKLOG 64
#define EXIT_NOT_TRUSTED 5 /* docs/errors.md */

static int sandbox_launch(const char *plan_path, int notify, Failure *failure);
static int trust_check(const char *plan_path, const SandboxPlan *plan, Failure *failure);
static int socket_bind(const char *path, Failure *failure);
static int init_start(Init *init, pid_t *ret_pid, Failure *failure);
static int init_await(int report, Failure *failure);
static int owner_of(const UsernsPlan *userns, uid_t *ret);
static int failure_report(int notify, const Failure *failure);

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("Usage: gantry-sandbox PLAN\n", stderr);
        return 64;
    }
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)prctl(PR_SET_DUMPABLE, 0);
    /* The relay's table is touched a page here and there: a huge page for it would be a thousand times its size. */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    _cleanup_fd_ int notify = -1;
    Failure failure = { 0 };
    int r = notify_connect(&notify);
    if (r < 0)
        r = failure_set(&failure, EXIT_STATUS_CONFIG, -r, "$NOTIFY_SOCKET");
    else
        r = sandbox_launch(argv[1], notify, &failure);
    return r < 0 ? failure_report(notify, &failure) : 0;
}

static int sandbox_launch(const char *plan_path, int notify, Failure *failure) {
    _cleanup_sandbox_plan_ SandboxPlan *plan = NULL;
    _cleanup_free_ char *sentence = NULL, *ready = NULL;
    int r = sandbox_plan_load(plan_path, &plan, &sentence);
    if (r < 0)
        return sentence ? failure_say(failure, EXIT_STATUS_CONFIG, -r, "%s", sentence)
                        : failure_set(failure, EXIT_STATUS_CONFIG, -r, "%s", plan_path);
    r = trust_check(plan_path, plan, failure);
    if (r < 0)
        return r;
    Init init = { .plan = plan, .hold = getenv("GANTRY_ATTACH") != NULL };
    r = owner_of(&plan->userns, &init.owner);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_USER, -r, "/proc/sys/kernel/overflowuid");
    _cleanup_fd_ int listener = init.listener = socket_bind(plan->socket, failure);
    if (listener < 0)
        return listener;
    pid_t pid = 0;
    r = init_start(&init, &pid, failure);
    if (r < 0)
        return r;
    r = text_format(&ready, "MAINPID=%d\nREADY=1", pid);
    if (r >= 0)
        r = notify_send(notify, ready);
    if (r >= 0) /* until systemd knows the pod's pid 1, this process's exit would end the unit */
        r = notify_barrier(notify, BARRIER_WAIT_MS);
    return r < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, -r, "handing the sandbox over to systemd") : 0;
}

/*
 * Whoever starts a pod has had its images judged, and this sees that stamp. A start past all of them, such as
 * `systemctl restart` of the pod's transient unit, has nobody to ask, so it is refused when trust has changed.
 */
static int trust_check(const char *plan_path, const SandboxPlan *plan, Failure *failure) {
    const char *slash = strrchr(plan_path, '/');
    _cleanup_free_ char *directory = slash ? strndup(plan_path, (size_t)(slash - plan_path)) : strdup(".");
    if (!directory)
        return failure_set(failure, EXIT_STATUS_CONFIG, ENOMEM, "%s", plan_path);
    if (trust_stamp_holds(directory))
        return 0;
    return failure_say(failure, EXIT_NOT_TRUSTED, EKEYREJECTED,
                       "keys or rules of trust have changed since the images of pod \"%s\" were judged: gantry start %s",
                       plan->pod, plan->pod);
}

/* systemd has made the directory, 0700, below /run: RuntimeDirectory= of the unit. */
static int socket_bind(const char *path, Failure *failure) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return failure_set(failure, EXIT_STATUS_CONFIG, ENAMETOOLONG, "%s", path);
    strcpy(address.sun_path, path);
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(path); /* of a sandbox that was killed, when the directory is preserved over a restart */
    mode_t mask = umask(0177);
    int r = fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
    (void)umask(mask);
    return r < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, -r, "socket %s", path) : fd_take(&fd);
}

static int init_start(Init *init, pid_t *ret_pid, Failure *failure) {
    int go[2] = { -1, -1 }, report[2] = { -1, -1 };
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "pipe");
    _cleanup_fd_ int go_read = go[0], go_write = go[1], report_read = report[0], report_write = report[1];
    init->report = report_write;
    /* CLONE_PARENT makes the pod's pid 1 systemd's child, not this launcher's. */
    pid_t pid = process_clone(namespaces_flags(init->plan) | CLONE_PARENT, 0);
    if (pid < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, -pid, "the pod's namespaces");
    if (pid == 0) {
        char byte;
        fd_close(&go_write);
        if (io_read(go_read, &byte, 1) != 1)
            _exit(EXIT_STATUS_NAMESPACE); /* the launcher has failed and says why */
        init_main(init);
    }
    fd_close(&report_write);
    int r = namespaces_map(pid, &init->plan->userns, failure);
    if (r >= 0)
        r = io_write_all(go_write, "g", 1) < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, EPIPE, "the pod's pid 1") : 0;
    if (r >= 0)
        r = init_await(report_read, failure);
    if (r >= 0)
        *ret_pid = pid;
    return r;
}

static int init_await(int report, Failure *failure) {
    Failure told;
    if (io_read(report, &told, sizeof told) != sizeof told)
        return failure_say(failure, EXIT_STATUS_NAMESPACE, EPIPE, "the pod's pid 1 ended before it was ready");
    if (told.status == 0)
        return 0;
    *failure = told;
    return -told.error;
}

/* Host root as the sandbox will see it in SO_PEERCRED: an id without a mapping reads as the overflow id. */
static int owner_of(const UsernsPlan *userns, uid_t *ret) {
    _cleanup_free_ char *text = NULL;
    uint64_t overflow = 0;
    if (userns->mode == USERNS_POD) {
        int r = file_read(AT_FDCWD, "/proc/sys/kernel/overflowuid", 32, &text, NULL);
        if (r < 0)
            return r;
        text[strcspn(text, "\n")] = '\0';
        r = text_to_number(text, UINT32_MAX, &overflow);
        if (r < 0)
            return r;
    }
    *ret = (uid_t)overflow;
    return 0;
}

/* The sentence goes to systemd (StatusText) and, through stderr, to the journal. Returns the exit status. */
static int failure_report(int notify, const Failure *failure) {
    _cleanup_free_ char *status = NULL;
    fprintf(stderr, "gantry-sandbox: %s\n", failure->text);
    if (notify >= 0 && text_format(&status, "STATUS=sandbox: %s\nERRNO=%d", failure->text, failure->error) >= 0 &&
        notify_send(notify, status) >= 0)
        (void)notify_barrier(notify, BARRIER_WAIT_MS);
    return failure->status;
}

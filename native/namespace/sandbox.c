#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/kernel.h"
#include "basic/process.h"
#include "basic/text.h"
#include "init.h"
#include "internal.h"
#include "trust/stamp.h"

#define EXIT_NOT_TRUSTED 5 /* docs/errors.md */
#define PROGRAM GANTRY_LIBEXECDIR "/gantry-init"

/* The two ends of a clone: what the pod's first process needs before it is gantry-init. */
typedef struct Start {
    const Sandbox *sandbox;
    uid_t owner; /* host root as seen from the pod's user namespace */
    bool hold;
    int program; /* gantry-init, opened while its path exists */
    int go;      /* a byte comes here when the id range is set */
    int report;
} Start;

static int trust_check(const char *plan_path, const SandboxPlan *plan, Failure *failure);
static int socket_bind(const char *path, Failure *failure);
static int owner_of(const UsernsPlan *userns, uid_t *ret);
static int init_clone(Start *start, pid_t *ret_pid, Failure *failure);
_Noreturn static void init_become(const Start *start);
static int init_execute(const Start *start, Failure *failure);
static int init_await(int report, Failure *failure);
static int init_failed(const InitReport *report, Failure *failure);

int sandbox_open(const char *plan_path, Sandbox *ret, Failure *failure) {
    _cleanup_free_ char *sentence = NULL;
    *ret = (Sandbox){ .listener = -1 };
    int r = sandbox_plan_load(plan_path, &ret->plan, &sentence);
    if (r < 0)
        return sentence ? failure_say(failure, EXIT_STATUS_CONFIG, -r, "%s", sentence)
                        : failure_set(failure, EXIT_STATUS_CONFIG, -r, "%s", plan_path);
    r = trust_check(plan_path, ret->plan, failure);
    if (r < 0)
        return r;
    r = socket_bind(ret->plan->socket, failure);
    if (r >= 0)
        ret->listener = r;
    return r < 0 ? r : 0;
}

int sandbox_start(Sandbox *sandbox, bool hold, Failure *failure) {
    Start start = { .sandbox = sandbox, .hold = hold };
    int r = owner_of(&sandbox->plan->userns, &start.owner);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_USER, -r, "/proc/sys/kernel/overflowuid");
    _cleanup_fd_ int program = start.program = open(PROGRAM, O_PATH | O_CLOEXEC);
    return program < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, errno, PROGRAM) : init_clone(&start, &sandbox->pid, failure);
}

void sandbox_close(Sandbox *sandbox) {
    fd_close(&sandbox->listener);
    sandbox->plan = sandbox_plan_free(sandbox->plan);
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
    int r = fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, INIT_BACKLOG) < 0 ? -errno : 0;
    (void)umask(mask);
    return r < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, -r, "socket %s", path) : fd_take(&fd);
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

static int init_clone(Start *start, pid_t *ret_pid, Failure *failure) {
    const SandboxPlan *plan = start->sandbox->plan;
    int go[2] = { -1, -1 }, report[2] = { -1, -1 };
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "pipe");
    _cleanup_fd_ int go_read = go[0], go_write = go[1], report_read = report[0], report_write = report[1];
    start->go = go_read;
    start->report = report_write;
    /* CLONE_PARENT makes the pod's pid 1 systemd's child, not this process's. */
    pid_t pid = process_clone(namespaces_flags(plan) | CLONE_PARENT, 0);
    if (pid < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, -pid, "the pod's namespaces");
    if (pid == 0) {
        fd_close(&go_write);
        init_become(start);
    }
    fd_close(&report_write);
    int r = namespaces_map(pid, &plan->userns, failure);
    if (r >= 0)
        r = io_write_all(go_write, "g", 1) < 0 ? failure_set(failure, EXIT_STATUS_NAMESPACE, EPIPE, "the pod's pid 1") : 0;
    if (r >= 0)
        r = init_await(report_read, failure);
    if (r >= 0)
        *ret_pid = pid;
    return r;
}

_Noreturn static void init_become(const Start *start) {
    char byte;
    Failure failure = { 0 };
    (void)prctl(PR_SET_DUMPABLE, 0); /* from here on the pod's /proc shows this process */
    if (io_read(start->go, &byte, 1) != 1)
        _exit(EXIT_STATUS_NAMESPACE); /* who cloned us has failed and says why */
    int r = namespaces_enter(start->sandbox->plan, &failure);
    if (r >= 0)
        r = root_empty(&failure);
    if (r >= 0)
        (void)init_execute(start, &failure);
    (void)io_write_all(start->report, &failure, sizeof failure);
    _exit(failure.status);
}

/* Returns only on failure. By descriptor, since no path leads to the program from the empty root. */
static int init_execute(const Start *start, Failure *failure) {
    static char *const environment[] = { NULL };
    char owner[16], grace[16];
    (void)snprintf(owner, sizeof owner, "%u", start->owner);
    (void)snprintf(grace, sizeof grace, "%u", start->sandbox->plan->grace);
    char *arguments[] = { (char *)"gantry-init", owner, grace, (char *)(start->hold ? "hold" : "go"), NULL };
    if (dup2(start->sandbox->listener, INIT_LISTENER_FD) < 0 || dup2(start->report, INIT_REPORT_FD) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "descriptors of the sandbox");
    (void)execveat(start->program, "", arguments, environment, AT_EMPTY_PATH);
    return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, PROGRAM);
}

/* A failure before the execve comes as a whole; gantry-init sends its few words as numbers. */
static int init_await(int report, Failure *failure) {
    union {
        InitReport init;
        Failure failure;
    } told;
    ssize_t size = io_read(report, &told, sizeof told);
    if (size == sizeof told.init)
        return told.init.step == INIT_STANDS ? 0 : init_failed(&told.init, failure);
    if (size != sizeof told.failure)
        return failure_say(failure, EXIT_STATUS_NAMESPACE, EPIPE, "the pod's pid 1 ended before it was ready");
    memcpy(told.failure.step, failure->step, sizeof failure->step);
    *failure = told.failure;
    return -failure->error;
}

static int init_failed(const InitReport *report, Failure *failure) {
    static const struct {
        int status;
        const char *object;
    } steps[] = {
        [INIT_ARGUMENTS] = { EXIT_STATUS_CONFIG, "arguments" },
        [INIT_DESCRIPTORS] = { EXIT_STATUS_NAMESPACE, "descriptors" },
        [INIT_CAPABILITIES] = { EXIT_STATUS_CAPABILITIES, "capabilities" },
        [INIT_NO_NEW_PRIVILEGES] = { EXIT_STATUS_NO_NEW_PRIVILEGES, "no-new-privileges" },
        [INIT_FILTER] = { EXIT_STATUS_SECCOMP, "system call filter" },
    };
    size_t step = report->step < sizeof steps / sizeof *steps ? report->step : INIT_DESCRIPTORS;
    return failure_set(failure, steps[step].status, report->error, "%s of the sandbox", steps[step].object);
}

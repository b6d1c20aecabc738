#include "enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "confine/program.h"
#include "limits.h"

#define JOINED (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static pid_t child_clone(const Target *target);
static int cgroups_join(const Target *target, pid_t pid, Failure *failure);
static int child_await(int report, Failure *failure);
static _Noreturn void child_run(const Enter *enter, int go, int report);
static int child_enter(const Enter *enter, Failure *failure);
static int stdio_install(const Enter *enter, Failure *failure);

int enter_start(const Enter *enter, pid_t *ret_pid, Failure *failure) {
    int go[2] = { -1, -1 }, report[2] = { -1, -1 };
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        return failure_set(failure, 0, errno, "pipe");
    _cleanup_fd_ int go_read = go[0], go_write = go[1], report_read = report[0], report_write = report[1];
    /* Only children move: this process stays where the app can't see it. */
    if (setns(enter->target->pidfd, CLONE_NEWPID) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "the pod's process namespace");
    pid_t pid = child_clone(enter->target);
    if (pid < 0)
        return failure_set(failure, EXIT_STATUS_CGROUP, -pid, "a process in the app's control group");
    if (pid == 0) {
        fd_close(&go_write);
        child_run(enter, go_read, report_write);
    }
    fd_close(&report_write);
    int r = cgroups_join(enter->target, pid, failure);
    if (r >= 0)
        r = io_write_all(go_write, "g", 1) < 0 ? failure_set(failure, 0, EPIPE, "the entering process") : 0;
    if (r >= 0)
        r = child_await(report_read, failure);
    if (r < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return r;
    }
    *ret_pid = pid;
    return 0;
}

/* Born in the app's control group where there is one of version 2: no move, no wait for a grace period. */
static pid_t child_clone(const Target *target) {
    struct clone_args arguments = { .exit_signal = SIGCHLD };
    if (target->unified >= 0) {
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)target->unified;
    }
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid < 0 ? (pid_t)-errno : (pid_t)pid;
}

static int cgroups_join(const Target *target, pid_t pid, Failure *failure) {
    char text[16];
    int length = snprintf(text, sizeof text, "%d", (int)pid);
    for (size_t i = 0; i < target->n_procs; i++)
        if (write(target->procs[i], text, (size_t)length) != length)
            return failure_set(failure, EXIT_STATUS_CGROUP, errno, "the app's control group");
    return 0;
}

/* The execve closes the pipe; before that only a failure comes through it. */
static int child_await(int report, Failure *failure) {
    Failure told;
    ssize_t got = io_read(report, &told, sizeof told);
    if (got == 0)
        return 0;
    if (got != sizeof told)
        return failure_set(failure, 0, EPIPE, "the entering process");
    *failure = told;
    return -(told.error ? told.error : EIO);
}

static _Noreturn void child_run(const Enter *enter, int go, int report) {
    Failure failure = { 0 };
    char byte;
    if (io_read(go, &byte, 1) != 1)
        _exit(125);
    int r = child_enter(enter, &failure);
    if (r < 0)
        (void)io_write_all(report, &failure, sizeof failure);
    _exit(125);
}

/* The order stage1 keeps, without what the app already has: mounts, masks, a root. */
static int child_enter(const Enter *enter, Failure *failure) {
    const LaunchPlan *plan = enter->plan;
    if (setns(enter->target->pidfd, JOINED) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "the app's namespaces");
    int r = stdio_install(enter, failure);
    if (r < 0)
        return r;
    r = limits_set(enter->target->limits); /* the app's are its unit's, the caller's may be anything */
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_LIMITS, -r, "the app's resource limits");
    r = confinement_enter(enter->confinement, failure);
    if (r < 0)
        return r;
    char **environment = environment_make(&plan->process.env, enter->confinement->credentials.home,
                                          &(TextList){ (const char *[]){ enter->term }, enter->term != NULL });
    if (!environment)
        return failure_set(failure, EXIT_STATUS_EXEC, ENOMEM, "environment");
    r = confinement_seal(enter->confinement, failure);
    return r < 0 ? r : program_execute(enter->command, environment, failure);
}

/* A session of its own: the caller's terminal is not the app's, and its signals are forwarded, not shared. */
static int stdio_install(const Enter *enter, Failure *failure) {
    (void)setsid();
    if (enter->terminal && ioctl(enter->stdio[0], TIOCSCTTY, 0) < 0)
        return failure_set(failure, EXIT_STATUS_STDOUT, errno, "controlling terminal");
    int high[3];
    for (int i = 0; i < 3; i++) /* first out of the way of 0 to 2 */
        if ((high[i] = fcntl(enter->stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return failure_set(failure, EXIT_STATUS_STDOUT, errno, "standard streams");
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0)
            return failure_set(failure, EXIT_STATUS_STDOUT, errno, "standard streams");
    return 0;
}

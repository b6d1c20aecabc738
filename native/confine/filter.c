#include "confine/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "confine/default.h"

#define COMPILER GANTRY_LIBEXECDIR "/gantry-filter"

static int default_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure);
static int custom_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure);
static int compiler_run(const char *plan, char **ret_output, size_t *ret_size, int *ret_status);
static _Noreturn void compiler_execute(const char *plan, int output);

int seccomp_filter_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure) {
    *ret = (SeccompFilter){ 0 };
    if (plan->seccomp == SECCOMP_PLAN_NONE)
        return 0;
    return plan->seccomp == SECCOMP_PLAN_CUSTOM ? custom_make(plan, ret, failure) : default_make(plan, ret, failure);
}

int seccomp_filter_install(const SeccompFilter *filter, Failure *failure) {
    if (!filter->instructions)
        return 0;
    struct sock_fprog program = { .len = filter->count, .filter = filter->instructions };
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return failure_set(failure, EXIT_STATUS_SECCOMP, errno, "system call filter");
    return 0;
}

void seccomp_filter_done(SeccompFilter *filter) {
    free(filter->instructions);
    *filter = (SeccompFilter){ 0 };
}

static int default_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure) {
    int r = default_filter_make(plan->process.capabilities.bounding, &ret->instructions, &ret->count);
    return r < 0 ? failure_set(failure, EXIT_STATUS_SECCOMP, -r, "default profile") : 0;
}

/* The compiler needs libseccomp, which no other start pays for. */
static int custom_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure) {
    _cleanup_free_ char *output = NULL;
    size_t size;
    int status;
    int r = compiler_run(plan->path, &output, &size, &status);
    if (r == -EFBIG)
        return failure_say(failure, EXIT_STATUS_SECCOMP, E2BIG, "linux.seccomp: more than %d instructions", BPF_MAXINSNS);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_SECCOMP, -r, "%s", COMPILER);
    if (WIFSIGNALED(status))
        return failure_say(failure, EXIT_STATUS_SECCOMP, ECHILD, "%s: killed by signal %d", COMPILER, WTERMSIG(status));
    if (status != 0)
        return failure_say(failure, EXIT_STATUS_SECCOMP, EINVAL, "%s", size ? output : COMPILER ": it failed");
    if (size == 0 || size % sizeof(struct sock_filter) != 0)
        return failure_say(failure, EXIT_STATUS_SECCOMP, EINVAL, "%s: its filter is cut", COMPILER);
    ret->instructions = (struct sock_filter *)(void *)take_pointer(output);
    ret->count = (unsigned short)(size / sizeof(struct sock_filter));
    return 0;
}

/* Its output is the filter, or with a status other than 0 the sentence that says why there is none. */
static int compiler_run(const char *plan, char **ret_output, size_t *ret_size, int *ret_status) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_fd_ int reading = ends[0];
    pid_t pid = fork();
    if (pid == 0)
        compiler_execute(plan, ends[1]);
    int r = pid < 0 ? -errno : 0;
    close(ends[1]);
    if (r >= 0)
        r = io_read_all(reading, BPF_MAXINSNS * sizeof(struct sock_filter), ret_output, ret_size);
    fd_close(&reading); /* who still writes is not read any more, and would not end */
    while (pid > 0 && waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return r;
}

static _Noreturn void compiler_execute(const char *plan, int output) {
    char *const argv[] = { (char *)(uintptr_t)"gantry-filter", (char *)(uintptr_t)plan, NULL }, *const environment[] = { NULL };
    if (dup2(output, STDOUT_FILENO) >= 0)
        (void)execve(COMPILER, argv, environment);
    (void)dprintf(output, "%s: %s", COMPILER, strerror(errno));
    _exit(127);
}

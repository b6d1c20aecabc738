#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "confine/capability.h"

int keyring_join(Failure *failure) {
    /* EDQUOT or a kernel without keys must not pass: the app would keep root's keyring. ENOSYS has no keyring. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) < 0 && errno != ENOSYS)
        return failure_set(failure, EXIT_STATUS_KEYRING, errno, "session keyring");
    return 0;
}

int oom_score_set(const ProcessPlan *process, Failure *failure) {
    if (!process->has_oom_score_adj)
        return 0;
    _cleanup_fd_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    struct statfs where;
    /* Nothing may lie over this file: a write meant for it would act elsewhere (CVE-2025-52881). */
    if (fd >= 0 && fstatfs(fd, &where) == 0 && where.f_type != PROC_SUPER_MAGIC)
        return failure_set(failure, EXIT_STATUS_OOM_ADJUST, EXDEV, "/proc/self/oom_score_adj");
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", process->oom_score_adj);
    int r = fd < 0 ? -errno : io_write_all(fd, text, (size_t)length);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_OOM_ADJUST, -r, "oom_score_adj %d", process->oom_score_adj);
    return 0;
}

int confinement_prepare(const LaunchPlan *plan, int root_fd, int userns_fd, Confinement *ret, Failure *failure) {
    Confinement confinement = { .process = &plan->process, .cwd = plan->process.cwd, .userns_fd = userns_fd };
    int r = credentials_resolve(plan, root_fd, &confinement.credentials, failure);
    if (r >= 0)
        r = seccomp_filter_make(plan, &confinement.filter, failure);
    if (r < 0) {
        confinement_done(&confinement);
        return r;
    }
    *ret = confinement;
    return 0;
}

void confinement_done(Confinement *confinement) {
    credentials_done(&confinement->credentials);
    seccomp_filter_done(&confinement->filter);
}

static int limits_set(const ProcessPlan *process, Failure *failure) {
    for (size_t i = 0; i < process->n_rlimits; i++) {
        const RlimitPlan *plan = &process->rlimits[i];
        struct rlimit limit = { .rlim_cur = plan->soft, .rlim_max = plan->hard };
        if (setrlimit(plan->resource, &limit) < 0)
            return failure_set(failure, EXIT_STATUS_LIMITS, errno, "process.rlimits[%zu], hard limit %llu", i,
                               (unsigned long long)plan->hard);
    }
    return 0;
}

static int groups_set(const Credentials *credentials, Failure *failure) {
    if (setgroups(credentials->n_groups, credentials->groups) < 0)
        return failure_set(failure, EXIT_STATUS_GROUP, errno, "supplementary groups");
    if (setresgid(credentials->gid, credentials->gid, credentials->gid) < 0)
        return failure_set(failure, EXIT_STATUS_GROUP, errno, "group %u", credentials->gid);
    return 0;
}

static int user_set(const Credentials *credentials, Failure *failure) {
    /* The permitted set must survive the step from root until the final sets are written. */
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return failure_set(failure, EXIT_STATUS_CAPABILITIES, errno, "keep capabilities");
    if (setresuid(credentials->uid, credentials->uid, credentials->uid) < 0)
        return failure_set(failure, EXIT_STATUS_USER, errno, "user %u", credentials->uid);
    /* A change of ids sets this to fs.suid_dumpable, which a host may have raised. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return 0;
}

static int directory_enter(const char *path, Failure *failure) {
    char where[PATH_MAX];
    if (chdir(path) < 0)
        return failure_set(failure, EXIT_STATUS_CHDIR, errno, "%s", path);
    /* "(unreachable)/…" is a directory outside of the root: a leaked descriptor let us out (CVE-2024-21626). */
    if (syscall(SYS_getcwd, where, sizeof where) < 0 || where[0] != '/')
        return failure_set(failure, EXIT_STATUS_CHDIR, EXDEV, "%s", path);
    return 0;
}

static void signals_reset(void) {
    /* systemd ignores SIGPIPE for services (IgnoreSIGPIPE=); what is ignored stays so over execve. */
    struct sigaction standard = { .sa_handler = SIG_DFL };
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &standard, NULL); /* KILL, STOP and libc's own refuse */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int confinement_enter(const Confinement *confinement, Failure *failure) {
    const ProcessPlan *process = confinement->process;
    const CapabilityPlan *sets = &process->capabilities;
    bool privileged = !process->no_new_privileges && confinement->filter.instructions;
    int r = limits_set(process, failure);
    if (r < 0)
        return r;
    if (confinement->userns_fd >= 0 && setns(confinement->userns_fd, CLONE_NEWUSER) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "the pod's user namespace");
    if ((r = groups_set(&confinement->credentials, failure)) < 0 || (r = capability_bound(sets->bounding, failure)) < 0)
        return r;
    if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failure_set(failure, EXIT_STATUS_NO_NEW_PRIVILEGES, errno, "no new privileges");
    if ((r = user_set(&confinement->credentials, failure)) < 0 || (r = capability_set(sets, privileged, failure)) < 0)
        return r;
    (void)umask(process->user.umask);
    r = directory_enter(confinement->cwd, failure);
    if (r >= 0)
        signals_reset();
    return r;
}

int confinement_seal(const Confinement *confinement, Failure *failure) {
    return seccomp_filter_install(&confinement->filter, failure);
}

/* gantry-stage1 PLAN: builds an app's root and process inside its pod, hands the process to systemd and ends.
 * Unit: Type=notify, NotifyAccess=main. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/boot.h"
#include "basic/cgroup.h"
#include "basic/kernel.h"
#include "basic/notify.h"
#include "confine/executable.h"
#include "stage1/launch.h"

static int plan_read(Launch *launch, Failure *failure) {
    char *sentence = NULL;
    int r = launch_plan_load(launch->argv[1], &launch->plan, &sentence);
    if (r < 0) {
        (void)failure_say(failure, EXIT_STATUS_CONFIG, -r, "%s", sentence ? sentence : strerror(-r));
        free(sentence);
        return r;
    }
    launch->base = launch->plan->userns.base;
    return 0;
}

static int executable_step(Launch *launch, Failure *failure) {
    if (launch->plan->userns.mode == USERNS_POD)
        return 0; /* the app's root has no right to the file */
    int r = executable_protect("gantry-stage1 (read-only)", launch->argv);
    return r < 0 ? failure_set(failure, 0, -r, "read-only mount of /proc/self/exe") : 0;
}

static int notify_open(Launch *launch, Failure *failure) {
    int r = notify_connect(&launch->notify);
    return r < 0 ? failure_set(failure, 0, -r, "NOTIFY_SOCKET") : 0;
}

static int keyring_step(Launch *launch, Failure *failure) {
    (void)launch;
    return keyring_join(failure);
}

static int oom_step(Launch *launch, Failure *failure) {
    return oom_score_set(&launch->plan->process, failure);
}

static int unit_read(Launch *launch, Failure *failure) {
    int r = cgroup_of(0, &launch->cgroup);
    if (r >= 0)
        r = cgroup_unit(launch->cgroup, &launch->unit);
    if (r < 0)
        return failure_set(failure, 0, -r, "own control group");
    r = boot_id_read(launch->boot);
    return r < 0 ? failure_set(failure, 0, -r, "boot id") : 0;
}

static int confinement_step(Launch *launch, Failure *failure) {
    int r = confinement_prepare(launch->plan, launch->root, launch->userns, &launch->confinement, failure);
    if (r < 0 && failure->status == EXIT_STATUS_SECCOMP)
        (void)snprintf(failure->step, sizeof failure->step, "system call filter");
    return r;
}

/* The order is that of the safe launch: descriptors and keys first; the root while only we can see it; the pod's
 * namespaces last, since from then on pod processes can see us. */
static const Step launcher_steps[] = {
    { "plan", plan_read, EXIT_STATUS_CONFIG },
    { "executable", executable_step, EXIT_STATUS_NAMESPACE },
    { "notify", notify_open, EXIT_STATUS_CONFIG },
    { "keyring", keyring_step, EXIT_STATUS_KEYRING },
    { "oom score", oom_step, EXIT_STATUS_OOM_ADJUST },
    { "unit", unit_read, EXIT_STATUS_CGROUP },
    { "sandbox", sandbox_find, EXIT_STATUS_NAMESPACE },
    { "relay", relay_connect, EXIT_STATUS_STDOUT },
    { "status", status_open, EXIT_STATUS_CONFIG },
    { "mount namespace", ns_unshare, EXIT_STATUS_NAMESPACE },
    { "layers", idmap_layers, EXIT_STATUS_NAMESPACE },
    { "overlay", overlay_mount, EXIT_STATUS_NAMESPACE },
    { "mounts", mount_early, EXIT_STATUS_NAMESPACE },
    { "user", confinement_step, EXIT_STATUS_USER },
    { "working directory", rootfs_make_cwd, EXIT_STATUS_CHDIR },
    { "standard streams", stdio_open, EXIT_STATUS_STDOUT },
    { "notify socket", notify_bind, EXIT_STATUS_NAMESPACE },
    { "pod namespaces", sandbox_join, EXIT_STATUS_NAMESPACE },
    { "app process", handover_clone, EXIT_STATUS_NAMESPACE },
    { "hand-over", handover_finish, EXIT_STATUS_NAMESPACE },
};

int steps_run(Launch *launch, const Step *steps, size_t count, Failure *failure) {
    for (size_t i = 0; i < count; i++) {
        int r = steps[i].run(launch, failure);
        if (r >= 0)
            continue;
        /* A failure that came from the app's process has its step already. */
        if (!failure->step[0])
            (void)snprintf(failure->step, sizeof failure->step, "%s", steps[i].name);
        if (failure->status == 0)
            failure->status = steps[i].status;
        return r;
    }
    return 0;
}

static void failure_report(Launch *launch, const Failure *failure) {
    fprintf(stderr, "%s: %s\n", failure->step, failure->text);
    /* PID 1 may look at a process's end before its last words, and then takes them for nobody's. */
    if ((launch->notify >= 0 || notify_connect(&launch->notify) >= 0) && notify_failure(launch->notify, failure) >= 0)
        (void)notify_barrier(launch->notify, NOTIFY_BARRIER_MS);
}

int main(int argc, char **argv) {
    /* Nothing that somebody left open may reach the app (CVE-2024-21626). */
    (void)close_range(3, ~0U, 0);
    /* Pod processes see us from the clone on; without this, /proc/<pid>/root of ours is the host's. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)umask(0); /* modes below are meant as written; the app gets its own */
    (void)signal(SIGPIPE, SIG_IGN); /* the app's process may die while we talk to it */
    if (argc != 2) {
        fprintf(stderr, "usage: gantry-stage1 PLAN\n");
        return EXIT_STATUS_CONFIG;
    }
    Launch launch = {
        .argv = argv,
        .notify = -1,
        .status = -1,
        .sandbox = -1,
        .userns = -1,
        .relay = -1,
        .notify_relay = -1,
        .app_notify = -1,
        .scratch = -1,
        .null = -1,
        .root = -1,
        .channel = -1,
        .streams = { { -1, -1, -1 }, -1, { -1, -1, -1 }, { -1, -1, -1 } },
    };
    Failure failure = { 0 };
    /* Nothing is freed: the process ends here. */
    if (steps_run(&launch, launcher_steps, sizeof launcher_steps / sizeof *launcher_steps, &failure) >= 0)
        return 0;
    failure_report(&launch, &failure);
    return failure.status;
}

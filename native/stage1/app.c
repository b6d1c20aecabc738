/* The app's process: a child of systemd and member of the pod's pid namespace from its first instruction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "confine/program.h"
#include "stage1/channel.h"
#include "stage1/launch.h"

static int confine_step(Launch *launch, Failure *failure) {
    return confinement_enter(&launch->confinement, failure);
}

static int go_await(Launch *launch, Failure *failure) {
    Report report = { .kind = REPORT_READY };
    int r = channel_send(launch->channel, &report);
    if (r >= 0)
        r = channel_receive(launch->channel, &report);
    /* Without its launcher nobody knows of this process. */
    return r == 1 ? 0 : failure_set(failure, 0, r < 0 ? -r : EPIPE, "launcher");
}

static int filter_step(Launch *launch, Failure *failure) {
    return confinement_seal(&launch->confinement, failure);
}

/* What an app that notifies is told: the socket, and how often systemd wants to hear of it. Not WATCHDOG_PID=, which is
 * another number in the pod. */
static int program_step(Launch *launch, Failure *failure) {
    const ProcessPlan *process = &launch->plan->process;
    char watchdog[sizeof "WATCHDOG_USEC=" + 20], socket[] = "NOTIFY_SOCKET=" APP_NOTIFY_PATH;
    const char *words[] = { socket, watchdog };
    TextList told = { words, launch->plan->ready == READY_APP };
    const char *interval = getenv("WATCHDOG_USEC");
    if (told.count && interval &&
        snprintf(watchdog, sizeof watchdog, "WATCHDOG_USEC=%s", interval) < (int)sizeof watchdog)
        told.count++;
    char **environment = environment_make(&process->env, launch->confinement.credentials.home, &told);
    if (!environment)
        return failure_set(failure, 0, ENOMEM, "environment");
    return program_execute(&process->args, environment, failure);
}

static const Step app_steps[] = {
    { "mounts", mount_late, EXIT_STATUS_NAMESPACE },
    { "masks", mask_apply, EXIT_STATUS_NAMESPACE },
    { "root", rootfs_pivot, EXIT_STATUS_NAMESPACE },
    { "standard streams", stdio_install, EXIT_STATUS_STDOUT },
    { "confinement", confine_step, EXIT_STATUS_USER },
    { "hand-over", go_await, EXIT_STATUS_NAMESPACE },
    { "filter", filter_step, EXIT_STATUS_SECCOMP },
    { "exec", program_step, EXIT_STATUS_EXEC },
};

_Noreturn void app_run(Launch *launch) {
    Report report = { .kind = REPORT_PID, .pid = getpid() };
    if (channel_send(launch->channel, &report) >= 0)
        (void)steps_run(launch, app_steps, sizeof app_steps / sizeof *app_steps, &report.failure);
    report.kind = REPORT_FAILED;
    (void)channel_send(launch->channel, &report);
    _exit(report.failure.status ? report.failure.status : EXIT_STATUS_NAMESPACE);
}

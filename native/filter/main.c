/* gantry-filter PLAN: compiles the system call filter that an app brings (linux.seccomp of its launch plan) and writes it to
 * standard output as the kernel takes it, or one sentence that says why there is none: with exit status 228 the filter is
 * wrong, with 1 it could not be looked at. A program of its own, so that no other start carries libseccomp. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "filter/custom.h"

/* To a pipe: seccomp_export_bpf() writes at once what may be more than one holds, and its reader reads all. */
static int filter_write(const LaunchPlan *plan, Failure *failure) {
    scmp_filter_ctx context;
    /* libseccomp would ask seccomp(2) what the kernel can do, which the agent's own filter refuses; Linux 4.14 can do this. */
    (void)seccomp_api_set(3);
    int r = custom_build(plan->custom_seccomp, &context, failure);
    if (r < 0)
        return r;
    r = seccomp_export_bpf(context, STDOUT_FILENO);
    seccomp_release(context);
    return r < 0 ? failure_set(failure, 0, -r, "linux.seccomp") : 0;
}

static int plan_read(const char *path, LaunchPlan **ret, Failure *failure) {
    _cleanup_free_ char *sentence = NULL;
    int r = launch_plan_load(path, ret, &sentence);
    if (r < 0)
        return failure_say(failure, 0, -r, "%s", sentence ? sentence : strerror(-r));
    return (*ret)->custom_seccomp ? 0 : failure_say(failure, 0, EINVAL, "%s: no filter of its own", path);
}

int main(int argc, char **argv) {
    _cleanup_launch_plan_ LaunchPlan *plan = NULL;
    Failure failure = { 0 };
    if (argc != 2) {
        fprintf(stderr, "usage: gantry-filter PLAN\n");
        return EXIT_STATUS_CONFIG;
    }
    if (plan_read(argv[1], &plan, &failure) >= 0 && filter_write(plan, &failure) >= 0)
        return 0;
    (void)io_write_all(STDOUT_FILENO, failure.text, strlen(failure.text));
    bool wrong = failure.status == EXIT_STATUS_SECCOMP && failure.error != ENOMEM;
    return wrong ? EXIT_STATUS_SECCOMP : EXIT_FAILURE;
}

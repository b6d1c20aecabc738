/* Filters of apps, as the kernel runs them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "filter/custom.h"

static int filtered(void) {
    EXPECT(mkdir("/tmp", 0), 95);
    EXPECT(dup3(0, 5, 0), EPERM);
    EXPECT(dup3(0, 6, 0), EPERM);
    EXPECT(dup3(0, 7, 1), EINVAL);
    return 0;
}

static void check_kernel(const SeccompPlan *plan) {
    scmp_filter_ctx context;
    Failure failure = { 0 };
    int r = custom_build(plan, &context, &failure), status = -1;
    CHECK(r == 0, "%s", failure.text);
    if (r < 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        _exit(seccomp_load(context) < 0 ? 100 : filtered());
    (void)waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %x", status);
    seccomp_release(context);
}

static void check_refused(const SeccompPlan *plan, int error, const char *object) {
    scmp_filter_ctx context;
    Failure failure = { 0 };
    int r = custom_build(plan, &context, &failure);
    CHECK(r == -error && failure.status == EXIT_STATUS_SECCOMP && strstr(failure.text, object), "%s: %d, %s", object, r,
          failure.text);
}

int main(void) {
    const char *mkdirs[] = { "mkdir", "mkdirat" }, *dups[] = { "dup3" }, *future[] = { "call_of_the_future" };
    /* Two conditions on one argument: either may hold. */
    SeccompArgumentPlan fives[] = { { 1, 5, 0, "SCMP_CMP_EQ" }, { 1, 6, 0, "SCMP_CMP_EQ" } };
    SeccompRulePlan rules[] = {
        { .names = { mkdirs, 2 }, .action = "SCMP_ACT_ERRNO", .has_error = true, .error = 95 },
        { .names = { dups, 1 }, .action = "SCMP_ACT_ERRNO", .arguments = fives, .n_arguments = 2 },
        { .names = { dups, 1 }, .action = "SCMP_ACT_ALLOW" }, /* what happens anyway */
    };
    SeccompPlan plan = { .default_action = "SCMP_ACT_ALLOW", .rules = rules, .n_rules = 3 };
    check_kernel(&plan);

    rules[2] = (SeccompRulePlan){ .names = { future, 1 }, .action = "SCMP_ACT_KILL_PROCESS" };
    check_refused(&plan, ENOSYS, "call_of_the_future"); /* forbidding what nobody knows */
    rules[2].action = "SCMP_ACT_FROWN";
    check_refused(&plan, EINVAL, "SCMP_ACT_FROWN");
    plan.default_action = "SCMP_ACT_ERRNO";
    rules[2].action = "SCMP_ACT_ALLOW";
    scmp_filter_ctx context;
    Failure failure = { 0 };
    CHECK(custom_build(&plan, &context, &failure) == 0, "allowing an unknown call: %s", failure.text);
    seccomp_release(context);
    return checks_failed != 0;
}

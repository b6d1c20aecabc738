#include "filter/custom.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "basic/text.h"

typedef struct Token {
    const char *name;
    uint32_t value;
} Token;

static const Token comparisons[] = {
    { "SCMP_CMP_NE", SCMP_CMP_NE }, { "SCMP_CMP_LT", SCMP_CMP_LT }, { "SCMP_CMP_LE", SCMP_CMP_LE },
    { "SCMP_CMP_EQ", SCMP_CMP_EQ }, { "SCMP_CMP_GE", SCMP_CMP_GE }, { "SCMP_CMP_GT", SCMP_CMP_GT },
    { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ }, { 0 },
};

/* NOTIFY is missing: nobody would answer, and the app would hang. */
static const Token actions[] = {
    { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW }, { "SCMP_ACT_LOG", SCMP_ACT_LOG }, { "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
    { "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD }, { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
    { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS }, { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
    { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) }, { 0 },
};

static bool token_find(const Token *tokens, const char *name, uint32_t *ret) {
    for (; tokens->name; tokens++)
        if (strcmp(tokens->name, name) == 0) {
            *ret = tokens->value;
            return true;
        }
    return false;
}

static bool action_find(const char *name, bool has_error, int error, uint32_t *ret) {
    if (!token_find(actions, name, ret))
        return false;
    if (*ret == SCMP_ACT_ERRNO(0) || *ret == SCMP_ACT_TRACE(0))
        *ret |= (uint32_t)(has_error ? error : EPERM);
    return true;
}

/* "SCMP_ARCH_X86_64" is libseccomp's "x86_64". */
static uint32_t architecture_find(const char *name) {
    char lower[32] = "";
    if (!text_starts_with(name, "SCMP_ARCH_"))
        return 0;
    name += strlen("SCMP_ARCH_");
    for (size_t i = 0; name[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    return seccomp_arch_resolve_name(lower);
}

static int architectures_add(scmp_filter_ctx filter, const TextList *names, Failure *failure) {
    for (size_t i = 0; i < names->count; i++) {
        uint32_t architecture = architecture_find(names->items[i]);
        int r = architecture ? seccomp_arch_add(filter, architecture) : -EINVAL;
        if (r < 0 && r != -EEXIST)
            return failure_set(failure, EXIT_STATUS_SECCOMP, -r, "linux.seccomp.architectures: %s", names->items[i]);
    }
    return 0;
}

/* Conditions on different arguments all have to hold. libseccomp takes one per argument, so conditions on the same
 * argument become rules of their own, any of which may hold: what other runtimes do. */
static bool arguments_repeat(const SeccompRulePlan *rule) {
    unsigned seen = 0;
    for (size_t i = 0; i < rule->n_arguments; i++) {
        if (seen & (1U << rule->arguments[i].index))
            return true;
        seen |= 1U << rule->arguments[i].index;
    }
    return false;
}

static int call_add(scmp_filter_ctx filter, uint32_t action, int number, const struct scmp_arg_cmp *arguments,
                    size_t count, bool apart) {
    if (!apart)
        return seccomp_rule_add_array(filter, action, number, (unsigned)count, arguments);
    int r = 0;
    for (size_t i = 0; r >= 0 && i < count; i++)
        r = seccomp_rule_add_array(filter, action, number, 1, &arguments[i]);
    return r;
}

static int rule_add(scmp_filter_ctx filter, const SeccompRulePlan *rule, uint32_t action, size_t index,
                    Failure *failure) {
    struct scmp_arg_cmp arguments[6];
    for (size_t i = 0; i < rule->n_arguments; i++) {
        const SeccompArgumentPlan *plan = &rule->arguments[i];
        uint32_t op;
        if (!token_find(comparisons, plan->op, &op))
            return failure_say(failure, EXIT_STATUS_SECCOMP, EINVAL,
                               "linux.seccomp.syscalls[%zu].args[%zu].op: unknown comparison %s", index, i, plan->op);
        arguments[i] = (struct scmp_arg_cmp){ plan->index, (enum scmp_compare)op, plan->value, plan->value_two };
    }
    for (size_t i = 0; i < rule->names.count; i++) {
        int number = seccomp_syscall_resolve_name(rule->names.items[i]);
        if (number == __NR_SCMP_ERROR && (action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG))
            continue;
        if (number == __NR_SCMP_ERROR)
            return failure_say(failure, EXIT_STATUS_SECCOMP, ENOSYS, "linux.seccomp.syscalls[%zu]: unknown system call %s", index,
                               rule->names.items[i]);
        int r = call_add(filter, action, number, arguments, rule->n_arguments, arguments_repeat(rule));
        if (r < 0)
            return failure_set(failure, EXIT_STATUS_SECCOMP, -r, "linux.seccomp.syscalls[%zu]: %s", index,
                               rule->names.items[i]);
    }
    return 0;
}

static int rules_add(scmp_filter_ctx filter, const SeccompPlan *plan, uint32_t standard, Failure *failure) {
    for (size_t i = 0; i < plan->n_rules; i++) {
        const SeccompRulePlan *rule = &plan->rules[i];
        uint32_t action;
        if (!action_find(rule->action, rule->has_error, rule->error, &action))
            return failure_say(failure, EXIT_STATUS_SECCOMP, EINVAL,
                               "linux.seccomp.syscalls[%zu].action: unknown action %s", i, rule->action);
        if (action == standard)
            continue; /* libseccomp refuses a rule that says what happens anyway */
        int r = rule_add(filter, rule, action, i, failure);
        if (r < 0)
            return r;
    }
    return 0;
}

int custom_build(const SeccompPlan *plan, scmp_filter_ctx *ret, Failure *failure) {
    uint32_t standard;
    if (!action_find(plan->default_action, plan->has_default_error, plan->default_error, &standard))
        return failure_say(failure, EXIT_STATUS_SECCOMP, EINVAL, "linux.seccomp.defaultAction: unknown action %s",
                           plan->default_action);
    scmp_filter_ctx filter = seccomp_init(standard);
    if (!filter)
        return failure_set(failure, EXIT_STATUS_SECCOMP, ENOMEM, "linux.seccomp");
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int r = architectures_add(filter, &plan->architectures, failure);
    if (r >= 0)
        r = rules_add(filter, plan, standard, failure);
    if (r < 0) {
        seccomp_release(filter);
        return r;
    }
    *ret = filter;
    return 0;
}

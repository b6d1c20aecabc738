#include "plan/seccomp.h"

#include <errno.h>
#include <string.h>

#include "basic/text.h"
#include "plan/plan.h"

static const NumberDetail errno_range = { 0, 4095 }; /* the kernel cuts SECCOMP_RET_DATA at MAX_ERRNO */
static const NumberDetail index_range = { 0, 5 };
static const NumberDetail value_range = { 0, INT64_MAX };

/* The words themselves are libseccomp's; native/filter knows them. */
static int read_token(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, NULL);
    if (r < 0)
        return r;
    if (!text_starts_with(text, detail) || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(text))
        return reader_fail(reader, path, "expected %s…", (const char *)detail);
    *(const char **)target = text;
    return 0;
}

static const Member argument_members[] = {
    { "index", true, offsetof(SeccompArgumentPlan, index), read_u32, &index_range, 0 },
    { "value", true, offsetof(SeccompArgumentPlan, value), read_u64, &value_range, 0 },
    { "valueTwo", false, offsetof(SeccompArgumentPlan, value_two), read_u64, &value_range, 0 },
    { "op", true, offsetof(SeccompArgumentPlan, op), read_token, "SCMP_CMP_", 0 },
    { 0 },
};
static const ObjectDetail argument_object = { argument_members };
static const ArrayDetail argument_list = {
    offsetof(SeccompRulePlan, n_arguments) - offsetof(SeccompRulePlan, arguments),
    sizeof(SeccompArgumentPlan), 6, read_object, &argument_object,
};

static const ArrayDetail name_list = { offsetof(TextList, count), sizeof(char *), 1024, read_text, NULL };

static const Member rule_members[] = {
    { "names", true, offsetof(SeccompRulePlan, names), read_array, &name_list, 0 },
    { "action", true, offsetof(SeccompRulePlan, action), read_token, "SCMP_ACT_", 0 },
    { "errnoRet", false, offsetof(SeccompRulePlan, error), read_int, &errno_range,
      offsetof(SeccompRulePlan, has_error) },
    { "args", false, offsetof(SeccompRulePlan, arguments), read_array, &argument_list, 0 },
    { 0 },
};
static const ObjectDetail rule_object = { rule_members };
static const ArrayDetail rule_list = {
    offsetof(SeccompPlan, n_rules) - offsetof(SeccompPlan, rules),
    sizeof(SeccompRulePlan),
    1024,
    read_object,
    &rule_object,
};

static const ArrayDetail architecture_list = { offsetof(TextList, count), sizeof(char *), 32, read_token,
                                               "SCMP_ARCH_" };

static const Member seccomp_members[] = {
    { "defaultAction", true, offsetof(SeccompPlan, default_action), read_token, "SCMP_ACT_", 0 },
    { "defaultErrnoRet", false, offsetof(SeccompPlan, default_error), read_int, &errno_range,
      offsetof(SeccompPlan, has_default_error) },
    { "architectures", false, offsetof(SeccompPlan, architectures), read_array, &architecture_list, 0 },
    { "syscalls", false, offsetof(SeccompPlan, rules), read_array, &rule_list, 0 },
    { 0 },
};
static const ObjectDetail seccomp_object = { seccomp_members };

int read_seccomp(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    SeccompPlan *plan = reader_allocate(reader, 1, sizeof *plan);
    if (!plan)
        return -ENOMEM;
    int r = read_object(reader, path, value, plan, &seccomp_object);
    if (r >= 0)
        *(SeccompPlan **)target = plan;
    return r;
}

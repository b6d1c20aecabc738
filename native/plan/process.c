#include "plan/process.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "plan/capability.h"
#include "plan/plan.h"

static const NumberDetail id_range = { 0, UINT32_MAX - 1 }; /* the last id means "no change" to the kernel */
static const NumberDetail umask_range = { 0, 0777 };
static const NumberDetail oom_range = { -1000, 1000 };
static const NumberDetail rlimit_range = { -1, INT64_MAX };

static const ArrayDetail gid_list = {
    offsetof(UserPlan, n_additional_gids) - offsetof(UserPlan, additional_gids),
    sizeof(uint32_t), 65536 /* NGROUPS_MAX */, read_u32, &id_range,
};

static const Member user_members[] = {
    { "uid", true, offsetof(UserPlan, uid), read_u32, &id_range, 0 },
    { "gid", true, offsetof(UserPlan, gid), read_u32, &id_range, 0 },
    { "umask", true, offsetof(UserPlan, umask), read_u32, &umask_range, 0 },
    { "additionalGids", true, offsetof(UserPlan, additional_gids), read_array, &gid_list, 0 },
    { 0 },
};
static const ObjectDetail user_object = { user_members };

static const Member capability_members[] = {
    { "bounding", true, offsetof(CapabilityPlan, bounding), read_capabilities, NULL, 0 },
    { "effective", true, offsetof(CapabilityPlan, effective), read_capabilities, NULL, 0 },
    { "permitted", true, offsetof(CapabilityPlan, permitted), read_capabilities, NULL, 0 },
    { "inheritable", true, offsetof(CapabilityPlan, inheritable), read_capabilities, NULL, 0 },
    { "ambient", true, offsetof(CapabilityPlan, ambient), read_capabilities, NULL, 0 },
    { 0 },
};
static const ObjectDetail capability_object = { capability_members };

/* Sets that the kernel would refuse or silently cut (capabilities(7)) are refused here, where the key is known. */
static int read_capability_sets(Reader *reader, const KeyPath *path, const Json *value, void *target,
                                const void *detail) {
    CapabilityPlan *sets = target;
    int r = read_object(reader, path, value, sets, detail);
    if (r < 0)
        return r;
    const KeyPath effective = { .parent = path, .key = "effective" },
                  permitted = { .parent = path, .key = "permitted" }, ambient = { .parent = path, .key = "ambient" },
                  inheritable = { .parent = path, .key = "inheritable" };
    if (sets->effective & ~sets->permitted)
        return reader_fail(reader, &effective, "holds a capability that is not permitted");
    if (sets->permitted & ~sets->bounding)
        return reader_fail(reader, &permitted, "holds a capability outside of the bounding set");
    if (sets->inheritable & ~sets->bounding)
        return reader_fail(reader, &inheritable, "holds a capability outside of the bounding set");
    if (sets->ambient & ~(sets->permitted & sets->inheritable))
        return reader_fail(reader, &ambient, "holds a capability that is not permitted and inheritable");
    return 0;
}

static const Word rlimit_words[] = {
    { "RLIMIT_AS", RLIMIT_AS },
    { "RLIMIT_CORE", RLIMIT_CORE },
    { "RLIMIT_CPU", RLIMIT_CPU },
    { "RLIMIT_DATA", RLIMIT_DATA },
    { "RLIMIT_FSIZE", RLIMIT_FSIZE },
    { "RLIMIT_LOCKS", RLIMIT_LOCKS },
    { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
    { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
    { "RLIMIT_NICE", RLIMIT_NICE },
    { "RLIMIT_NOFILE", RLIMIT_NOFILE },
    { "RLIMIT_NPROC", RLIMIT_NPROC },
    { "RLIMIT_RSS", RLIMIT_RSS },
    { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
    { "RLIMIT_RTTIME", RLIMIT_RTTIME },
    { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
    { "RLIMIT_STACK", RLIMIT_STACK },
    { 0 },
};

static const Member rlimit_members[] = {
    { "type", true, offsetof(RlimitPlan, resource), read_word, rlimit_words, 0 },
    { "soft", true, offsetof(RlimitPlan, soft), read_u64, &rlimit_range, 0 },
    { "hard", true, offsetof(RlimitPlan, hard), read_u64, &rlimit_range, 0 },
    { 0 },
};
static const ObjectDetail rlimit_object = { rlimit_members };

static int read_rlimit(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    RlimitPlan *rlimit = target;
    int r = read_object(reader, path, value, rlimit, detail);
    if (r < 0)
        return r;
    const KeyPath soft = { .parent = path, .key = "soft" };
    return rlimit->soft > rlimit->hard ? reader_fail(reader, &soft, "above the hard limit") : 0;
}

static const ArrayDetail rlimit_list = {
    offsetof(ProcessPlan, n_rlimits) - offsetof(ProcessPlan, rlimits),
    sizeof(RlimitPlan),
    RLIM_NLIMITS,
    read_rlimit,
    &rlimit_object,
};

static int read_environment_entry(Reader *reader, const KeyPath *path, const Json *value, void *target,
                                  const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, detail);
    if (r < 0)
        return r;
    if (!strchr(text, '=') || text[0] == '=')
        return reader_fail(reader, path, "expected NAME=VALUE");
    *(const char **)target = text;
    return 0;
}

static const ArrayDetail argument_list = { offsetof(TextList, count), sizeof(char *), 65536, read_text, NULL };
static const ArrayDetail environment_list = { offsetof(TextList, count), sizeof(char *), 65536, read_environment_entry,
                                              NULL };

static const Member process_members[] = {
    { "terminal", true, offsetof(ProcessPlan, terminal), read_bool, NULL, 0 },
    { "user", true, offsetof(ProcessPlan, user), read_object, &user_object, 0 },
    { "args", true, offsetof(ProcessPlan, args), read_array, &argument_list, 0 },
    { "env", true, offsetof(ProcessPlan, env), read_array, &environment_list, 0 },
    { "cwd", true, offsetof(ProcessPlan, cwd), read_path, NULL, 0 },
    { "capabilities", true, offsetof(ProcessPlan, capabilities), read_capability_sets, &capability_object, 0 },
    { "rlimits", true, offsetof(ProcessPlan, rlimits), read_array, &rlimit_list, 0 },
    { "noNewPrivileges", true, offsetof(ProcessPlan, no_new_privileges), read_bool, NULL, 0 },
    { "oomScoreAdj", false, offsetof(ProcessPlan, oom_score_adj), read_int, &oom_range,
      offsetof(ProcessPlan, has_oom_score_adj) },
    { 0 },
};
static const ObjectDetail process_object = { process_members };

int read_process(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    ProcessPlan *process = target;
    int r = read_object(reader, path, value, process, &process_object);
    if (r < 0)
        return r;
    const KeyPath args = { .parent = path, .key = "args" };
    if (process->args.count == 0 || process->args.items[0][0] == 0)
        return reader_fail(reader, &args, "expected a program");
    return 0;
}

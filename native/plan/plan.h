/* The launch plan and the sandbox plan as C sees them; docs/launch-plan.md is the contract.
 * Every string belongs to the plan and lives as long as it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/cleanup.h"

typedef struct TextList {
    const char **items;
    size_t count;
} TextList;

typedef enum UsernsMode { USERNS_POD, USERNS_HOST } UsernsMode;
typedef enum UserRules { USER_RULES_APPC, USER_RULES_OCI } UserRules;
typedef enum SeccompMode { SECCOMP_PLAN_DEFAULT, SECCOMP_PLAN_NONE, SECCOMP_PLAN_CUSTOM } SeccompMode;
typedef enum LogMode { LOG_PIPE, LOG_JOURNAL, LOG_NULL } LogMode;
typedef enum StdinMode { STDIN_NULL, STDIN_STREAM } StdinMode;
typedef enum ReadyMode { READY_EXEC, READY_APP } ReadyMode;
typedef enum NetMode { NET_NONE, NET_HOST } NetMode;
typedef enum IpcMode { IPC_PRIVATE, IPC_HOST } IpcMode;

typedef enum MountType {
    MOUNT_PROC,
    MOUNT_SYSFS,
    MOUNT_TMPFS,
    MOUNT_DEVPTS,
    MOUNT_MQUEUE,
    MOUNT_CGROUP,
    MOUNT_BIND,
    MOUNT_DEV,
} MountType;

enum {
    MOUNT_OPTION_RO = 1 << 0,
    MOUNT_OPTION_NOSUID = 1 << 1,
    MOUNT_OPTION_NODEV = 1 << 2,
    MOUNT_OPTION_NOEXEC = 1 << 3,
    MOUNT_OPTION_RBIND = 1 << 4,
    MOUNT_OPTION_IDMAP = 1 << 5,
    MOUNT_OPTION_SIZE = 1 << 6, /* MountPlan.size was given */
    MOUNT_OPTION_MODE = 1 << 7, /* MountPlan.mode was given */
    MOUNT_OPTION_COPY = 1 << 8, /* a missing source is made of what the layers have there */
};

typedef struct MountPlan {
    const char *destination;
    MountType type;
    const char *source;
    unsigned options; /* MOUNT_OPTION_ */
    uint64_t size;    /* bytes */
    uint32_t mode;
} MountPlan;

typedef struct RlimitPlan {
    int resource;        /* RLIMIT_ */
    uint64_t soft, hard; /* UINT64_MAX: unlimited */
} RlimitPlan;

/* Bit masks, bit n is capability number n (linux/capability.h). */
typedef struct CapabilityPlan {
    uint64_t bounding, effective, permitted, inheritable, ambient;
} CapabilityPlan;

typedef struct UserPlan {
    uint32_t uid, gid;
    mode_t umask;
    uint32_t *additional_gids;
    size_t n_additional_gids;
} UserPlan;

typedef struct ProcessPlan {
    bool terminal;
    UserPlan user;
    TextList args;
    TextList env;
    const char *cwd;
    CapabilityPlan capabilities;
    RlimitPlan *rlimits;
    size_t n_rlimits;
    bool no_new_privileges;
    bool has_oom_score_adj;
    int oom_score_adj;
} ProcessPlan;

/* libseccomp's words; native/filter turns them into its constants. */
typedef struct SeccompArgumentPlan {
    unsigned index;
    uint64_t value, value_two;
    const char *op; /* "SCMP_CMP_EQ" */
} SeccompArgumentPlan;

typedef struct SeccompRulePlan {
    TextList names;
    const char *action; /* "SCMP_ACT_ALLOW" */
    bool has_error;
    int error;
    SeccompArgumentPlan *arguments;
    size_t n_arguments;
} SeccompRulePlan;

typedef struct SeccompPlan {
    const char *default_action;
    bool has_default_error;
    int default_error;
    TextList architectures; /* "SCMP_ARCH_X86_64" */
    SeccompRulePlan *rules;
    size_t n_rules;
} SeccompPlan;

typedef struct UsernsPlan {
    UsernsMode mode;
    uint32_t base, size; /* 0 with USERNS_HOST */
} UsernsPlan;

typedef struct LaunchPlan {
    char *path; /* of the file, for who must read it once more; NULL if it came from memory */
    ProcessPlan process;
    bool root_readonly;
    MountPlan *mounts;
    size_t n_mounts;
    TextList masked_paths;
    TextList readonly_paths;
    SeccompPlan *custom_seccomp; /* NULL unless seccomp is SECCOMP_PLAN_CUSTOM */

    char uuid[33];
    const char *pod;
    const char *app;
    const char *sandbox; /* unit name */
    const char *socket;
    const char *status; /* directory */
    const char *image_id;
    const char *image_digest;
    TextList layers; /* bottom first */
    const char *upper;
    const char *work;
    UsernsPlan userns;
    bool has_user; /* resolve `user` and `group` in the image instead of taking process.user */
    UserRules user_rules;
    const char *user;
    const char *group;
    bool create_cwd;
    SeccompMode seccomp;
    LogMode log;
    StdinMode stdin_mode;
    ReadyMode ready;

    struct PlanMemory *memory;
} LaunchPlan;

typedef struct SandboxPlan {
    char uuid[33];
    const char *pod;
    const char *hostname;
    NetMode net;
    IpcMode ipc;
    UsernsPlan userns;
    const char *socket;
    unsigned grace; /* seconds */

    struct PlanMemory *memory;
} SandboxPlan;

/* Reads a plan from a regular file of at most 1 MiB that root owns and nobody else can write.
 * On failure returns -errno (-EBADMSG: the text is no such plan, -EPERM: not root's) and, if it could be made, sets
 * *ret_sentence (caller frees) to one sentence naming the file and the key, such as
 * "/…/plan.json: process.user.uid: expected a whole number from 0 to 4294967294". */
int launch_plan_load(const char *path, LaunchPlan **ret, char **ret_sentence);
int sandbox_plan_load(const char *path, SandboxPlan **ret, char **ret_sentence);

/* The same from memory; the sentence starts with the key. */
int launch_plan_parse(const char *text, size_t size, LaunchPlan **ret, char **ret_sentence);
int sandbox_plan_parse(const char *text, size_t size, SandboxPlan **ret, char **ret_sentence);

LaunchPlan *launch_plan_free(LaunchPlan *plan);
SandboxPlan *sandbox_plan_free(SandboxPlan *plan);

static inline void launch_plan_cleanup(LaunchPlan **plan) {
    *plan = launch_plan_free(*plan);
}
static inline void sandbox_plan_cleanup(SandboxPlan **plan) {
    *plan = sandbox_plan_free(*plan);
}
#define _cleanup_launch_plan_ __attribute__((__cleanup__(launch_plan_cleanup)))
#define _cleanup_sandbox_plan_ __attribute__((__cleanup__(sandbox_plan_cleanup)))

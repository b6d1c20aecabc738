/* The launch plan: `apps/<app>/plan.json`. */
#include <string.h>

#include "basic/text.h"
#include "plan/mount.h"
#include "plan/plan.h"
#include "plan/process.h"
#include "plan/reader.h"
#include "plan/root.h"
#include "plan/seccomp.h"
#include "plan/userns.h"

static const Word seccomp_words[] = {
    { "default", SECCOMP_PLAN_DEFAULT }, { "none", SECCOMP_PLAN_NONE }, { "custom", SECCOMP_PLAN_CUSTOM }, { 0 },
};
static const Word log_words[] = { { "pipe", LOG_PIPE }, { "journal", LOG_JOURNAL }, { "null", LOG_NULL }, { 0 } };
static const Word stdin_words[] = { { "null", STDIN_NULL }, { "stream", STDIN_STREAM }, { 0 } };
static const Word ready_words[] = { { "exec", READY_EXEC }, { "app", READY_APP }, { 0 } };
static const Word rules_words[] = { { "appc", USER_RULES_APPC }, { "oci", USER_RULES_OCI }, { 0 } };
static const NumberDetail version_range = { 1, 1 };

/* overlayfs takes at most 500 lower layers (OVL_MAX_STACK). */
static const ArrayDetail layer_list = { offsetof(TextList, count), sizeof(char *), 500, read_path, NULL };
static const ArrayDetail path_list = { offsetof(TextList, count), sizeof(char *), 1024, read_path, NULL };

/* What the file holds beyond the plan: of no use once it is checked. */
typedef struct LaunchDocument {
    LaunchPlan plan;
    int version;
    const char *oci_version;
    const char *root_path;
} LaunchDocument;

#define AT(member) offsetof(LaunchDocument, plan.member)
static const ArrayDetail mount_list = { AT(n_mounts) - AT(mounts), sizeof(MountPlan), 4096, read_mount, NULL };

static int read_oci_version(Reader *reader, const KeyPath *path, const Json *value, void *target,
                            const void *detail) {
    int r = read_text(reader, path, value, target, detail);
    if (r >= 0 && !text_starts_with(*(const char **)target, "1."))
        return reader_fail(reader, path, "expected version 1");
    return r;
}

static int read_root_path(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    int r = read_text(reader, path, value, target, detail);
    if (r >= 0 && strcmp(*(const char **)target, "rootfs") != 0)
        return reader_fail(reader, path, "expected \"rootfs\": stage1 assembles the root itself");
    return r;
}

static int read_unit(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    int r = read_name(reader, path, value, target, detail);
    if (r >= 0 && !text_ends_with(*(const char **)target, ".service"))
        return reader_fail(reader, path, "expected a service unit");
    return r;
}

static const Member root_members[] = {
    { "path", true, offsetof(LaunchDocument, root_path), read_root_path, NULL, 0 },
    { "readonly", true, AT(root_readonly), read_bool, NULL, 0 },
    { 0 },
};
static const ObjectDetail root_object = { root_members };

static const Member linux_members[] = {
    { "maskedPaths", true, AT(masked_paths), read_array, &path_list, 0 },
    { "readonlyPaths", true, AT(readonly_paths), read_array, &path_list, 0 },
    { "seccomp", false, AT(custom_seccomp), read_seccomp, NULL, 0 },
    { 0 },
};
static const ObjectDetail linux_object = { linux_members };

static const Member image_members[] = {
    { "id", true, AT(image_id), read_text, NULL, 0 },
    { "digest", true, AT(image_digest), read_text, NULL, 0 },
    { 0 },
};
static const ObjectDetail image_object = { image_members };

static const Member user_members[] = {
    { "rules", true, AT(user_rules), read_word, rules_words, 0 },
    { "user", true, AT(user), read_text, NULL, 0 },
    { "group", true, AT(group), read_text, NULL, 0 },
    { 0 },
};
static const ObjectDetail user_object = { user_members };

static const Member gantry_members[] = {
    { "version", true, offsetof(LaunchDocument, version), read_int, &version_range, 0 },
    { "uuid", true, AT(uuid), read_uuid, NULL, 0 },
    { "pod", true, AT(pod), read_name, NULL, 0 },
    { "app", true, AT(app), read_name, NULL, 0 },
    { "sandbox", true, AT(sandbox), read_unit, NULL, 0 },
    { "socket", true, AT(socket), read_socket_path, NULL, 0 },
    { "status", true, AT(status), read_path, NULL, 0 },
    { "image", true, 0, read_object, &image_object, 0 },
    { "layers", true, AT(layers), read_array, &layer_list, 0 },
    { "upper", true, AT(upper), read_path, NULL, 0 },
    { "work", true, AT(work), read_path, NULL, 0 },
    { "userns", true, AT(userns), read_userns, NULL, 0 },
    { "user", false, 0, read_object, &user_object, AT(has_user) },
    { "createCwd", true, AT(create_cwd), read_bool, NULL, 0 },
    { "seccomp", true, AT(seccomp), read_word, seccomp_words, 0 },
    { "log", true, AT(log), read_word, log_words, 0 },
    { "stdin", true, AT(stdin_mode), read_word, stdin_words, 0 },
    { "ready", true, AT(ready), read_word, ready_words, 0 },
    { 0 },
};
static const ObjectDetail gantry_object = { gantry_members };

static const Member launch_members[] = {
    { "ociVersion", true, offsetof(LaunchDocument, oci_version), read_oci_version, NULL, 0 },
    { "process", true, AT(process), read_process, NULL, 0 },
    { "root", true, 0, read_object, &root_object, 0 },
    { "mounts", true, AT(mounts), read_array, &mount_list, 0 },
    { "linux", true, 0, read_object, &linux_object, 0 },
    { "gantry", true, 0, read_object, &gantry_object, 0 },
    { 0 },
};
#undef AT
static const ObjectDetail launch_object = { launch_members };

static const KeyPath gantry_path = { .key = "gantry" };
static const KeyPath process_path = { .key = "process" };
static const KeyPath linux_path = { .key = "linux" };

/* Ids that the pod's namespace does not map could only fail at setresuid(2), after everything else was built. */
static int plan_check_ids(Reader *reader, const LaunchPlan *plan) {
    const UserPlan *user = &plan->process.user;
    const KeyPath path = { .parent = &process_path, .key = "user" };
    const KeyPath uid = { .parent = &path, .key = "uid" }, gid = { .parent = &path, .key = "gid" },
                  gids = { .parent = &path, .key = "additionalGids" };
    if (plan->userns.mode == USERNS_HOST)
        return 0;
    if (user->uid >= plan->userns.size)
        return reader_fail(reader, &uid, "outside of the pod's %u ids", plan->userns.size);
    if (user->gid >= plan->userns.size)
        return reader_fail(reader, &gid, "outside of the pod's %u ids", plan->userns.size);
    for (size_t i = 0; i < user->n_additional_gids; i++) {
        const KeyPath here = { .parent = &gids, .index = i };
        if (user->additional_gids[i] >= plan->userns.size)
            return reader_fail(reader, &here, "outside of the pod's %u ids", plan->userns.size);
    }
    return 0;
}

static int plan_check(Reader *reader, const void *checked) {
    const LaunchPlan *plan = checked; /* the first member of its LaunchDocument */
    const KeyPath layers = { .parent = &gantry_path, .key = "layers" },
                  seccomp = { .parent = &linux_path, .key = "seccomp" };
    if (plan->layers.count == 0)
        return reader_fail(reader, &layers, "expected at least one layer");
    const KeyPath input = { .parent = &gantry_path, .key = "stdin" };
    if (plan->stdin_mode == STDIN_STREAM && plan->log != LOG_PIPE && !plan->process.terminal)
        return reader_fail(reader, &input,
                           "\"stream\" needs gantry.log \"pipe\": the sandbox relays all three or none");
    if (plan->seccomp == SECCOMP_PLAN_CUSTOM && !plan->custom_seccomp)
        return reader_fail(reader, &seccomp, "missing");
    if (plan->seccomp != SECCOMP_PLAN_CUSTOM && plan->custom_seccomp)
        return reader_fail(reader, &seccomp, "only allowed when gantry.seccomp is \"custom\"");
    for (size_t i = 0; plan->userns.mode == USERNS_HOST && i < plan->n_mounts; i++) {
        const KeyPath mounts = { .key = "mounts" }, mount = { .parent = &mounts, .index = i },
                      options = { .parent = &mount, .key = "options" };
        if (plan->mounts[i].options & MOUNT_OPTION_IDMAP)
            return reader_fail(reader, &options, "idmap needs a pod with its own user namespace");
    }
    return plan_check_ids(reader, plan);
}

_Static_assert(offsetof(LaunchDocument, plan) == 0, "the plan comes first: it is what the document is freed by");
static const PlanKind launch_kind = {
    &launch_object, sizeof(LaunchDocument), offsetof(LaunchPlan, memory), plan_check,
};

int launch_plan_parse(const char *text, size_t size, LaunchPlan **ret, char **ret_sentence) {
    void *plan;
    int r = plan_parse(&launch_kind, text, size, &plan, ret_sentence);
    if (r >= 0)
        *ret = plan;
    return r;
}

int launch_plan_load(const char *path, LaunchPlan **ret, char **ret_sentence) {
    void *plan;
    int r = plan_load(&launch_kind, path, &plan, ret_sentence);
    if (r < 0)
        return r;
    LaunchPlan *launch = plan;
    launch->path = strdup(path);
    if (!launch->path) {
        (void)launch_plan_free(launch);
        return -ENOMEM;
    }
    *ret = launch;
    return 0;
}

LaunchPlan *launch_plan_free(LaunchPlan *plan) {
    if (plan)
        free(plan->path);
    plan_free(&launch_kind, plan);
    return NULL;
}

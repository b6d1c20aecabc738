/* The sandbox plan: `sandbox.json`. */
#include <stddef.h>

#include "plan/plan.h"
#include "plan/reader.h"
#include "plan/root.h"
#include "plan/userns.h"

static const Word net_words[] = { { "none", NET_NONE }, { "host", NET_HOST }, { 0 } };
static const Word ipc_words[] = { { "private", IPC_PRIVATE }, { "host", IPC_HOST }, { 0 } };
static const NumberDetail version_range = { 1, 1 };
static const NumberDetail grace_range = { 0, 3600 };

/* What the file holds beyond the plan: a version, of no use once it is checked. */
typedef struct SandboxDocument {
    SandboxPlan plan;
    int version;
} SandboxDocument;

#define AT(member) offsetof(SandboxDocument, plan.member)
static const Member sandbox_members[] = {
    { "version", true, offsetof(SandboxDocument, version), read_int, &version_range, 0 },
    { "uuid", true, AT(uuid), read_uuid, NULL, 0 },
    { "pod", true, AT(pod), read_name, NULL, 0 },
    { "hostname", true, AT(hostname), read_hostname, NULL, 0 },
    { "net", true, AT(net), read_word, net_words, 0 },
    { "ipc", true, AT(ipc), read_word, ipc_words, 0 },
    { "userns", true, AT(userns), read_userns, NULL, 0 },
    { "socket", true, AT(socket), read_socket_path, NULL, 0 },
    { "grace", true, AT(grace), read_u32, &grace_range, 0 },
    { 0 },
};
#undef AT
static const ObjectDetail sandbox_object = { sandbox_members };

_Static_assert(offsetof(SandboxDocument, plan) == 0, "the plan comes first: it is what the document is freed by");
static const PlanKind sandbox_kind = {
    &sandbox_object, sizeof(SandboxDocument), offsetof(SandboxPlan, memory), NULL,
};

int sandbox_plan_parse(const char *text, size_t size, SandboxPlan **ret, char **ret_sentence) {
    void *plan;
    int r = plan_parse(&sandbox_kind, text, size, &plan, ret_sentence);
    if (r >= 0)
        *ret = plan;
    return r;
}

int sandbox_plan_load(const char *path, SandboxPlan **ret, char **ret_sentence) {
    void *plan;
    int r = plan_load(&sandbox_kind, path, &plan, ret_sentence);
    if (r >= 0)
        *ret = plan;
    return r;
}

SandboxPlan *sandbox_plan_free(SandboxPlan *plan) {
    plan_free(&sandbox_kind, plan);
    return NULL;
}

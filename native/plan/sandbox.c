/* The sandbox plan: `sandbox.json`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "plan/document.h"
#include "plan/plan.h"
#include "plan/reader.h"
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

int sandbox_plan_parse(const char *text, size_t size, SandboxPlan **ret, char **ret_sentence) {
    json_t *json = NULL;
    int r = document_parse(text, size, &json, ret_sentence);
    if (r < 0)
        return r;
    SandboxDocument *document = calloc(1, sizeof *document);
    Reader reader = { .memory = plan_memory_new(json), .ret_sentence = ret_sentence };
    if (!document || !reader.memory) {
        plan_memory_free(reader.memory);
        free(document);
        return -ENOMEM;
    }
    document->plan.memory = reader.memory;
    r = read_object(&reader, NULL, json, document, &sandbox_object);
    if (r < 0) {
        sandbox_plan_free(&document->plan);
        return r;
    }
    *ret = &document->plan;
    return 0;
}

int sandbox_plan_load(const char *path, SandboxPlan **ret, char **ret_sentence) {
    _cleanup_free_ char *text = NULL;
    char *sentence = NULL;
    size_t size;
    int r = document_read(path, &text, &size, &sentence);
    if (r >= 0)
        r = sandbox_plan_parse(text, size, ret, &sentence);
    sentence_prefix(path, &sentence);
    *ret_sentence = sentence;
    return r;
}

SandboxPlan *sandbox_plan_free(SandboxPlan *plan) {
    if (plan) {
        plan_memory_free(plan->memory);
        free(plan); /* the first member of its SandboxDocument */
    }
    return NULL;
}

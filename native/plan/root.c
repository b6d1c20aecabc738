#include "plan/root.h"

#include <errno.h>
#include <stdlib.h>

#include "basic/cleanup.h"
#include "plan/document.h"

static PlanMemory **memory_of(const PlanKind *kind, void *plan) {
    return (PlanMemory **)(void *)((char *)plan + kind->memory);
}

int plan_parse(const PlanKind *kind, const char *text, size_t size, void **ret, char **ret_sentence) {
    Json *json = NULL;
    int r = json_parse(text, size, &json, ret_sentence);
    if (r < 0)
        return r;
    void *plan = calloc(1, kind->size);
    Reader reader = { .memory = plan_memory_new(json), .ret_sentence = ret_sentence };
    if (!plan || !reader.memory) {
        plan_memory_free(reader.memory);
        free(plan);
        return -ENOMEM;
    }
    *memory_of(kind, plan) = reader.memory;
    r = read_object(&reader, NULL, json, plan, kind->object);
    if (r >= 0 && kind->check)
        r = kind->check(&reader, plan);
    if (r < 0)
        plan_free(kind, plan);
    else
        *ret = plan;
    return r;
}

int plan_load(const PlanKind *kind, const char *path, void **ret, char **ret_sentence) {
    _cleanup_free_ char *text = NULL;
    char *sentence = NULL;
    size_t size;
    int r = document_read(path, &text, &size, &sentence);
    if (r >= 0)
        r = plan_parse(kind, text, size, ret, &sentence);
    sentence_prefix(path, &sentence);
    *ret_sentence = sentence;
    return r;
}

void plan_free(const PlanKind *kind, void *plan) {
    if (!plan)
        return;
    plan_memory_free(*memory_of(kind, plan));
    free(plan);
}

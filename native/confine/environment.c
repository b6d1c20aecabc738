#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/text.h"
#include "confine/program.h"

static bool same_name(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

char **environment_free(char **environment) {
    for (char **entry = environment; entry && *entry; entry++)
        free(*entry);
    free(environment);
    return NULL;
}

static bool is_replaced(const char *entry, const TextList *extra) {
    for (size_t i = 0; i < extra->count; i++)
        if (same_name(extra->items[i], entry))
            return true;
    return false;
}

char **environment_make(const TextList *env, const char *home, const TextList *extra) {
    size_t used = 0;
    bool has_home = false, failed = false;
    char **environment = calloc(env->count + extra->count + 2, sizeof *environment);
    if (!environment)
        return NULL;
    for (size_t i = 0; i < env->count && !failed; i++) {
        if (is_replaced(env->items[i], extra))
            continue;
        has_home = has_home || text_starts_with(env->items[i], "HOME=");
        failed = !(environment[used++] = strdup(env->items[i]));
    }
    if (!failed && !has_home)
        failed = text_format(&environment[used++], "HOME=%s", home) < 0;
    for (size_t i = 0; i < extra->count && !failed; i++)
        failed = !(environment[used++] = strdup(extra->items[i]));
    return failed ? environment_free(environment) : environment;
}

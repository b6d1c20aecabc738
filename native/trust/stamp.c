#include "stamp.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "generation.h"
#include "plan/document.h"

static bool document_holds(json_t *document, const char *root, long long now);

bool trust_stamp_holds(const char *directory) {
    return trust_stamp_holds_at(directory, "", time(NULL));
}

bool trust_stamp_holds_at(const char *directory, const char *root, long long now) {
    _cleanup_free_ char *path = NULL, *text = NULL, *sentence = NULL;
    json_t *document = NULL;
    size_t size;
    if (text_format(&path, "%s/trust.json", directory) < 0 || document_read(path, &text, &size, &sentence) < 0 ||
        document_parse(text, size, &document, &sentence) < 0)
        return false;
    bool holds = document_holds(document, root, now);
    json_decref(document);
    return holds;
}

/* A clock that stands before the judgement says nothing about keys that were not valid yet: so it does not hold. */
static bool document_holds(json_t *document, const char *root, long long now) {
    char generation[GENERATION_DIGITS + 1];
    const char *judged = json_string_value(json_object_get(document, "generation"));
    const json_t *since = json_object_get(document, "since"), *until = json_object_get(document, "until");
    if (json_integer_value(json_object_get(document, "version")) != 1 || !judged || !json_is_integer(since))
        return false;
    if (now < json_integer_value(since) || (until && (!json_is_integer(until) || now >= json_integer_value(until))))
        return false;
    return generation_read(root, generation) >= 0 && strcmp(generation, judged) == 0;
}

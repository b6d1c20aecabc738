#include "stamp.h"

#include <string.h>
#include <time.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "generation.h"
#include "json/json.h"
#include "plan/document.h"

static bool document_holds(const Json *document, const char *root, long long now);

bool trust_stamp_holds(const char *directory) {
    return trust_stamp_holds_at(directory, "", time(NULL));
}

bool trust_stamp_holds_at(const char *directory, const char *root, long long now) {
    _cleanup_free_ char *path = NULL, *text = NULL, *sentence = NULL;
    _cleanup_json_ Json *document = NULL;
    size_t size;
    if (text_format(&path, "%s/trust.json", directory) < 0 || document_read(path, &text, &size, &sentence) < 0 ||
        json_parse(text, size, &document, NULL) < 0)
        return false;
    return document_holds(document, root, now);
}

/* A clock that stands before the judgement says nothing about keys that were not valid yet: so it does not hold. */
static bool document_holds(const Json *document, const char *root, long long now) {
    char generation[GENERATION_DIGITS + 1];
    const char *judged;
    int64_t version, since, until = INT64_MAX;
    const JsonField fields[] = {
        { "version", JSON_INTEGER, &version, false },
        { "generation", JSON_TEXT, &judged, false },
        { "since", JSON_INTEGER, &since, false },
        { "until", JSON_INTEGER, &until, true },
        { 0 },
    };
    if (json_read(document, fields) < 0 || version != 1 || now < since || now >= until)
        return false;
    return generation_read(root, generation) >= 0 && strcmp(generation, judged) == 0;
}

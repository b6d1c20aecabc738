/* libFuzzer target, and with fuzz-replay.c an ordinary test: whatever the bytes, reading ends, a refusal has a sentence, and
 * a tree can be walked, its strings quoted and read again as the same. To fuzz:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -std=gnu17 -Inative \
 *     test/native/json/fuzz-json.c native/json/[a-z]*.c native/basic/[a-z]*.c -o fuzz
 *   ./fuzz -max_len=4096 CORPUS test/native/json/corpus
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_check(const char *text) {
    _cleanup_free_ char *quoted = NULL;
    _cleanup_json_ Json *again = NULL;
    if (!text_is_utf8(text) || json_quote(text, &quoted) < 0 || json_parse(quoted, strlen(quoted), &again, NULL) < 0 ||
        strcmp(json_text(again), text) != 0)
        abort();
}

static void value_walk(const Json *value, unsigned depth) {
    if (depth > JSON_DEPTH_MAX)
        abort();
    if (json_is(value, JSON_TEXT))
        text_check(json_text(value));
    for (size_t i = 0; i < json_count(value); i++) {
        const char *key = NULL;
        const Json *item = json_is(value, JSON_ARRAY) ? json_element(value, i) : json_member_at(value, i, &key);
        if (key)
            text_check(key);
        if (!item || (key && json_member(value, key) != item))
            abort();
        value_walk(item, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_json_ Json *root = NULL;
    _cleanup_free_ char *sentence = NULL, *exact = malloc(size ? size : 1);
    if (size > 0)
        memcpy(exact, data, size);
    int r = json_parse(exact, size, &root, &sentence);
    if ((r < 0) == !sentence || (r < 0) != !root)
        abort();
    if (r >= 0)
        value_walk(root, 0);
    return 0;
}

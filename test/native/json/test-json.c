/* The JSON reader: what it takes, what it refuses with which sentence, and what the tree then says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "basic/cleanup.h"
#include "basic/text.h"
#include "json/json.h"

static const char *const good[] = {
    "{}",
    " \t\r\n[ ] \n",
    "null",
    "true",
    "\"text\"",
    "0",
    "-0",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "-1.25e+10",
    "1E400",
    "123456789012345678901234567890.5",
    "[1,[2,[3]],{\"a\":[{}]}]",
    "{\"\":1,\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}",
    "\"\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf\"",
};

/* The sentence is the whole one, with its line. */
static const struct {
    const char *text, *sentence;
} bad[] = {
    { "", "line 1: the text ends too early" },
    { " \n\n ", "line 3: the text ends too early" },
    { "\xef\xbb\xbf{}", "line 1: expected a value" },
    { "nul", "line 1: expected a value" },
    { "True", "line 1: expected a value" },
    { "NaN", "line 1: expected a value" },
    { "'a'", "line 1: expected a value" },
    { "// no comment\n1", "line 1: expected a value" },
    { "[1,]", "line 1: expected a value" },
    { "[,1]", "line 1: expected a value" },
    { "[1 2]", "line 1: expected a comma or ]" },
    { "[1}", "line 1: expected a comma or ]" },
    { "[truefalse]", "line 1: expected a comma or ]" },
    { "[\n1,\n2", "line 3: the text ends too early" },
    { "[\v1]", "line 1: expected a value" },
    { "{\"a\":1,}", "line 1: expected a key" },
    { "{a:1}", "line 1: expected a key" },
    { "{1:1}", "line 1: expected a key" },
    { "{\"a\" 1}", "line 1: expected a colon" },
    { "{\"a\":}", "line 1: expected a value" },
    { "{\"a\":1 \"b\":2}", "line 1: expected a comma or }" },
    { "{\"a\":1]", "line 1: expected a comma or }" },
    { "{", "line 1: the text ends too early" },
    { "{\"a", "line 1: the text ends too early" },
    { "{\"a\":", "line 1: the text ends too early" },
    { "\"\\", "line 1: the text ends too early" },
    { "{}\n{}", "line 2: more text behind the value" },
    { "1 2", "line 1: more text behind the value" },
    { "[]]", "line 1: more text behind the value" },
    { "{\"a\":1,\n\"b\":2,\n\"a\":3}", "line 3: the key \"a\" is a duplicate" },
    { "[{\"b\":{\"a\":1,\n\"\\u0061\":2}}]", "line 2: the key \"a\" is a duplicate" },
    { "{\"\\u009bm\":1,\"\\u009bm\":2}", "line 1: the key \"\\xc2\\x9bm\" is a duplicate" },
    { "-", "line 1: the text ends too early" },
    { "[-]", "line 1: expected a digit" },
    { "[+1]", "line 1: expected a value" },
    { "[.5]", "line 1: expected a value" },
    { "[1.]", "line 1: expected a digit" },
    { "[1e]", "line 1: expected a digit" },
    { "[1e+]", "line 1: expected a digit" },
    { "[\n01]", "line 2: a number that begins with 0" },
    { "[-00]", "line 1: a number that begins with 0" },
    { "[0x10]", "line 1: expected a comma or ]" },
    { "[9223372036854775808]", "line 1: a whole number beyond 64 bits" },
    { "[-9223372036854775809]", "line 1: a whole number beyond 64 bits" },
    { "[99999999999999999999999999]", "line 1: a whole number beyond 64 bits" },
    { "\"a\nb\"", "line 1: a control character in a string" },
    { "\"\\n\\n\\n\t\"", "line 1: a control character in a string" },
    { "\"\\a\"", "line 1: an unknown escape in a string" },
    { "\"\\U0041\"", "line 1: an unknown escape in a string" },
    { "\"\\u00g0\"", "line 1: expected four hexadecimal digits behind \\u" },
    { "\"\\u12", "line 1: expected four hexadecimal digits behind \\u" },
    { "\"a\\u0000b\"", "line 1: \\u0000 in a string" },
    { "\"\\ud800\"", "line 1: half a surrogate pair in a string" },
    { "\"\\ud800\\n\"", "line 1: half a surrogate pair in a string" },
    { "\"\\ud800\\ud800\"", "line 1: half a surrogate pair in a string" },
    { "\"\\ud800\\ue000\"", "line 1: half a surrogate pair in a string" },
    { "\"\\udc00\"", "line 1: half a surrogate pair in a string" },
    { "[\n\"\xff\"]", "line 2: a string that is no UTF-8" },
    { "\"\xc0\xaf\"", "line 1: a string that is no UTF-8" },
    { "\"\xed\xa0\x80\"", "line 1: a string that is no UTF-8" },
    { "\"\xf4\x90\x80\x80\"", "line 1: a string that is no UTF-8" },
    { "\"\xe2\x82\"", "line 1: a string that is no UTF-8" },
    { "\"\xe2\x82\\u00ac\"", "line 1: a string that is no UTF-8" },
    { "{\"\x80\":1}", "line 1: a string that is no UTF-8" },
};

/* From memory of exactly the size, so that a sanitizer sees a step beyond it. */
static int parse(const char *text, size_t size, Json **ret, char **ret_sentence) {
    _cleanup_free_ char *exact = malloc(size ? size : 1);
    if (size > 0)
        memcpy(exact, text, size);
    return json_parse(exact, size, ret, ret_sentence);
}

static void check_texts(void) {
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        _cleanup_json_ Json *root = NULL;
        _cleanup_free_ char *sentence = NULL;
        CHECK(parse(good[i], strlen(good[i]), &root, &sentence) == 0, "%s: %s", good[i], sentence ? sentence : "");
        CHECK(root, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Json *root = NULL;
        _cleanup_free_ char *sentence = NULL;
        CHECK(parse(bad[i].text, strlen(bad[i].text), &root, &sentence) == -EBADMSG && !root, "%s: taken", bad[i].text);
        CHECK(sentence && strcmp(sentence, bad[i].sentence) == 0, "%s: %s", bad[i].text, sentence ? sentence : "");
        CHECK(parse(bad[i].text, strlen(bad[i].text), &root, NULL) == -EBADMSG && !root, "%s: taken", bad[i].text);
    }
}

static void check_nul(void) {
    static const struct {
        const char *text;
        size_t size;
        const char *sentence;
    } texts[] = {
        { "{}\0", 3, "line 1: more text behind the value" },
        { "\0", 1, "line 1: expected a value" },
        { "[\"a\0b\"]", 7, "line 1: a control character in a string" },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        _cleanup_json_ Json *root = NULL;
        _cleanup_free_ char *sentence = NULL;
        CHECK(parse(texts[i].text, texts[i].size, &root, &sentence) == -EBADMSG, "NUL %zu: taken", i);
        CHECK(sentence && strcmp(sentence, texts[i].sentence) == 0, "NUL %zu: %s", i, sentence ? sentence : "");
    }
}

static void check_strings(void) {
    static const struct {
        const char *text, *means;
    } strings[] = {
        { "\"\"", "" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"\\u0041\\u00e9\\u20AC\\uD83D\\ude00\\u07ff\\u0800\\uffff\"",
          "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
        { "\"a\\\\u0000\"", "a\\u0000" },
        { "\"\\udbff\\udfff.\"", "\xf4\x8f\xbf\xbf." },
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        _cleanup_json_ Json *root = NULL;
        CHECK(parse(strings[i].text, strlen(strings[i].text), &root, NULL) == 0, "%s: refused", strings[i].text);
        const char *text = json_text(root);
        CHECK(text && strcmp(text, strings[i].means) == 0, "%s: %s", strings[i].text, text ? text : "");
    }
}

static char *repeated(const char *one, size_t count, const char *middle, const char *other) {
    size_t size = strlen(one) * count + strlen(middle) + strlen(other) * count;
    char *text = malloc(size + 1), *to = text;
    for (size_t i = 0; i < count; i++)
        to = stpcpy(to, one);
    to = stpcpy(to, middle);
    for (size_t i = 0; i < count; i++)
        to = stpcpy(to, other);
    return text;
}

static void check_depth(void) {
    _cleanup_free_ char *deep = repeated("[", JSON_DEPTH_MAX, "", "]"), *deeper = repeated("[", JSON_DEPTH_MAX, "{}", "]"),
                        *endless = repeated("{\"a\":[\n", 100000, "", ""), *wide = repeated("[],", 100000, "[]", "");
    _cleanup_free_ char *sentence = NULL, *many = NULL;
    _cleanup_json_ Json *root = NULL, *array = NULL;
    CHECK(parse(deep, strlen(deep), &root, NULL) == 0, "%u deep", JSON_DEPTH_MAX);
    CHECK(parse(deeper, strlen(deeper), &root, &sentence) == -EBADMSG, "deeper");
    CHECK(sentence && strcmp(sentence, "line 1: nested deeper than 64") == 0, "%s", sentence ? sentence : "");
    CHECK(parse(endless, strlen(endless), &root, NULL) == -EBADMSG, "endless");
    CHECK(text_format(&many, "[%s]", wide) == 0 && parse(many, strlen(many), &array, NULL) == 0, "wide");
    CHECK(json_count(array) == 100001 && json_is(json_element(array, 100000), JSON_ARRAY), "wide");
}

/* More members than are compared each with each; the last may be one that was there. */
static int many_parse(unsigned count, unsigned last, Json **ret, char **ret_sentence) {
    _cleanup_free_ char *text = malloc(count * 24 + 64);
    char *to = stpcpy(text, "{");
    for (unsigned i = 0; i < count; i++)
        to += sprintf(to, "\"k%u\":%u,\n", i, i);
    (void)sprintf(to, "\"k%u\":0}", last);
    return parse(text, strlen(text), ret, ret_sentence);
}

static void check_many(void) {
    _cleanup_json_ Json *root = NULL, *none = NULL;
    _cleanup_free_ char *sentence = NULL;
    int64_t number = 0;
    CHECK(many_parse(50000, 50000, &root, NULL) == 0 && json_count(root) == 50001, "many members");
    CHECK(json_integer(json_member(root, "k49999"), &number) == 0 && number == 49999, "the last but one");
    CHECK(many_parse(50000, 17, &none, &sentence) == -EBADMSG, "a duplicate among many");
    CHECK(sentence && strcmp(sentence, "line 50001: the key \"k17\" is a duplicate") == 0, "%s", sentence ? sentence : "");
}

static void check_tree(void) {
    static const char text[] = "{\"z\":[1,[2,3],-4],\"a\":{\"t\":true,\"f\":false},\"n\":null,\"r\":1.5,\"s\":\"x\"}";
    static const char *const keys[] = { "z", "a", "n", "r", "s" };
    _cleanup_json_ Json *root = NULL;
    CHECK(parse(text, strlen(text), &root, NULL) == 0 && json_is(root, JSON_OBJECT) && json_count(root) == 5, "root");
    for (size_t i = 0; i < 5; i++) {
        const char *key = "";
        const Json *value = json_member_at(root, i, &key);
        CHECK(value && strcmp(key, keys[i]) == 0 && value == json_member(root, key), "member %zu: %s", i, key);
    }
    const Json *array = json_member(root, "z"), *object = json_member(root, "a"), *real = json_member(root, "r");
    int64_t number = 7;
    bool truth = false;
    const char *key;
    CHECK(json_count(array) == 3 && json_count(json_element(array, 1)) == 2, "counts");
    CHECK(json_integer(json_element(array, 2), &number) == 0 && number == -4, "%lld", (long long)number);
    CHECK(json_integer(json_element(json_element(array, 1), 0), &number) == 0 && number == 2, "%lld", (long long)number);
    CHECK(json_bool(json_member(object, "t"), &truth) == 0 && truth, "true");
    CHECK(json_bool(json_member(object, "f"), &truth) == 0 && !truth, "false");
    CHECK(json_is(json_member(root, "n"), JSON_NULL), "null");
    CHECK(json_is(real, JSON_REAL) && json_integer(real, &number) == -EBADMSG && number == 2, "a real is no whole number");
    CHECK(!json_element(array, 3) && !json_element(object, 0) && !json_member(array, "t"), "what is not there");
    CHECK(!json_member_at(root, 5, &key) && !json_member_at(array, 0, &key), "what is not there");
    CHECK(!json_member(root, "") && !json_text(array) && json_bool(real, &truth) == -EBADMSG, "another kind");
    CHECK(!json_is(NULL, JSON_NULL) && !json_text(NULL) && json_count(NULL) == 0 && !json_element(NULL, 0) &&
              !json_member(NULL, "a"),
          "NULL");
}

static void check_fields(void) {
    static const struct {
        const char *text;
        int any, exact;
    } objects[] = {
        { "{\"n\":5,\"s\":\"x\",\"b\":true,\"a\":[]}", 0, 0 },
        { "{\"n\":5,\"s\":\"x\",\"b\":true,\"a\":[],\"o\":\"y\"}", 0, 0 },
        { "{\"n\":5,\"s\":\"x\",\"b\":true,\"a\":[],\"more\":1}", 0, -EBADMSG },
        { "{\"n\":5,\"s\":\"x\",\"b\":true,\"a\":[],\"o\":7}", -EBADMSG, -EBADMSG },
        { "{\"n\":5,\"s\":\"x\",\"b\":true}", -EBADMSG, -EBADMSG },
        { "{\"n\":5.5,\"s\":\"x\",\"b\":true,\"a\":[]}", -EBADMSG, -EBADMSG },
        { "{\"n\":5,\"s\":null,\"b\":true,\"a\":[]}", -EBADMSG, -EBADMSG },
        { "[]", -EBADMSG, -EBADMSG },
    };
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        int64_t number = 0;
        const char *text = "", *optional = "unset";
        bool truth = false;
        const Json *array = NULL;
        const JsonField fields[] = {
            { "n", JSON_INTEGER, &number, false }, { "s", JSON_TEXT, &text, false },    { "b", JSON_BOOL, &truth, false },
            { "a", JSON_ARRAY, &array, false },    { "o", JSON_TEXT, &optional, true }, { 0 },
        };
        _cleanup_json_ Json *root = NULL;
        CHECK(parse(objects[i].text, strlen(objects[i].text), &root, NULL) == 0, "%s", objects[i].text);
        CHECK(json_read_exactly(root, fields) == objects[i].exact, "exactly: %s", objects[i].text);
        CHECK(json_read(root, fields) == objects[i].any, "%s", objects[i].text);
        CHECK(objects[i].any < 0 || (number == 5 && truth && strcmp(text, "x") == 0 && json_is(array, JSON_ARRAY)), "%s",
              objects[i].text);
        CHECK(i != 0 || strcmp(optional, "unset") == 0, "what is missing is left alone");
    }
}

static void check_quotes(void) {
    static const char *const texts[] = { "", "gantry-a\\x2db.service", "\"\\\n\t\x01\x1f", "\xe2\x82\xac\x7f" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        _cleanup_free_ char *quoted = NULL;
        _cleanup_json_ Json *root = NULL;
        CHECK(json_quote(texts[i], &quoted) == 0 && parse(quoted, strlen(quoted), &root, NULL) == 0, "%s", quoted);
        CHECK(json_text(root) && strcmp(json_text(root), texts[i]) == 0, "%s", quoted);
    }
}

int main(void) {
    check_texts();
    check_nul();
    check_strings();
    check_depth();
    check_many();
    check_tree();
    check_fields();
    check_quotes();
    return checks_failed != 0;
}

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/text.h"
#include "json/parser.h"

static size_t values_max(const char *text, size_t size);
static int root_read(JsonParser *parser);
static int value_read(JsonParser *parser, const char *key);
static int container_read(JsonParser *parser, Json *ret);
static int array_read(JsonParser *parser);
static int object_read(JsonParser *parser);
static int member_read(JsonParser *parser);
static void container_close(JsonParser *parser, Json *ret, size_t first);
static int literal_read(JsonParser *parser, Json *ret);
static void blanks_skip(JsonParser *parser);
static bool token_take(JsonParser *parser, char token);

int json_parse(const char *text, size_t size, Json **ret, char **ret_sentence) {
    size_t slots = values_max(text, size), values_size, whole;
    if (__builtin_mul_overflow(slots, sizeof(Json), &values_size) || __builtin_add_overflow(values_size, size + 1, &whole))
        return -ENOMEM;
    Json *values = malloc(whole);
    if (!values)
        return -ENOMEM;
    char *copy = (char *)values + values_size;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    JsonParser parser = { text, copy, copy, copy + size, values, 0, slots, 0, ret_sentence };
    int r = root_read(&parser);
    if (r < 0)
        free(values);
    else
        *ret = values;
    return r;
}

Json *json_free(Json *root) {
    free(root);
    return NULL;
}

int parser_fail(JsonParser *parser, const char *where, const char *sentence, ...) {
    char raw[256], clean[512];
    size_t line = 1;
    if (!parser->ret_sentence)
        return -EBADMSG;
    for (const char *c = parser->source, *stop = c + (where - parser->copy); c < stop; c++)
        line += *c == '\n';
    va_list arguments;
    va_start(arguments, sentence);
    (void)vsnprintf(raw, sizeof raw, where == parser->end ? "the text ends too early" : sentence, arguments);
    va_end(arguments);
    text_printable(raw, clean, sizeof clean); /* a key is outside text */
    (void)text_format(parser->ret_sentence, "line %zu: %s", line, clean);
    return -EBADMSG;
}

/* Every value is the root, or the first of its container, or behind a comma. */
static size_t values_max(const char *text, size_t size) {
    size_t count = 1;
    for (size_t i = 0; i < size; i++)
        count += text[i] == ',' || text[i] == '[' || text[i] == '{';
    return count;
}

static int root_read(JsonParser *parser) {
    int r = value_read(parser, NULL);
    if (r < 0)
        return r;
    blanks_skip(parser);
    return parser->at == parser->end ? 0 : parser_fail(parser, parser->at, "more text behind the value");
}

static int value_read(JsonParser *parser, const char *key) {
    blanks_skip(parser);
    Json *value = &parser->values[parser->open++];
    *value = (Json){ .key = key };
    char first = *parser->at;
    if (first == '{' || first == '[')
        return container_read(parser, value);
    if (first == '"') {
        value->kind = JSON_TEXT;
        return parser_read_string(parser, &value->text);
    }
    if (first == '-' || (first >= '0' && first <= '9'))
        return parser_read_number(parser, value);
    return literal_read(parser, value);
}

static int container_read(JsonParser *parser, Json *ret) {
    size_t first = parser->open;
    if (++parser->depth > JSON_DEPTH_MAX)
        return parser_fail(parser, parser->at, "nested deeper than %u", JSON_DEPTH_MAX);
    ret->kind = *parser->at++ == '[' ? JSON_ARRAY : JSON_OBJECT;
    int r = ret->kind == JSON_ARRAY ? array_read(parser) : object_read(parser);
    if (r >= 0 && ret->kind == JSON_OBJECT)
        r = parser_check_keys(parser, parser->values + first, parser->open - first);
    if (r < 0)
        return r;
    parser->depth--;
    container_close(parser, ret, first);
    return 0;
}

static int array_read(JsonParser *parser) {
    if (token_take(parser, ']'))
        return 0;
    do {
        int r = value_read(parser, NULL);
        if (r < 0)
            return r;
    } while (token_take(parser, ','));
    return token_take(parser, ']') ? 0 : parser_fail(parser, parser->at, "expected a comma or ]");
}

static int object_read(JsonParser *parser) {
    if (token_take(parser, '}'))
        return 0;
    do {
        int r = member_read(parser);
        if (r < 0)
            return r;
    } while (token_take(parser, ','));
    return token_take(parser, '}') ? 0 : parser_fail(parser, parser->at, "expected a comma or }");
}

static int member_read(JsonParser *parser) {
    const char *key;
    blanks_skip(parser);
    if (*parser->at != '"')
        return parser_fail(parser, parser->at, "expected a key");
    int r = parser_read_string(parser, &key);
    if (r < 0)
        return r;
    return token_take(parser, ':') ? value_read(parser, key) : parser_fail(parser, parser->at, "expected a colon");
}

/* Moves the container's values from the open to the closed ones; where the two meet, the places overlap. */
static void container_close(JsonParser *parser, Json *ret, size_t first) {
    ret->count = parser->open - first;
    parser->closed -= ret->count;
    parser->open = first;
    ret->values = memmove(parser->values + parser->closed, parser->values + first, ret->count * sizeof(Json));
}

static int literal_read(JsonParser *parser, Json *ret) {
    static const struct {
        const char *word;
        JsonKind kind;
        bool truth;
    } literals[] = { { "true", JSON_BOOL, true }, { "false", JSON_BOOL, false }, { "null", JSON_NULL, false } };
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++)
        if (text_starts_with(parser->at, literals[i].word)) {
            parser->at += strlen(literals[i].word);
            ret->kind = literals[i].kind;
            ret->truth = literals[i].truth;
            return 0;
        }
    return parser_fail(parser, parser->at, "expected a value");
}

static void blanks_skip(JsonParser *parser) {
    while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\t' || *parser->at == '\r')
        parser->at++;
}

static bool token_take(JsonParser *parser, char token) {
    blanks_skip(parser);
    if (*parser->at != token)
        return false;
    parser->at++;
    return true;
}

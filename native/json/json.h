/*
 * JSON as RFC 8259 has it, read strictly: one text to a tree that nobody changes. Refused beyond the grammar is what two
 * readers could take for different things, or C strings cannot hold: a key twice, \u0000, bytes that are no UTF-8, half
 * a surrogate pair, a whole number beyond int64_t.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arrays and objects inside each other; the reader is recursive. */
#define JSON_DEPTH_MAX 64U

typedef enum JsonKind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER,
    JSON_REAL, /* no document of ours has one: recognized, to be refused by whoever wanted something else */
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonKind;

typedef struct Json Json;

/* Reads one value and nothing behind it. *ret owns the whole tree and every string got from it. -EBADMSG sets *ret_sentence
 * (caller frees; may be NULL), such as "line 3: the key "uid" is a duplicate". */
int json_parse(const char *text, size_t size, Json **ret, char **ret_sentence);
Json *json_free(Json *root); /* NULL */

/* All of these take NULL for a value of no kind. */
bool json_is(const Json *value, JsonKind kind);
const char *json_text(const Json *value);                   /* NULL unless text */
int json_integer(const Json *value, int64_t *ret);          /* -EBADMSG unless a whole number */
int json_bool(const Json *value, bool *ret);                /* -EBADMSG unless true or false */
size_t json_count(const Json *value);                       /* elements or members; 0 for what has neither */
const Json *json_element(const Json *array, size_t index);  /* NULL if it is no array or has not so many */
const Json *json_member(const Json *object, const char *key);
/* The same by its place in the text, from 0. */
const Json *json_member_at(const Json *object, size_t index, const char **ret_key);

/* What a member becomes: an int64_t, a bool, a const char * or, for every other kind, a const Json *. */
typedef struct JsonField {
    const char *key; /* NULL ends the list */
    JsonKind kind;
    void *ret;
    bool optional; /* *ret is left alone if it is missing */
} JsonField;

/* -EBADMSG if a field is missing or of another kind; json_read_exactly() also if there is a member that is no field. */
int json_read(const Json *object, const JsonField *fields);
int json_read_exactly(const Json *object, const JsonField *fields);

/* UTF-8 to a JSON string, with its quotes. */
int json_quote(const char *text, char **ret);

static inline void json_cleanup(Json **root) {
    *root = json_free(*root);
}
#define _cleanup_json_ __attribute__((__cleanup__(json_cleanup)))

/* The state of one pass over a text. */
#pragma once

#include "json/value.h"

typedef struct JsonParser {
    const char *source; /* the caller's text */
    char *copy;         /* of it, NUL-terminated: strings are decoded where they stand */
    char *at, *end;
    /* One slot for every value of the text. Those whose container is still open wait in [0, open), in the order of the
     * text; those of closed containers lie in [closed, …). Together they are never more than the slots. */
    Json *values;
    size_t open, closed;
    unsigned depth;
    char **ret_sentence;
} JsonParser;

/* "line N: <sentence>" for the line of `where`; returns -EBADMSG. What is missing because the text ends is told as that. */
int parser_fail(JsonParser *parser, const char *where, const char *sentence, ...) __attribute__((format(printf, 3, 4)));

/* Both stand at the first byte of what they read and leave the parser behind its last. */
int parser_read_string(JsonParser *parser, const char **ret);
int parser_read_number(JsonParser *parser, Json *ret);

/* Refuses what has a key twice. -ENOMEM. */
int parser_check_keys(JsonParser *parser, const Json *members, size_t count);

/* A value of the tree. Root, values and strings lie in one allocation, the root first. */
#pragma once

#include "json/json.h"

struct Json {
    const char *key; /* NULL unless a member */
    union {
        const char *text;
        int64_t integer;
        bool truth;
        const Json *values; /* of an array or object, in the order of the text */
    };
    size_t count; /* of the values */
    JsonKind kind;
};

/* Scope-bound ownership of a JSON value. */
#pragma once

#include <jansson.h>

static inline void json_cleanup(json_t **value) {
    json_decref(*value);
    *value = NULL;
}

#define _cleanup_json_ __attribute__((__cleanup__(json_cleanup)))

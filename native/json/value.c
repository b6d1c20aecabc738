#include "json/value.h"

#include <errno.h>
#include <string.h>

static int field_read(const Json *value, const JsonField *field);

bool json_is(const Json *value, JsonKind kind) {
    return value && value->kind == kind;
}

const char *json_text(const Json *value) {
    return json_is(value, JSON_TEXT) ? value->text : NULL;
}

int json_integer(const Json *value, int64_t *ret) {
    if (!json_is(value, JSON_INTEGER))
        return -EBADMSG;
    *ret = value->integer;
    return 0;
}

int json_bool(const Json *value, bool *ret) {
    if (!json_is(value, JSON_BOOL))
        return -EBADMSG;
    *ret = value->truth;
    return 0;
}

size_t json_count(const Json *value) {
    return json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT) ? value->count : 0;
}

const Json *json_element(const Json *array, size_t index) {
    return json_is(array, JSON_ARRAY) && index < array->count ? &array->values[index] : NULL;
}

const Json *json_member(const Json *object, const char *key) {
    for (size_t i = 0; json_is(object, JSON_OBJECT) && i < object->count; i++)
        if (strcmp(object->values[i].key, key) == 0)
            return &object->values[i];
    return NULL;
}

const Json *json_member_at(const Json *object, size_t index, const char **ret_key) {
    if (!json_is(object, JSON_OBJECT) || index >= object->count)
        return NULL;
    *ret_key = object->values[index].key;
    return &object->values[index];
}

int json_read(const Json *object, const JsonField *fields) {
    if (!json_is(object, JSON_OBJECT))
        return -EBADMSG;
    for (; fields->key; fields++) {
        const Json *value = json_member(object, fields->key);
        int r = value || !fields->optional ? field_read(value, fields) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int json_read_exactly(const Json *object, const JsonField *fields) {
    size_t known = 0;
    for (const JsonField *field = fields; field->key; field++)
        known += json_member(object, field->key) != NULL;
    return known == json_count(object) ? json_read(object, fields) : -EBADMSG;
}

static int field_read(const Json *value, const JsonField *field) {
    if (!json_is(value, field->kind))
        return -EBADMSG;
    if (field->kind == JSON_INTEGER)
        return json_integer(value, field->ret);
    if (field->kind == JSON_BOOL)
        return json_bool(value, field->ret);
    if (field->kind == JSON_TEXT)
        *(const char **)field->ret = value->text;
    else
        *(const Json **)field->ret = value;
    return 0;
}

#include "value.h"

#include <errno.h>
#include <string.h>

#include "plan/signature.h"

#define DEPTH_MAX 16U

static int complete_put(Message *message, const char *type, const Json *value, unsigned depth);
static int array_put(Message *message, const char *type, const Json *value, unsigned depth);
static int struct_put(Message *message, const char *type, const Json *value, unsigned depth);
static int text_put(Message *message, const Json *value);
static int bool_put(Message *message, const Json *value);
static int integer_put(Message *message, char type, const Json *value);
static size_t alignment_of(char type);

int value_put(Message *message, const char *signature, const Json *value) {
    size_t length = signature_first(signature);
    return length == 0 || signature[length] != '\0' ? -EINVAL : complete_put(message, signature, value, 0);
}

/* `type` begins with the complete type; what follows it is somebody else's. */
static int complete_put(Message *message, const char *type, const Json *value, unsigned depth) {
    if (depth > DEPTH_MAX)
        return -EINVAL;
    switch (type[0]) {
    case 'a':
        return array_put(message, type + 1, value, depth);
    case '(':
        return struct_put(message, type + 1, value, depth);
    case 's':
    case 'o':
        return text_put(message, value);
    case 'b':
        return bool_put(message, value);
    default:
        return integer_put(message, type[0], value);
    }
}

/* Bytes may be written as text. */
static int array_put(Message *message, const char *type, const Json *value, unsigned depth) {
    const char *text = type[0] == 'y' ? json_text(value) : NULL;
    if (!text && !json_is(value, JSON_ARRAY))
        return -EBADMSG;
    int r = 0;
    Array array = message_array_begin(message, alignment_of(type[0]));
    if (text)
        message_put(message, text, strlen(text));
    for (size_t i = 0; r >= 0 && !text && i < json_count(value); i++)
        r = complete_put(message, type, json_element(value, i), depth + 1);
    message_array_end(message, array);
    return r;
}

static int struct_put(Message *message, const char *type, const Json *value, unsigned depth) {
    size_t i = 0;
    int r = json_is(value, JSON_ARRAY) ? 0 : -EBADMSG;
    message_align(message, 8);
    for (; r >= 0 && *type != ')' && i < json_count(value); type += signature_first(type))
        r = complete_put(message, type, json_element(value, i++), depth + 1);
    return r < 0 ? r : *type != ')' || i != json_count(value) ? -EBADMSG : 0;
}

static int text_put(Message *message, const Json *value) {
    const char *text = json_text(value);
    if (!text)
        return -EBADMSG;
    message_put_text(message, text);
    return 0;
}

static int bool_put(Message *message, const Json *value) {
    bool truth;
    int r = json_bool(value, &truth);
    if (r >= 0)
        message_put_u32(message, truth);
    return r;
}

static int integer_put(Message *message, char type, const Json *value) {
    int64_t number;
    size_t size;
    int r = signature_integer(type, value, &number, &size);
    if (r < 0)
        return r;
    message_align(message, size);
    message_put(message, &number, size);
    return 0;
}

static size_t alignment_of(char type) {
    return type == 'y' ? 1 : type == 'n' || type == 'q' ? 2 : type == 'x' || type == 't' || type == '(' ? 8 : 4;
}

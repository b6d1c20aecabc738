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
    static const struct {
        char type;
        int64_t min, max;
        size_t size;
    } ranges[] = {
        { 'y', 0, UINT8_MAX, 1 },          { 'n', INT16_MIN, INT16_MAX, 2 }, { 'q', 0, UINT16_MAX, 2 },
        { 'i', INT32_MIN, INT32_MAX, 4 },  { 'u', 0, UINT32_MAX, 4 },        { 'x', INT64_MIN, INT64_MAX, 8 },
        { 't', 0, INT64_MAX, 8 },
    };
    const char *text = json_text(value);
    bool infinity = type == 't' && text && strcmp(text, "infinity") == 0;
    int64_t number = -1; /* all bits: infinity as systemd has it */
    if (!infinity && json_integer(value, &number) < 0)
        return -EBADMSG;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (ranges[i].type != type)
            continue;
        if (!infinity && (number < ranges[i].min || number > ranges[i].max))
            return -EBADMSG;
        /* Little-endian: the low bytes of the 64-bit value are the smaller type's value. */
        message_align(message, ranges[i].size);
        message_put(message, &number, ranges[i].size);
        return 0;
    }
    return -EINVAL;
}

static size_t alignment_of(char type) {
    return type == 'y' ? 1 : type == 'n' || type == 'q' ? 2 : type == 'x' || type == 't' || type == '(' ? 8 : 4;
}

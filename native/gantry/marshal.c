#include "marshal.h"

#include <errno.h>
#include <string.h>

#include "basic/cleanup.h"

#define DEPTH_MAX 16U
#define SIGNATURE_MAX 64U

static int value_append(sd_bus_message *message, const char *type, size_t length, const json_t *value, unsigned depth);
static int array_append(sd_bus_message *message, const char *type, size_t length, const json_t *value, unsigned depth);
static int bytes_append(sd_bus_message *message, const json_t *value);
static int struct_append(sd_bus_message *message, const char *type, size_t length, const json_t *value, unsigned depth);
static int basic_append(sd_bus_message *message, char type, const json_t *value);
static int integer_append(sd_bus_message *message, char type, json_int_t value);
static size_t type_length(const char *signature);

int marshal_append(sd_bus_message *message, const char *signature, const json_t *value) {
    size_t length = type_length(signature);
    if (length == 0 || signature[length] != '\0' || length >= SIGNATURE_MAX)
        return -EINVAL;
    return value_append(message, signature, length, value, 0);
}

static int value_append(sd_bus_message *message, const char *type, size_t length, const json_t *value, unsigned depth) {
    if (depth > DEPTH_MAX)
        return -EINVAL;
    if (type[0] == 'a')
        return array_append(message, type + 1, length - 1, value, depth);
    if (type[0] == '(')
        return struct_append(message, type + 1, length - 2, value, depth);
    return basic_append(message, type[0], value);
}

/* `type` is the element's. */
static int array_append(sd_bus_message *message, const char *type, size_t length, const json_t *value, unsigned depth) {
    char contents[SIGNATURE_MAX];
    if (length == 1 && type[0] == 'y')
        return bytes_append(message, value);
    if (!json_is_array(value))
        return -EBADMSG;
    memcpy(contents, type, length);
    contents[length] = '\0';
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, contents);
    for (size_t i = 0; r >= 0 && i < json_array_size(value); i++)
        r = value_append(message, type, length, json_array_get(value, i), depth + 1);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int bytes_append(sd_bus_message *message, const json_t *value) {
    if (json_is_string(value))
        return sd_bus_message_append_array(message, 'y', json_string_value(value), json_string_length(value));
    if (!json_is_array(value))
        return -EBADMSG;
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "y");
    for (size_t i = 0; r >= 0 && i < json_array_size(value); i++)
        r = basic_append(message, 'y', json_array_get(value, i));
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* `type` is what stands between the parentheses. */
static int struct_append(sd_bus_message *message, const char *type, size_t length, const json_t *value, unsigned depth) {
    char contents[SIGNATURE_MAX];
    if (!json_is_array(value))
        return -EBADMSG;
    memcpy(contents, type, length);
    contents[length] = '\0';
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, contents);
    size_t at = 0, i = 0;
    for (; r >= 0 && at < length && i < json_array_size(value); i++) {
        size_t step = type_length(contents + at);
        r = value_append(message, contents + at, step, json_array_get(value, i), depth + 1);
        at += step;
    }
    if (r < 0)
        return r;
    if (at != length || i != json_array_size(value))
        return -EBADMSG;
    return sd_bus_message_close_container(message);
}

static int basic_append(sd_bus_message *message, char type, const json_t *value) {
    if (type == 's' || type == 'o' || type == 'g') {
        const char *text = json_string_value(value);
        if (!text || strlen(text) != json_string_length(value))
            return -EBADMSG;
        return sd_bus_message_append_basic(message, type, text);
    }
    if (type == 'b') {
        int truth = json_is_true(value);
        return json_is_boolean(value) ? sd_bus_message_append_basic(message, 'b', &truth) : -EBADMSG;
    }
    if (type == 't' && json_is_string(value) && strcmp(json_string_value(value), "infinity") == 0)
        return sd_bus_message_append_basic(message, 't', &(uint64_t){ UINT64_MAX });
    return json_is_integer(value) ? integer_append(message, type, json_integer_value(value)) : -EBADMSG;
}

static int integer_append(sd_bus_message *message, char type, json_int_t value) {
    static const struct {
        char type;
        json_int_t min, max;
    } ranges[] = {
        { 'y', 0, UINT8_MAX },          { 'n', INT16_MIN, INT16_MAX }, { 'q', 0, UINT16_MAX },
        { 'i', INT32_MIN, INT32_MAX },  { 'u', 0, UINT32_MAX },        { 'x', INT64_MIN, INT64_MAX },
        { 't', 0, INT64_MAX },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (ranges[i].type != type)
            continue;
        if (value < ranges[i].min || value > ranges[i].max)
            return -EBADMSG;
        /* Little-endian: the low bytes of the 64-bit value are the smaller type's value. */
        return sd_bus_message_append_basic(message, type, &value);
    }
    return -EINVAL;
}

/* The length of the complete type a signature starts with; 0 if it starts with none. */
static size_t type_length(const char *signature) {
    if (signature[0] == '\0' || signature[0] == ')')
        return 0;
    if (signature[0] == 'a') {
        size_t element = type_length(signature + 1);
        return element == 0 ? 0 : element + 1;
    }
    if (signature[0] != '(')
        return strchr("sogbynqiuxt", signature[0]) ? 1 : 0;
    size_t length = 1;
    while (signature[length] != ')') {
        size_t member = type_length(signature + length);
        if (member == 0)
            return 0;
        length += member;
    }
    return length > 1 ? length + 1 : 0;
}

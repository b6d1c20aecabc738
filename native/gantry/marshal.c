#include "marshal.h"

#include <errno.h>
#include <string.h>

#include "basic/cleanup.h"
#include "plan/signature.h"

#define DEPTH_MAX 16U
#define SIGNATURE_MAX 64U

static int value_append(sd_bus_message *message, const char *type, size_t length, const Json *value, unsigned depth);
static int array_append(sd_bus_message *message, const char *type, size_t length, const Json *value, unsigned depth);
static int bytes_append(sd_bus_message *message, const Json *value);
static int struct_append(sd_bus_message *message, const char *type, size_t length, const Json *value, unsigned depth);
static int basic_append(sd_bus_message *message, char type, const Json *value);

int marshal_append(sd_bus_message *message, const char *signature, const Json *value) {
    size_t length = signature_first(signature);
    if (length == 0 || signature[length] != '\0' || length >= SIGNATURE_MAX)
        return -EINVAL;
    return value_append(message, signature, length, value, 0);
}

static int value_append(sd_bus_message *message, const char *type, size_t length, const Json *value, unsigned depth) {
    if (depth > DEPTH_MAX)
        return -EINVAL;
    if (type[0] == 'a')
        return array_append(message, type + 1, length - 1, value, depth);
    if (type[0] == '(')
        return struct_append(message, type + 1, length - 2, value, depth);
    return basic_append(message, type[0], value);
}

/* `type` is the element's. */
static int array_append(sd_bus_message *message, const char *type, size_t length, const Json *value, unsigned depth) {
    char contents[SIGNATURE_MAX];
    if (length == 1 && type[0] == 'y')
        return bytes_append(message, value);
    if (!json_is(value, JSON_ARRAY))
        return -EBADMSG;
    memcpy(contents, type, length);
    contents[length] = '\0';
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, contents);
    for (size_t i = 0; r >= 0 && i < json_count(value); i++)
        r = value_append(message, type, length, json_element(value, i), depth + 1);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int bytes_append(sd_bus_message *message, const Json *value) {
    const char *text = json_text(value);
    if (text)
        return sd_bus_message_append_array(message, 'y', text, strlen(text));
    if (!json_is(value, JSON_ARRAY))
        return -EBADMSG;
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "y");
    for (size_t i = 0; r >= 0 && i < json_count(value); i++)
        r = basic_append(message, 'y', json_element(value, i));
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* `type` is what stands between the parentheses. */
static int struct_append(sd_bus_message *message, const char *type, size_t length, const Json *value, unsigned depth) {
    char contents[SIGNATURE_MAX];
    if (!json_is(value, JSON_ARRAY))
        return -EBADMSG;
    memcpy(contents, type, length);
    contents[length] = '\0';
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, contents);
    size_t at = 0, i = 0;
    for (; r >= 0 && at < length && i < json_count(value); i++) {
        size_t step = signature_first(contents + at);
        r = value_append(message, contents + at, step, json_element(value, i), depth + 1);
        at += step;
    }
    if (r < 0)
        return r;
    if (at != length || i != json_count(value))
        return -EBADMSG;
    return sd_bus_message_close_container(message);
}

static int basic_append(sd_bus_message *message, char type, const Json *value) {
    const char *text = json_text(value);
    bool truth;
    int64_t number;
    size_t size;
    if (type == 's' || type == 'o' || type == 'g')
        return text ? sd_bus_message_append_basic(message, type, text) : -EBADMSG;
    if (type == 'b') /* an int to sd-bus */
        return json_bool(value, &truth) < 0 ? -EBADMSG : sd_bus_message_append_basic(message, 'b', &(int){ truth });
    int r = signature_integer(type, value, &number, &size);
    return r < 0 ? r : sd_bus_message_append_basic(message, type, &number);
}

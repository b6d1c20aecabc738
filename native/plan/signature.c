#include "plan/signature.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

size_t signature_first(const char *signature) {
    if (signature[0] == '\0' || signature[0] == ')')
        return 0;
    if (signature[0] == 'a') {
        size_t element = signature_first(signature + 1);
        return element == 0 ? 0 : element + 1;
    }
    if (signature[0] != '(')
        return strchr("sogbynqiuxt", signature[0]) ? 1 : 0;
    size_t length = 1;
    while (signature[length] != ')') {
        size_t member = signature_first(signature + length);
        if (member == 0)
            return 0;
        length += member;
    }
    return length > 1 ? length + 1 : 0;
}

int signature_integer(char type, const Json *value, int64_t *ret, size_t *ret_size) {
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
        *ret = number;
        *ret_size = ranges[i].size;
        return 0;
    }
    return -EINVAL;
}

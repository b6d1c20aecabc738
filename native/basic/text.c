#include "basic/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at `text` (Unicode 3.9 D92: no overlong forms, no surrogates), 0 if there is none. */
static size_t utf8_length(const unsigned char *text) {
    unsigned char lead = text[0], next = lead ? text[1] : 0;
    size_t length = lead < 0x80                    ? 1
                    : lead >= 0xc2 && lead <= 0xdf ? 2
                    : (lead & 0xf0) == 0xe0        ? 3
                    : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                   : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) || (lead == 0xf0 && next < 0x90) ||
        (lead == 0xf4 && next > 0x8f))
        return 0;
    return length;
}

/* C0 and DEL; C1, which some terminals obey in UTF-8, too; line separators and what turns the direction of text. */
static bool is_control(const unsigned char *text, size_t length) {
    if (length == 1)
        return text[0] < 0x20 || text[0] == 0x7f;
    if (length == 2)
        return text[0] == 0xc2 && text[1] < 0xa0;
    if (length != 3 || text[0] != 0xe2)
        return false;
    return (text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae) ||
           (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9);
}

void text_printable(const char *raw, char *ret, size_t size) {
    const unsigned char *from = (const unsigned char *)raw;
    size_t used = 0;
    while (*from) {
        size_t length = utf8_length(from);
        bool escape = length == 0 || is_control(from, length);
        size_t wanted = escape ? 4 : length;
        if (used + wanted >= size)
            break;
        if (escape) {
            (void)snprintf(ret + used, size - used, "\\x%02x", *from);
            from++;
        } else {
            memcpy(ret + used, from, length);
            from += length;
        }
        used += wanted;
    }
    ret[used] = 0;
}

bool text_is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    for (size_t length; *at; at += length) {
        length = utf8_length(at);
        if (length == 0)
            return false;
    }
    return true;
}

bool text_ends_with(const char *text, const char *suffix) {
    size_t length = strlen(text), wanted = strlen(suffix);
    return length >= wanted && strcmp(text + length - wanted, suffix) == 0;
}

int text_to_number(const char *text, uint64_t max, uint64_t *ret) {
    uint64_t number = 0;
    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *text - '0', &number) ||
            number > max)
            return -ERANGE;
    }
    *ret = number;
    return 0;
}

int text_format(char **ret, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return -ENOMEM;
    *ret = text;
    return 0;
}

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

int json_quote(const char *text, char **ret) {
    enum { LONGEST = sizeof "\\u0000" - 1 };
    size_t size;
    if (__builtin_mul_overflow(strlen(text), (size_t)LONGEST, &size))
        return -ENOMEM;
    char *quoted = malloc(size + sizeof "\"\""), *to = quoted;
    if (!quoted)
        return -ENOMEM;
    *to++ = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < ' ') {
            to += sprintf(to, "\\u%04x", *c);
            continue;
        }
        if (*c == '"' || *c == '\\')
            *to++ = '\\';
        *to++ = (char)*c;
    }
    *to++ = '"';
    *to = '\0';
    *ret = quoted;
    return 0;
}

/* Text from outside, and text for people. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Copies `raw` so that a terminal or a log can take it: control characters and bytes that are no UTF-8 become
 * \xNN; what does not fit is cut. `size` is that of `ret`, at least 1. */
void text_printable(const char *raw, char *ret, size_t size);

/* Unicode 3.9 D92: no overlong forms, no surrogates. */
bool text_is_utf8(const char *text);

static inline bool text_starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix);

/* Reads a decimal number without sign, blanks or trailing bytes. -EINVAL if it is none, -ERANGE above `max`. */
int text_to_number(const char *text, uint64_t max, uint64_t *ret);

/* asprintf() that returns -ENOMEM instead of -1 and leaves *ret alone on failure. */
int text_format(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

#include "unpack/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void failure_fill(struct Failure *failure, enum FailureKind kind, const char *format, va_list arguments) {
    if (failure->kind != FAILURE_NONE)
        return;
    failure->kind = kind;
    (void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
}

int failure_image(struct Failure *failure, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    failure_fill(failure, FAILURE_BAD_IMAGE, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

int failure_digest(struct Failure *failure, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    failure_fill(failure, FAILURE_DIGEST_MISMATCH, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

int failure_system(struct Failure *failure, int error, const char *format, ...) {
    if (failure->kind != FAILURE_NONE)
        return -error;
    va_list arguments;
    va_start(arguments, format);
    enum FailureKind kind = error == ENOSPC || error == EDQUOT ? FAILURE_STORE_FULL : FAILURE_INTERNAL;
    failure_fill(failure, kind, format, arguments);
    va_end(arguments);
    size_t used = strlen(failure->text);
    (void)snprintf(failure->text + used, sizeof(failure->text) - used, ": %s", strerror(error));
    return -error;
}

const char *failure_kind_name(enum FailureKind kind) {
    switch (kind) {
    case FAILURE_BAD_IMAGE:
        return "BadImage";
    case FAILURE_DIGEST_MISMATCH:
        return "DigestMismatch";
    case FAILURE_STORE_FULL:
        return "StoreFull";
    case FAILURE_NONE:
    case FAILURE_INTERNAL:
        break;
    }
    return "Internal";
}

const char *quoted_fill(struct Quoted *buffer, const char *string) {
    const size_t last = sizeof(buffer->text) - sizeof("\\xff…\"");
    size_t at = 0;
    buffer->text[at++] = '"';
    for (const unsigned char *byte = (const unsigned char *)string; *byte; byte++) {
        if (at > last) {
            at += (size_t)sprintf(buffer->text + at, "...");
            break;
        }
        if (*byte < 0x20 || *byte >= 0x7f || *byte == '"' || *byte == '\\')
            at += (size_t)sprintf(buffer->text + at, "\\x%02x", *byte);
        else
            buffer->text[at++] = (char)*byte;
    }
    buffer->text[at++] = '"';
    buffer->text[at] = '\0';
    return buffer->text;
}

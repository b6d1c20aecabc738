#include "layer/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "basic/text.h"

__attribute__((format(printf, 3, 0))) static void fault_fill(struct Fault *fault, enum FaultKind kind,
                                                           const char *format, va_list arguments) {
    if (fault->kind != FAULT_NONE)
        return;
    fault->kind = kind;
    (void)vsnprintf(fault->text, sizeof(fault->text), format, arguments);
}

int fault_image(struct Fault *fault, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fault_fill(fault, FAULT_BAD_IMAGE, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

int fault_digest(struct Fault *fault, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fault_fill(fault, FAULT_DIGEST_MISMATCH, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

int fault_system(struct Fault *fault, int error, const char *format, ...) {
    if (fault->kind != FAULT_NONE)
        return -error;
    va_list arguments;
    va_start(arguments, format);
    enum FaultKind kind = error == ENOSPC || error == EDQUOT ? FAULT_STORE_FULL : FAULT_INTERNAL;
    fault_fill(fault, kind, format, arguments);
    va_end(arguments);
    size_t used = strlen(fault->text);
    (void)snprintf(fault->text + used, sizeof(fault->text) - used, ": %s", strerror(error));
    return -error;
}

const char *fault_kind_name(enum FaultKind kind) {
    switch (kind) {
    case FAULT_BAD_IMAGE:
        return "BadImage";
    case FAULT_DIGEST_MISMATCH:
        return "DigestMismatch";
    case FAULT_STORE_FULL:
        return "StoreFull";
    case FAULT_NONE:
    case FAULT_INTERNAL:
        break;
    }
    return "Internal";
}

const char *quoted_fill(struct Quoted *buffer, const char *string) {
    buffer->text[0] = '"';
    text_printable(string, buffer->text + 1, sizeof(buffer->text) - 1 - sizeof("\""));
    strcat(buffer->text, "\"");
    return buffer->text;
}

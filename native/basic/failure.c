#include "basic/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "basic/text.h"

__attribute__((format(printf, 2, 0))) static void failure_fill(Failure *failure, const char *format,
                                                             va_list arguments) {
    char raw[sizeof failure->text];
    (void)vsnprintf(raw, sizeof raw, format, arguments);
    text_printable(raw, failure->text, sizeof failure->text);
}

int failure_set(Failure *failure, int status, int error, const char *object, ...) {
    va_list arguments;
    va_start(arguments, object);
    failure_fill(failure, object, arguments);
    va_end(arguments);
    size_t length = strlen(failure->text);
    (void)snprintf(failure->text + length, sizeof failure->text - length, ": %s", strerror(error));
    failure->status = status;
    failure->error = error;
    return -error;
}

int failure_say(Failure *failure, int status, int error, const char *sentence, ...) {
    va_list arguments;
    va_start(arguments, sentence);
    failure_fill(failure, sentence, arguments);
    va_end(arguments);
    failure->status = status;
    failure->error = error;
    return -error;
}

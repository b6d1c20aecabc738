#include "report.h"

#include <stdio.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/text.h"

#define LINE_MAX_BYTES 2048

static int sentence_make(Systemd *systemd, const char *unit, char **ret);

void report_print(const char *pod, const char *app, const char *sentence) {
    char text[LINE_MAX_BYTES];
    text_printable(sentence, text, sizeof text);
    fprintf(stderr, app ? "gantry: pod \"%s\", app \"%s\": %s\n" : "gantry: pod \"%s\"%s: %s\n", pod, app ? app : "", text);
}

void report_app(Systemd *systemd, const char *pod, const char *app, const char *unit) {
    _cleanup_free_ char *sentence = NULL;
    if (sentence_make(systemd, unit, &sentence) >= 0)
        report_print(pod, app, sentence);
}

static int sentence_make(Systemd *systemd, const char *unit, char **ret) {
    _cleanup_free_ char *result = NULL, *text = NULL;
    int status = 0;
    if (systemd_text(systemd, unit, "Service", "Result", &result) < 0 || strcmp(result, "success") == 0)
        return text_format(ret, "stopped before it was ready");
    if (systemd_text(systemd, unit, "Service", "StatusText", &text) >= 0 && text[0] != '\0') {
        *ret = take_pointer(text);
        return 0;
    }
    if (strcmp(result, "timeout") == 0)
        return text_format(ret, "not ready in time");
    (void)systemd_number(systemd, unit, "Service", "ExecMainStatus", &status);
    return text_format(ret, "ended before it was ready (%s, status %d); see journalctl -u %s", result, status, unit);
}

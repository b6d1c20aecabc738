#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/failure.h"
#include "basic/text.h"

#define LINE_MAX_BYTES 2048

static int unit_report(PodLaunch *pod, const char *app, const char *unit);
static bool unit_failed(PodLaunch *pod, const char *unit, char **ret_result);
static int sentence_make(sd_bus *bus, const char *unit, const char *result, int exit_status, char **ret);
static int status_of(int exit_status, int error);

void report_print(const OrderPod *pod, const char *app, const char *sentence) {
    char name[LINE_MAX_BYTES], text[LINE_MAX_BYTES], app_name[LINE_MAX_BYTES];
    text_printable(pod->name[0] ? pod->name : pod->uuid, name, sizeof name);
    text_printable(sentence, text, sizeof text);
    text_printable(app ? app : "", app_name, sizeof app_name);
    fprintf(stderr, app ? "gantry: pod \"%s\", app \"%s\": %s\n" : "gantry: pod \"%s\"%s: %s\n", name, app_name, text);
}

int report_failure(PodLaunch *pod) {
    const UnitSet *set = &pod->set;
    _cleanup_free_ char *result = NULL;
    int status = 0;
    /* The sandbox's failure takes the apps along, and is told in their stead. */
    if (pod->jobs[0] == JOB_FAILED || unit_failed(pod, set->unit, &result))
        return unit_report(pod, NULL, set->unit);
    for (size_t i = 0; i < set->n_apps; i++) {
        if (pod->jobs[1 + i] != JOB_FAILED)
            continue;
        int app_status = unit_report(pod, set->apps[i].name, set->apps[i].unit);
        status = status ? status : app_status;
    }
    return status;
}

static int unit_report(PodLaunch *pod, const char *app, const char *unit) {
    _cleanup_free_ char *sentence = NULL, *result = NULL;
    int exit_status = 0, error = 0;
    sd_bus *bus = pod->launch->bus;
    if (!unit_failed(pod, unit, &result)) {
        if ((!pod->launch->foreground || pod->unwanted) && !manager_is_lost(bus))
            report_print(pod->pod, app, "stopped before it was ready");
        return 0;
    }
    (void)service_number(bus, unit, "ExecMainStatus", &exit_status);
    (void)service_number(bus, unit, "StatusErrno", &error);
    if (sentence_make(bus, unit, result, exit_status, &sentence) >= 0 && !manager_is_lost(bus))
        report_print(pod->pod, app, sentence);
    return status_of(exit_status, error);
}

static bool unit_failed(PodLaunch *pod, const char *unit, char **ret_result) {
    return service_text(pod->launch->bus, unit, "Result", ret_result) && strcmp(*ret_result, "success") != 0;
}

/* The launcher's own words (STATUS=) if it had any, else systemd's view of its end. */
static int sentence_make(sd_bus *bus, const char *unit, const char *result, int exit_status, char **ret) {
    _cleanup_free_ char *text = NULL;
    if (service_text(bus, unit, "StatusText", &text) && text[0] != '\0') {
        *ret = take_pointer(text);
        return 0;
    }
    if (strcmp(result, "timeout") == 0)
        return text_format(ret, "not ready in time");
    return text_format(ret, "ended before it was ready (%s, status %d); see journalctl -u %s", result, exit_status, unit);
}

static int status_of(int exit_status, int error) {
    if (exit_status != EXIT_STATUS_EXEC)
        return 125;
    return error == ENOENT ? 127 : 126;
}

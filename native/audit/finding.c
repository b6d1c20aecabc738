#include "audit/finding.h"

#include <stdlib.h>
#include <string.h>

#include "layer/list.h"
#include "layer/report.h"

static void text_take(const char *text, char *ret, size_t size) {
    (void)snprintf(ret, size, "%s", text ? text : "");
}

void finding_add(struct Findings *findings, const char *what, const char *path, const char *expected,
                 const char *found) {
    pthread_mutex_lock(&findings->lock);
    findings->count++;
    if (findings->kept_count < FINDINGS_MAX) {
        struct Finding *finding = &findings->kept[findings->kept_count];
        finding->what = what;
        finding->path = strdup(path);
        text_take(expected, finding->expected, sizeof(finding->expected));
        text_take(found, finding->found, sizeof(finding->found));
        findings->kept_count += finding->path != NULL;
    }
    pthread_mutex_unlock(&findings->lock);
}

static int finding_compare(const void *a, const void *b) {
    const struct Finding *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order ? order : strcmp(left->what, right->what);
}

static void finding_print(const struct Finding *finding, FILE *file) {
    char path[3 * LIST_PATH_MAX];
    list_path_encode(finding->path, path);
    fprintf(file, "{\"what\":\"%s\",\"path\":", finding->what);
    report_string(file, path, strlen(path));
    fputs(",\"expected\":", file);
    report_string(file, finding->expected, strlen(finding->expected));
    fputs(",\"found\":", file);
    report_string(file, finding->found, strlen(finding->found));
    putc('}', file);
}

void findings_print(struct Findings *findings, FILE *file) {
    qsort(findings->kept, findings->kept_count, sizeof(*findings->kept), finding_compare);
    putc('[', file);
    for (size_t i = 0; i < findings->kept_count; i++) {
        if (i > 0)
            putc(',', file);
        finding_print(&findings->kept[i], file);
    }
    putc(']', file);
}

void findings_free(struct Findings *findings) {
    for (size_t i = 0; i < findings->kept_count; i++)
        free(findings->kept[i].path);
    findings->kept_count = 0;
}

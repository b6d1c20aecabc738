#include "current.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "basic/notify.h"
#include "basic/text.h"
#include "json/json.h"
#include "node.h"
#include "plan/document.h"
#include "pod.h"
#include "trust/stamp.h"

/* Shown for a refusal by `systemctl status`; a sentence of the TypeScript half is shorter. */
#define SENTENCE_MAX 4096U

static const char *const definition_directories[] = { "/etc/gantry/pods", "/usr/lib/gantry/pods" };

static int pod_current(const char *name, char **ret_directory);
static bool pod_is_fresh(const char *name, const char *directory);
static int definition_stat(const char *name, char **ret_path, char **ret_stamp);
static int pod_refresh(const char *name);

int current_pod(const char *name, char **ret_directory) {
    _cleanup_free_ char *directory = NULL;
    int r = pod_current(name, &directory);
    if (r < 0 || !pod_is_fresh(name, directory)) {
        int status = pod_refresh(name);
        if (status != 0)
            return status;
        free(take_pointer(directory));
        r = pod_current(name, &directory);
    }
    if (r >= 0)
        *ret_directory = take_pointer(directory);
    return r;
}

static int pod_current(const char *name, char **ret_directory) {
    struct stat facts;
    _cleanup_free_ char *directory = NULL;
    int r = pod_find(STATE_DIRECTORY, name, &directory);
    if (r < 0)
        return r;
    if (stat(directory, &facts) < 0)
        return -errno;
    *ret_directory = take_pointer(directory);
    return 0;
}

/* The definition's stamp is <inode>:<size>:<mtime in ns> (src/pod/definition.ts). */
static bool pod_is_fresh(const char *name, const char *directory) {
    _cleanup_free_ char *file = NULL, *text = NULL, *path = NULL, *stamp = NULL, *sentence = NULL;
    _cleanup_json_ Json *document = NULL;
    size_t size;
    if (text_format(&file, "%s/definition.json", directory) < 0 || document_read(file, &text, &size, &sentence) < 0)
        return false;
    if (json_parse(text, size, &document, NULL) < 0 || definition_stat(name, &path, &stamp) < 0)
        return false;
    const char *known = json_text(json_member(document, "path"));
    const char *then = json_text(json_member(document, "stamp"));
    return known && then && strcmp(known, path) == 0 && strcmp(then, stamp) == 0 && trust_stamp_holds(directory);
}

static int definition_stat(const char *name, char **ret_path, char **ret_stamp) {
    for (size_t i = 0; i < sizeof definition_directories / sizeof *definition_directories; i++) {
        _cleanup_free_ char *path = NULL;
        struct stat facts;
        int r = text_format(&path, "%s/%s.json", definition_directories[i], name);
        if (r < 0)
            return r;
        if (stat(path, &facts) < 0)
            continue;
        r = text_format(ret_stamp, "%ju:%jd:%jd%09ld", (uintmax_t)facts.st_ino, (intmax_t)facts.st_size,
                        (intmax_t)facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
        if (r >= 0)
            *ret_path = take_pointer(path);
        return r;
    }
    return -ENOENT;
}

/* The TypeScript half's sentence becomes the unit's status. Returns its exit status. */
static int pod_refresh(const char *name) {
    char *words[] = { (char *)"refresh", (char *)name, NULL };
    char sentence[SENTENCE_MAX];
    int status = node_capture(words, sentence, sizeof sentence);
    fputs(sentence, stderr);
    if (status == 0)
        return 0;
    Failure failure = { 0 };
    sentence[strcspn(sentence, "\n")] = '\0';
    const char *said = text_starts_with(sentence, "gantry: ") ? sentence + strlen("gantry: ") : sentence;
    (void)snprintf(failure.step, sizeof failure.step, "prepare");
    (void)failure_say(&failure, status, 0, "%s", said);
    _cleanup_fd_ int notify = -1;
    if (notify_connect(&notify) >= 0)
        (void)notify_failure(notify, &failure);
    return status;
}

#include "current.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "json/json.h"
#include "plan/claim.h"
#include "plan/document.h"
#include "trust/stamp.h"

#define STATE_DIRECTORY "/var/lib/gantry"

static const char *const definition_directories[] = { "/etc/gantry/pods", "/usr/lib/gantry/pods" };

static bool pod_is_fresh(const char *name, const char *directory);
static int definition_stat(const char *name, char **ret_path, char **ret_stamp);

int pod_current(const char *name, char **ret_directory) {
    _cleanup_free_ char *directory = NULL;
    int r = claim_read(STATE_DIRECTORY, name, &directory);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || access(directory, F_OK) < 0 || !pod_is_fresh(name, directory))
        return -ESTALE;
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
        int64_t nanoseconds = facts.st_mtim.tv_sec * INT64_C(1000000000) + facts.st_mtim.tv_nsec;
        r = text_format(ret_stamp, "%ju:%jd:%" PRId64, (uintmax_t)facts.st_ino, (intmax_t)facts.st_size, nanoseconds);
        if (r >= 0)
            *ret_path = take_pointer(path);
        return r;
    }
    return -ENOENT;
}

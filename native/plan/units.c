#include "plan/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "basic/boot.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "plan/document.h"

static int document_unpack(const Json *document, UnitSet *ret);
static int apps_unpack(const Json *apps, UnitSet *ret);

int unit_set_load(const char *directory, UnitSet *ret, char **ret_sentence) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ Json *document = NULL;
    size_t size;
    int r = text_format(&path, "%s/units.json", directory);
    if (r >= 0)
        r = document_read(path, &text, &size, ret_sentence);
    if (r < 0)
        return r;
    r = json_parse(text, size, &document, ret_sentence);
    if (r < 0) {
        sentence_prefix(path, ret_sentence);
        return r;
    }
    r = document_unpack(document, ret);
    if (r < 0) {
        (void)text_format(ret_sentence, "%s: not a unit set this version knows", path);
        return r;
    }
    ret->document = take_pointer(document);
    return 0;
}

void unit_set_done(UnitSet *set) {
    free(set->apps);
    json_free(set->document);
    *set = (UnitSet){ 0 };
}

int unit_set_write_started(const UnitSet *set, const char *directory, bool durable) {
    _cleanup_free_ char *unit = NULL, *text = NULL;
    char boot[33];
    int r = boot_id_read(boot);
    if (r >= 0)
        r = json_quote(set->pod_unit, &unit); /* a unit's name may hold backslashes */
    if (r >= 0)
        r = text_format(&text, "{\"version\":1,\"time\":%" PRIu64 ",\"boot\":\"%s\",\"unit\":%s}", realtime_usec(), boot, unit);
    if (r < 0)
        return r;
    _cleanup_fd_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : file_replace(fd, "started", text, 0600, durable);
}

static int document_unpack(const Json *document, UnitSet *ret) {
    const Json *apps;
    UnitSet set = { 0 };
    const char *uuid, *pod;
    int64_t version;
    const JsonField fields[] = {
        { "version", JSON_INTEGER, &version, false },
        { "uuid", JSON_TEXT, &uuid, false },
        { "pod", JSON_TEXT, &pod, false },
        { "unit", JSON_TEXT, &set.unit, false },
        { "sandbox", JSON_TEXT, &set.pod_unit, true },
        { "mode", JSON_TEXT, &set.mode, false },
        { "socket", JSON_TEXT, &set.socket, false },
        { "apps", JSON_ARRAY, &apps, false },
        { "properties", JSON_ARRAY, &set.properties, false },
        { "aux", JSON_ARRAY, &set.aux, false },
        { 0 },
    };
    if (json_read_exactly(document, fields) < 0 || version != 1)
        return -EBADMSG;
    if (!set.pod_unit)
        set.pod_unit = set.unit;
    int r = apps_unpack(apps, &set);
    if (r >= 0)
        *ret = set;
    return r;
}

static int apps_unpack(const Json *apps, UnitSet *ret) {
    size_t count = json_count(apps);
    _cleanup_free_ UnitSetApp *unpacked = calloc(count ? count : 1, sizeof *unpacked);
    if (!unpacked)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const JsonField fields[] = {
            { "name", JSON_TEXT, &unpacked[i].name, false },
            { "unit", JSON_TEXT, &unpacked[i].unit, false },
            { "status", JSON_TEXT, &unpacked[i].status, false },
            { 0 },
        };
        if (json_read_exactly(json_element(apps, i), fields) < 0)
            return -EBADMSG;
    }
    ret->apps = take_pointer(unpacked);
    ret->n_apps = count;
    return 0;
}

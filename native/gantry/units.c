#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "json/json.h"
#include "marshal.h"
#include "plan/document.h"

static int document_unpack(const Json *document, UnitSet *ret);
static int apps_unpack(const Json *apps, UnitSet *ret);
static int properties_append(sd_bus_message *message, const char *unit, const Json *properties, const char *environment,
                             char **ret_sentence);
static int property_append(sd_bus_message *message, const char *unit, const Json *property, char **ret_sentence);
static int environment_append(sd_bus_message *message, const char *environment);
static int aux_append(sd_bus_message *message, const Json *aux, char **ret_sentence);

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

/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) aux). */
int unit_set_append(const UnitSet *set, sd_bus_message *message, const char *environment, char **ret_sentence) {
    int r = sd_bus_message_append(message, "ss", set->unit, set->mode);
    if (r >= 0)
        r = properties_append(message, set->unit, set->properties, environment, ret_sentence);
    return r < 0 ? r : aux_append(message, set->aux, ret_sentence);
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

/* systemd adds an `Environment` that comes twice to what it has, so ours needs no look at the plan's. */
static int properties_append(sd_bus_message *message, const char *unit, const Json *properties, const char *environment,
                             char **ret_sentence) {
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "(sv)");
    for (size_t i = 0; r >= 0 && i < json_count(properties); i++)
        r = property_append(message, unit, json_element(properties, i), ret_sentence);
    if (r >= 0 && environment)
        r = environment_append(message, environment);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int property_append(sd_bus_message *message, const char *unit, const Json *property, char **ret_sentence) {
    const char *name = json_text(json_element(property, 0));
    const char *signature = json_text(json_element(property, 1));
    if (json_count(property) != 3 || !name || !signature) {
        (void)text_format(ret_sentence, "units.json: unit %s: a property is [name, signature, value]", unit);
        return -EBADMSG;
    }
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, "sv");
    if (r >= 0)
        r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, name);
    if (r >= 0)
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, signature);
    if (r >= 0)
        r = marshal_append(message, signature, json_element(property, 2));
    if (r < 0) {
        (void)text_format(ret_sentence, "units.json: unit %s: property %s: no value of type \"%s\"", unit, name, signature);
        return r;
    }
    r = sd_bus_message_close_container(message);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int environment_append(sd_bus_message *message, const char *environment) {
    return sd_bus_message_append(message, "(sv)", "Environment", "as", 1, environment);
}

static int aux_append(sd_bus_message *message, const Json *aux, char **ret_sentence) {
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "(sa(sv))");
    for (size_t i = 0; r >= 0 && i < json_count(aux); i++) {
        const Json *entry = json_element(aux, i);
        const char *name = json_text(json_element(entry, 0));
        if (!name) {
            (void)text_format(ret_sentence, "units.json: an auxiliary unit is [name, properties]");
            return -EBADMSG;
        }
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, "sa(sv)");
        if (r >= 0)
            r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, name);
        if (r >= 0)
            r = properties_append(message, name, json_element(entry, 1), NULL, ret_sentence);
        if (r >= 0)
            r = sd_bus_message_close_container(message);
    }
    return r < 0 ? r : sd_bus_message_close_container(message);
}

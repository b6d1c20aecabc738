#include "units.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "json.h"
#include "marshal.h"
#include "plan/document.h"

static int document_unpack(json_t *document, UnitSet *ret);
static int apps_unpack(json_t *apps, UnitSet *ret);
static int properties_append(sd_bus_message *message, const char *unit, const json_t *properties, const char *environment,
                             char **ret_sentence);
static int property_append(sd_bus_message *message, const char *unit, const json_t *property, char **ret_sentence);
static int environment_append(sd_bus_message *message, const char *environment);
static int aux_append(sd_bus_message *message, const json_t *aux, char **ret_sentence);

int unit_set_load(const char *directory, UnitSet *ret, char **ret_sentence) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ json_t *document = NULL;
    size_t size;
    int r = text_format(&path, "%s/units.json", directory);
    if (r >= 0)
        r = document_read(path, &text, &size, ret_sentence);
    if (r < 0)
        return r;
    r = document_parse(text, size, &document, ret_sentence);
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
    json_decref(set->document);
    *set = (UnitSet){ 0 };
}

/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) aux). */
int unit_set_append(const UnitSet *set, sd_bus_message *message, const char *environment, char **ret_sentence) {
    int r = sd_bus_message_append(message, "ss", set->unit, set->mode);
    if (r >= 0)
        r = properties_append(message, set->unit, set->properties, environment, ret_sentence);
    return r < 0 ? r : aux_append(message, set->aux, ret_sentence);
}

static int document_unpack(json_t *document, UnitSet *ret) {
    json_t *apps, *properties, *aux;
    UnitSet set = { 0 };
    const char *uuid, *pod;
    int version;
    if (json_unpack(document, "{s:i, s:s, s:s, s:s, s?s, s:s, s:s, s:o, s:o, s:o !}", "version", &version, "uuid", &uuid, "pod",
                    &pod, "unit", &set.unit, "sandbox", &set.pod_unit, "mode", &set.mode, "socket", &set.socket, "apps", &apps, "properties",
                    &properties, "aux", &aux) < 0)
        return -EBADMSG;
    if (version != 1 || !json_is_array(apps) || !json_is_array(properties) || !json_is_array(aux))
        return -EBADMSG;
    if (!set.pod_unit)
        set.pod_unit = set.unit;
    set.properties = properties;
    set.aux = aux;
    int r = apps_unpack(apps, &set);
    if (r >= 0)
        *ret = set;
    return r;
}

static int apps_unpack(json_t *apps, UnitSet *ret) {
    size_t count = json_array_size(apps);
    _cleanup_free_ UnitSetApp *unpacked = calloc(count ? count : 1, sizeof *unpacked);
    if (!unpacked)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (json_unpack(json_array_get(apps, i), "{s:s, s:s, s:s !}", "name", &unpacked[i].name, "unit", &unpacked[i].unit,
                        "status", &unpacked[i].status) < 0)
            return -EBADMSG;
    ret->apps = take_pointer(unpacked);
    ret->n_apps = count;
    return 0;
}

/* systemd adds an `Environment` that comes twice to what it has, so ours needs no look at the plan's. */
static int properties_append(sd_bus_message *message, const char *unit, const json_t *properties, const char *environment,
                             char **ret_sentence) {
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "(sv)");
    for (size_t i = 0; r >= 0 && i < json_array_size(properties); i++)
        r = property_append(message, unit, json_array_get(properties, i), ret_sentence);
    if (r >= 0 && environment)
        r = environment_append(message, environment);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int property_append(sd_bus_message *message, const char *unit, const json_t *property, char **ret_sentence) {
    const char *name = json_string_value(json_array_get(property, 0));
    const char *signature = json_string_value(json_array_get(property, 1));
    if (json_array_size(property) != 3 || !name || !signature) {
        (void)text_format(ret_sentence, "units.json: unit %s: a property is [name, signature, value]", unit);
        return -EBADMSG;
    }
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, "sv");
    if (r >= 0)
        r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, name);
    if (r >= 0)
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, signature);
    if (r >= 0)
        r = marshal_append(message, signature, json_array_get(property, 2));
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

static int aux_append(sd_bus_message *message, const json_t *aux, char **ret_sentence) {
    int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "(sa(sv))");
    for (size_t i = 0; r >= 0 && i < json_array_size(aux); i++) {
        const json_t *entry = json_array_get(aux, i);
        const char *name = json_string_value(json_array_get(entry, 0));
        if (!name) {
            (void)text_format(ret_sentence, "units.json: an auxiliary unit is [name, properties]");
            return -EBADMSG;
        }
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, "sa(sv)");
        if (r >= 0)
            r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, name);
        if (r >= 0)
            r = properties_append(message, name, json_array_get(entry, 1), NULL, ret_sentence);
        if (r >= 0)
            r = sd_bus_message_close_container(message);
    }
    return r < 0 ? r : sd_bus_message_close_container(message);
}

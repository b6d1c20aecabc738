#include "units.h"

#include <errno.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "marshal.h"

static int properties_append(sd_bus_message *message, const char *unit, const Json *properties, const char *environment,
                             char **ret_sentence);
static int property_append(sd_bus_message *message, const char *unit, const Json *property, char **ret_sentence);
static int environment_append(sd_bus_message *message, const char *environment);
static int aux_append(sd_bus_message *message, const Json *aux, char **ret_sentence);

/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) aux). */
int unit_set_append(const UnitSet *set, sd_bus_message *message, const char *environment, char **ret_sentence) {
    int r = sd_bus_message_append(message, "ss", set->unit, set->mode);
    if (r >= 0)
        r = properties_append(message, set->unit, set->properties, environment, ret_sentence);
    return r < 0 ? r : aux_append(message, set->aux, ret_sentence);
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

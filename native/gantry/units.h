/* The bus call that a unit set describes. */
#pragma once

#include <systemd/sd-bus.h>

#include "plan/units.h"

/*
 * Fills a StartTransientUnit message. `environment` (NAME=VALUE, may be NULL) is added to the pod's unit. On failure
 * *ret_sentence (caller frees) says what is wrong.
 */
int unit_set_append(const UnitSet *set, sd_bus_message *message, const char *environment, char **ret_sentence);

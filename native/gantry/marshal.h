/* JSON as D-Bus: a value is shaped by its signature (docs/launch-plan.md, "Unit set"). */
#pragma once

#include <systemd/sd-bus.h>

#include "json/json.h"

/*
 * Appends one value of the single complete type `signature`. Containers are arrays; `ay` may be a string; `t` may be
 * "infinity". -EBADMSG if value and signature do not fit, -EINVAL if the signature is none this knows.
 */
int marshal_append(sd_bus_message *message, const char *signature, const Json *value);

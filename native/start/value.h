/* Values of a unit set, JSON with their D-Bus signatures beside them, into a message. */
#pragma once

#include "json/json.h"
#include "message.h"

/* -EBADMSG: the value is not of this type; -EINVAL: the signature is no single complete type that units have. */
int value_put(Message *message, const char *signature, const Json *value);

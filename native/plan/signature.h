/* D-Bus signatures, as units.json has them beside each property. */
#pragma once

#include <stddef.h>

#include "json/json.h"

/* The length of the complete type that a signature begins with; 0 if it begins with none that a property can have. */
size_t signature_first(const char *signature);

/* A value of an integer's type, whose `*ret_size` low bytes are what D-Bus has: little-endian, a smaller type's value is the
 * beginning of a larger one's. -EBADMSG if the type cannot hold it, -EINVAL if it is no integer's. */
int signature_integer(char type, const Json *value, int64_t *ret, size_t *ret_size);

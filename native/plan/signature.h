/* D-Bus signatures, as units.json has them beside each property. */
#pragma once

#include <stddef.h>

/* The length of the complete type that a signature begins with; 0 if it begins with none that a property can have. */
size_t signature_first(const char *signature);

/* The TypeScript half prepares a pod anew. */
#pragma once

#include <stddef.h>

/*
 * Runs `gantry refresh NAME`; what it writes to standard error lands in `text`, cut to `size` and terminated. Returns its
 * exit status as shells tell it.
 */
int pod_refresh(const char *name, char *text, size_t size);

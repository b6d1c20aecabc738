/* Which boot this is, and what time. */
#pragma once

#include <stdint.h>

/* The boot id as 32 hex digits (sd-id128 form, without dashes). */
int boot_id_read(char ret[static 33]);

/* Realtime clock in microseconds since the epoch. */
uint64_t realtime_usec(void);

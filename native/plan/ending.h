/* An app's `exit` fact as gantry-record wrote it (docs/launch-plan.md, "Exit facts"). */
#pragma once

#include <stdint.h>

typedef struct Ending {
    int status;    /* as shells tell it: 128 + n for a signal, 125 when no process ever ran */
    uint64_t time; /* realtime, microseconds */
} Ending;

/* Reads `<status directory>/exit`; -ENOENT if the app has not ended. */
int ending_read(const char *directory, Ending *ret);

/* What the apps of an installed pod have come to, as systemd knows it. */
#pragma once

#include <systemd/sd-bus.h>

#include "plan/ending.h"
#include "plan/units.h"

typedef struct Outcome {
    size_t running;     /* apps */
    FirstFailure first; /* of those that have failed */
} Outcome;

int outcome_read(sd_bus *bus, const UnitSet *set, Outcome *ret);

/* Leaves a sentence about the app that failed first for the end of the pod's unit. */
void outcome_leave(sd_bus *bus, const Outcome *outcome, const char *pod);

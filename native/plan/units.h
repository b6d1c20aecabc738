/* A pod's unit set, `units.json` (docs/launch-plan.md, "Unit set"). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "json/json.h"

typedef struct UnitSetApp {
    const char *name;
    const char *unit;
    const char *status; /* directory */
} UnitSetApp;

typedef struct UnitSet {
    const char *unit;     /* what starts all the others */
    const char *pod_unit; /* the pod's: the same, but for an installed pod the template's instance */
    const char *mode;
    const char *socket;
    UnitSetApp *apps;
    size_t n_apps;
    Json *document;         /* owns the strings; the two below are in it */
    const Json *properties; /* of the pod's unit */
    const Json *aux;
} UnitSet;

/* Reads `<directory>/units.json`. On failure *ret_sentence (caller frees) names the file and what is wrong. */
int unit_set_load(const char *directory, UnitSet *ret, char **ret_sentence);
void unit_set_done(UnitSet *set);

/* Writes `<directory>/started`, before the call: what is on disk then decides what a power cut leaves, a pod that may have run. */
int unit_set_write_started(const UnitSet *set, const char *directory, bool durable);

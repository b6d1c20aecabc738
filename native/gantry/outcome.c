#include "outcome.h"

#include <string.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "manager.h"

int outcome_read(sd_bus *bus, const UnitSet *set, Outcome *ret) {
    Outcome outcome = { 0 };
    for (size_t i = 0; i < set->n_apps; i++) {
        _cleanup_free_ char *state = NULL;
        int r = unit_active_state(bus, set->apps[i].unit, &state);
        if (r < 0)
            return r;
        if (strcmp(state, "failed") == 0)
            first_failure_add(&outcome.first, &set->apps[i]);
        else if (strcmp(state, "inactive") != 0)
            outcome.running++;
    }
    *ret = outcome;
    return 0;
}

void outcome_leave(sd_bus *bus, const Outcome *outcome, const char *pod) {
    const UnitSetApp *app = outcome->first.app;
    _cleanup_free_ char *result = NULL, *sentence = NULL;
    (void)service_text(bus, app->unit, "Result", &result);
    if (text_format(&sentence, "app \"%s\" has failed (%s, status %d); see journalctl -u %s", app->name,
                    result ? result : "unknown", outcome->first.ending.status, app->unit) >= 0)
        failure_leave(pod, sentence);
}

/* Why a start failed, for people. */
#pragma once

#include "systemd.h"

/* One line on stderr: `gantry: pod "web", app "front": <sentence>`. `app` may be NULL. */
void report_print(const char *pod, const char *app, const char *sentence);

/* Prints why an app's start failed, in the launcher's own words if it had any. */
void report_app(Systemd *systemd, const char *pod, const char *app, const char *unit);

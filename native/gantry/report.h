/* Why a start failed, for people. */
#pragma once

#include "launch.h"

/* One line on stderr: `gantry: pod "web", app "front": <sentence>`. `app` may be NULL. */
void report_print(const OrderPod *pod, const char *app, const char *sentence);

/*
 * Prints why each failed unit of the pod failed, and returns what a foreground run ends with: 127 for a missing program,
 * 126 for one that can't be executed, else 125. 0 if none failed itself: another app's end stopped those that were still
 * being started, which in the foreground that end's status tells. Over a connection that is lost it prints nothing.
 */
int report_failure(PodLaunch *pod);

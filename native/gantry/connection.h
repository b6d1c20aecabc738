/* A launch's connection to systemd, which PID 1 closes when it is executed anew: `systemctl daemon-reexec`, any upgrade of systemd. */
#pragma once

#include "launch.h"

/* Connects, and connects again whenever that is lost. If it cannot be, the loop ends with -EALREADY and a sentence has been printed. */
int connection_open(Launch *launch);

/* Asks for what may have happened to the pod unheard: before, a connection was lost. */
void pod_catch_up(PodLaunch *pod);

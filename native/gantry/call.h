/* The call that starts a pod. */
#pragma once

#include "launch.h"

/* Sends it. If it cannot be sent, the reason has been printed; over a connection that is lost it counts as sent. */
int pod_call(PodLaunch *pod);

/* Once more, over another connection. */
void pod_call_again(PodLaunch *pod);

/* Has the pod stopped, as soon as systemd knows it. */
void pod_stop(PodLaunch *pod);

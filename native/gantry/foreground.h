/* A pod in the foreground: its apps' output and input here, signals there, its end is ours. */
#pragma once

#include "launch.h"

/* Takes over the process's signals. */
int foreground_new(Launch *launch, PodLaunch *pod, Foreground **ret);
Foreground *foreground_free(Foreground *foreground);

/* Hears of the pod's changes on the launch's bus; again on a new one. */
int foreground_watch(Foreground *foreground);

/* Before the call that starts the pod, once its `started` is written: tells the sandbox that somebody will attach. */
void foreground_announce(Foreground *foreground);

/* The sandbox is up: connect to its socket. */
void foreground_attach(Foreground *foreground);

/* On a new connection: a signal that was lost with the one before; an app may get it twice. */
void foreground_signal_again(Foreground *foreground);

/* The pod's unit has stopped: the loop ends once its last output is out. */
void foreground_pod_ended(Foreground *foreground);

/* The first failing app's status (128 + n for a signal), 0 if all succeeded, 125 if one left no record. */
int foreground_status(const Foreground *foreground);

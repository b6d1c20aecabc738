/* One launch: what its steps share. Each file of this folder is one kernel noun; main.c and app.c hold the two ordered
 * tables, of the launcher (a child of systemd) and of the app's process (its sibling). docs/launch-plan.md is the
 * contract. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/failure.h"
#include "confine/confine.h"
#include "plan/plan.h"

/* Where the app finds its notify socket. */
#define APP_NOTIFY_PATH "/dev/gantry-notify"

/* The app's descriptors 0, 1, 2 and what the sandbox gets to relay them. -1: leave systemd's, or nothing. */
typedef struct Streams {
    int app[3];
    int terminal;    /* the pty's master */
    int pipes[3];    /* our ends: stdin's write end, stdout's and stderr's read ends */
    int journals[3]; /* journal streams of stdout [1] and stderr [2]; with a terminal only [1] */
} Streams;

typedef struct Launch {
    char **argv;
    LaunchPlan *plan;
    char *cgroup;        /* our own path */
    char *unit;          /* its last part */
    uid_t base;          /* host id of the app's id 0 */
    int notify;          /* connected to systemd */
    int status;          /* the app's status directory */
    char *started;       /* the temporary file in it that becomes `started`; NULL: there is none */
    int sandbox;         /* pidfd of the pod's init */
    int userns;          /* its user namespace, -1 in a pod without one */
    int relay;           /* connected to the sandbox; the standard streams go this way if they are relayed */
    int notify_relay;    /* the same for the app's notify socket */
    int app_notify;      /* the socket behind the app's NOTIFY_SOCKET, -1 without */
    int scratch;         /* private tmpfs: layers, an empty directory, a null device */
    int null;            /* that device, open for reading and writing */
    int root;            /* the app's root */
    int channel;         /* to the other process */
    pid_t app;           /* as the host sees it; 0 in the app's process */
    char boot[33];
    Streams streams;
    Confinement confinement;
} Launch;

typedef int (*StepRun)(Launch *launch, Failure *failure);

typedef struct Step {
    const char *name; /* as STATUS= shows it */
    StepRun run;      /* 0, or -errno with `failure` filled */
    int status;       /* exit status unless the failure has its own */
} Step;

/* Runs steps until one fails; fills failure->step and ->status. */
int steps_run(Launch *launch, const Step *steps, size_t count, Failure *failure);

/* sandbox.c: finds and pins the pod's init; later joins its namespaces. */
int sandbox_find(Launch *launch, Failure *failure);
int sandbox_join(Launch *launch, Failure *failure);
/* ns.c: an own mount namespace with a private scratch tmpfs. */
int ns_unshare(Launch *launch, Failure *failure);
/* idmap.c: an id-mapped (or plain) view of every layer below scratch/layers, named by number. */
int idmap_layers(Launch *launch, Failure *failure);
/* overlay.c: the app's root from layers and its upper directory. */
int overlay_mount(Launch *launch, Failure *failure);
/* mount.c: the plan's mounts; the late ones belong into the pod's namespaces. */
int mount_early(Launch *launch, Failure *failure);
int mount_late(Launch *launch, Failure *failure);
/* rootfs.c: the working directory, if it is to be made; at last the pivot. */
int rootfs_make_cwd(Launch *launch, Failure *failure);
int rootfs_pivot(Launch *launch, Failure *failure);
/* mask.c: masked and read-only paths. */
int mask_apply(Launch *launch, Failure *failure);
/* notify.c: a socket for the app's own readiness. */
int notify_bind(Launch *launch, Failure *failure);
/* stdio.c: pipes, pty, null; at last the app's 0, 1 and 2. */
int stdio_open(Launch *launch, Failure *failure);
int stdio_install(Launch *launch, Failure *failure);
/* status.c: `started`, a temporary file at first. */
int status_open(Launch *launch, Failure *failure);
int status_prepare_started(Launch *launch, Failure *failure);
int status_place_started(Launch *launch, Failure *failure);
void status_discard_started(Launch *launch);
/* relay.c: hands pipes or pty to the sandbox. */
int relay_connect(Launch *launch, Failure *failure);
int relay_register(Launch *launch, pid_t pid_in_pod, Failure *failure);
int relay_notify(Launch *launch, pid_t pid_in_pod, Failure *failure);
/* app.c: the app's process, up to and including its execve; never returns. */
_Noreturn void app_run(Launch *launch);
/* handover.c: clones the app's process and gives it to systemd. */
int handover_clone(Launch *launch, Failure *failure);
int handover_finish(Launch *launch, Failure *failure);

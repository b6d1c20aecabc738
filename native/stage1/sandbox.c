/* The pod's init and its namespaces. It says itself who it is, over the pod's socket; control groups tell whether that is
 * the plan's unit: a sibling of our own, or for an installed pod of our slice. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "basic/cgroup.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "relay/packet.h"
#include "stage1/launch.h"

#define PAUSE_FIRST_NS 100000L
#define PAUSE_LAST_NS 5000000L

/* systemd forks the sandbox just before its apps, and the first thing that one does is to bind the pod's socket. */
static int socket_await(const Launch *launch, const char *unit_path) {
    for (long pause = PAUSE_FIRST_NS;; pause = pause < PAUSE_LAST_NS ? 2 * pause : pause) {
        _cleanup_fd_ int alive = -1;
        int fd = packet_connect(launch->plan->socket);
        if ((fd != -ENOENT && fd != -ECONNREFUSED) || cgroup_open(unit_path, &alive) < 0)
            return fd;
        (void)nanosleep(&(struct timespec){ .tv_nsec = pause }, NULL);
    }
}

static int socket_open(Launch *launch, Failure *failure) {
    _cleanup_free_ char *beside = NULL;
    int r = cgroup_sibling(launch->cgroup, launch->plan->sandbox, &beside);
    if (r >= 0)
        r = launch->relay = socket_await(launch, beside);
    return r < 0 ? failure_set(failure, 0, -r, "%s", launch->plan->socket) : 0;
}

/* An installed pod's sandbox is an instance of a template, which cannot name the pod's slice: it is beside that. */
static int sandbox_pin(Launch *launch, pid_t pid) {
    _cleanup_free_ char *beside = NULL, *slice = NULL, *above = NULL;
    int r = cgroup_sibling(launch->cgroup, launch->plan->sandbox, &beside);
    if (r >= 0)
        r = cgroup_pin_init(beside, pid, &launch->sandbox);
    const char *slash = strrchr(launch->cgroup, '/');
    if (r != -ESRCH || !slash)
        return r;
    slice = strndup(launch->cgroup, (size_t)(slash - launch->cgroup));
    r = slice ? cgroup_sibling(slice, launch->plan->sandbox, &above) : -ENOMEM;
    return r < 0 ? r : cgroup_pin_init(above, pid, &launch->sandbox);
}

/* Started before its sandbox stands, an app waits for the answer to its question. */
static int sandbox_await(Launch *launch, pid_t *ret_pid, Failure *failure) {
    int r = packet_join(launch->relay, ret_pid);
    if (r == -ECONNRESET || r == -EPIPE)
        return failure_say(failure, 0, -r, "%s: ended before it was ready", launch->plan->sandbox);
    if (r < 0)
        return failure_set(failure, 0, -r, "%s", launch->plan->socket);
    r = sandbox_pin(launch, *ret_pid);
    if (r == -ESRCH)
        return failure_say(failure, 0, ESRCH, "%s: not running beside %s", launch->plan->sandbox, launch->unit);
    return r < 0 ? failure_set(failure, 0, -r, "%s", launch->plan->sandbox) : 0;
}

/* The plan's range must be the namespace's: files would get ids that nobody in the pod has. */
static int range_check(const Launch *launch, pid_t pid, Failure *failure) {
    const UsernsPlan *userns = &launch->plan->userns;
    char file[64];
    _cleanup_free_ char *map = NULL;
    uint32_t inside, outside, size;
    (void)snprintf(file, sizeof file, "/proc/%d/uid_map", (int)pid);
    int r = file_read(AT_FDCWD, file, 4096, &map, NULL);
    if (r < 0)
        return failure_set(failure, 0, -r, "%s", file);
    if (sscanf(map, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &size) != 3 || inside != 0 ||
        outside != userns->base || size != userns->size)
        return failure_say(failure, 0, EINVAL, "%s: its user namespace is not the plan's %" PRIu32 "+%" PRIu32,
                           launch->plan->sandbox, userns->base, userns->size);
    return 0;
}

int sandbox_find(Launch *launch, Failure *failure) {
    pid_t pid;
    int r = socket_open(launch, failure);
    if (r < 0)
        return r;
    /* The socket is pid 1's once that stands. */
    if (packet_peer(launch->relay, &pid) < 0 || sandbox_pin(launch, pid) < 0)
        r = sandbox_await(launch, &pid, failure);
    if (r < 0)
        return r;
    if (launch->plan->userns.mode == USERNS_HOST)
        return 0;
    char file[64];
    (void)snprintf(file, sizeof file, "/proc/%d/ns/user", (int)pid);
    launch->userns = open(file, O_RDONLY | O_CLOEXEC);
    if (launch->userns < 0)
        return failure_set(failure, 0, errno, "%s", file);
    return range_check(launch, pid, failure);
}

int sandbox_join(Launch *launch, Failure *failure) {
    /* All or none (Linux 5.8): a pod that dies in between leaves us in no mixture. */
    if (setns(launch->sandbox, CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) < 0)
        return failure_set(failure, 0, errno, "namespaces of %s", launch->plan->sandbox);
    return 0;
}

/* The pod's init and its namespaces, found through control groups: the sandbox's unit is a sibling of our own,
 * or for an installed pod of our slice. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "basic/cgroup.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "stage1/launch.h"

/* An installed pod's sandbox is an instance of a template, which cannot name the pod's slice: it is beside that. */
static int sandbox_pin_above(Launch *launch, char *own, pid_t *ret_pid) {
    _cleanup_free_ char *path = NULL;
    char *slash = strrchr(own, '/');
    if (!slash)
        return -ESRCH;
    *slash = '\0';
    int r = cgroup_sibling(own, launch->plan->sandbox, &path);
    return r < 0 ? r : cgroup_find_init(path, ret_pid, &launch->sandbox);
}

static int sandbox_pin(Launch *launch, pid_t *ret_pid, Failure *failure) {
    _cleanup_free_ char *own = NULL;
    _cleanup_free_ char *path = NULL;
    int r = cgroup_of(0, &own);
    if (r >= 0)
        r = cgroup_sibling(own, launch->plan->sandbox, &path);
    if (r >= 0)
        r = cgroup_find_init(path, ret_pid, &launch->sandbox);
    if (r == -ESRCH)
        r = sandbox_pin_above(launch, own, ret_pid);
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
    int r = sandbox_pin(launch, &pid, failure);
    if (r < 0 || launch->plan->userns.mode == USERNS_HOST)
        return r;
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

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "internal.h"

static int map_write(pid_t pid, const char *file, const UsernsPlan *userns, Failure *failure);
static int root_become(Failure *failure);
static int loopback_raise(Failure *failure);

/* One clone for all: the kernel makes the user namespace first, so it owns the others (user_namespaces(7)). */
uint64_t namespaces_flags(const SandboxPlan *plan) {
    uint64_t flags = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS;
    if (plan->net == NET_NONE)
        flags |= CLONE_NEWNET;
    if (plan->ipc == IPC_PRIVATE)
        flags |= CLONE_NEWIPC;
    if (plan->userns.mode == USERNS_POD)
        flags |= CLONE_NEWUSER;
    return flags;
}

/* setgroups(2) stays allowed because root, not the namespace, writes gid_map. */
int namespaces_map(pid_t pid, const UsernsPlan *userns, Failure *failure) {
    if (userns->mode == USERNS_HOST)
        return 0;
    int r = map_write(pid, "gid_map", userns, failure);
    return r < 0 ? r : map_write(pid, "uid_map", userns, failure);
}

int namespaces_enter(const SandboxPlan *plan, Failure *failure) {
    int r = plan->userns.mode == USERNS_POD ? root_become(failure) : 0;
    if (r < 0)
        return r;
    if (sethostname(plan->hostname, strlen(plan->hostname)) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "host name \"%s\"", plan->hostname);
    return plan->net == NET_NONE ? loopback_raise(failure) : 0;
}

static int map_write(pid_t pid, const char *file, const UsernsPlan *userns, Failure *failure) {
    _cleanup_free_ char *path = NULL, *line = NULL;
    int r = text_format(&path, "/proc/%d/%s", pid, file);
    if (r >= 0)
        r = text_format(&line, "0 %u %u\n", userns->base, userns->size);
    _cleanup_fd_ int fd = r < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
    if (r >= 0)
        r = fd < 0 ? -errno : io_write_all(fd, line, strlen(line));
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_USER, -r, "%s of the pod's user namespace", file);
    return 0;
}

static int root_become(Failure *failure) {
    if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return failure_set(failure, EXIT_STATUS_USER, errno, "becoming root of the pod's user namespace");
    /* A change of credentials makes a process dumpable again, and with that readable through /proc/1. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return failure_set(failure, EXIT_STATUS_USER, errno, "PR_SET_DUMPABLE");
    return 0;
}

static int loopback_raise(Failure *failure) {
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    _cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return failure_set(failure, EXIT_STATUS_NAMESPACE, errno, "loopback interface");
    return 0;
}

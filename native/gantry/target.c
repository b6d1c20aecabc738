#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/boot.h"
#include "basic/cgroup.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "json/json.h"
#include "limits.h"

#define CGROUP_FILE_MAX 65536
#define STARTED_MAX 4096

static int started_read(const LaunchPlan *plan, pid_t *ret_pid);
static int process_pin(pid_t pid, const char *unit, int *ret_pidfd);
static int root_open(pid_t pid);
static int process_open(pid_t pid, const char *what, int flags);
static int cgroups_open(Target *target);
static int hierarchy_open(Target *target, char *line, const char *own);
static bool same_place(const char *own, const char *hierarchy, const char *path);

int target_find(const LaunchPlan *plan, const char *unit, Target *ret, Failure *failure) {
    Target target = { .pidfd = -1, .root = -1, .userns = -1, .unified = -1 };
    int r = started_read(plan, &target.pid);
    if (r >= 0)
        r = process_pin(target.pid, unit, &target.pidfd);
    if (r < 0)
        return failure_say(failure, 0, ESRCH, "does not run");
    r = target.root = root_open(target.pid);
    if (r >= 0 && plan->userns.mode == USERNS_POD)
        r = target.userns = process_open(target.pid, "ns/user", O_RDONLY);
    if (r >= 0)
        r = cgroups_open(&target);
    if (r >= 0)
        r = limits_read(target.pid, target.limits);
    struct pollfd dead = { .fd = target.pidfd, .events = POLLIN };
    if (r >= 0 && poll(&dead, 1, 0) != 0) /* what was opened by pid is the pinned process's only if that still lives */
        r = -ESRCH;
    if (r < 0) {
        target_done(&target);
        return r == -ESRCH ? failure_say(failure, 0, ESRCH, "does not run")
                           : failure_set(failure, 0, -r, "process %d of the app", target.pid);
    }
    *ret = target;
    return 0;
}

void target_done(Target *target) {
    fd_close(&target->pidfd);
    fd_close(&target->root);
    fd_close(&target->userns);
    fd_close(&target->unified);
    for (size_t i = 0; i < target->n_procs; i++)
        fd_close(&target->procs[i]);
    target->n_procs = 0;
}

static int started_read(const LaunchPlan *plan, pid_t *ret_pid) {
    char boot[33];
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ Json *fact = NULL;
    const char *started_boot;
    int64_t pid;
    size_t size;
    const JsonField fields[] = { { "boot", JSON_TEXT, &started_boot, false }, { "pid", JSON_INTEGER, &pid, false }, { 0 } };
    int r = boot_id_read(boot);
    if (r >= 0)
        r = text_format(&path, "%s/started", plan->status);
    if (r >= 0)
        r = file_read(AT_FDCWD, path, STARTED_MAX, &text, &size);
    if (r >= 0)
        r = json_parse(text, size, &fact, NULL);
    if (r >= 0)
        r = json_read(fact, fields);
    if (r < 0)
        return r;
    if (pid <= 1 || pid > INT32_MAX)
        return -EBADMSG;
    if (strcmp(boot, started_boot) != 0)
        return -ESRCH;
    *ret_pid = (pid_t)pid;
    return 0;
}

/* A pid on disk may have been reused; a process in the unit's control group is the unit's. */
static int process_pin(pid_t pid, const char *unit, int *ret_pidfd) {
    _cleanup_free_ char *path = NULL, *found = NULL;
    _cleanup_fd_ int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return -errno;
    int r = cgroup_of(pid, &path);
    if (r >= 0)
        r = cgroup_unit(path, &found);
    if (r < 0)
        return r;
    struct pollfd dead = { .fd = fd, .events = POLLIN };
    if (strcmp(found, unit) != 0 || poll(&dead, 1, 0) != 0)
        return -ESRCH;
    *ret_pidfd = fd_take(&fd);
    return 0;
}

/* What a command would run in, and the host's own until the process has left it. */
static int root_open(pid_t pid) {
    struct stat theirs, own;
    _cleanup_fd_ int root = process_open(pid, "root", O_PATH | O_DIRECTORY);
    if (root < 0)
        return root;
    if (fstat(root, &theirs) < 0 || stat("/", &own) < 0)
        return -errno;
    return theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino ? -ESRCH : fd_take(&root);
}

static int process_open(pid_t pid, const char *what, int flags) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    return fd;
}

/* Lines of cgroups(7): "<id>:<controllers>:<path>". */
static int cgroups_open(Target *target) {
    char file[64];
    _cleanup_free_ char *theirs = NULL, *own = NULL;
    (void)snprintf(file, sizeof file, "/proc/%d/cgroup", (int)target->pid);
    int r = file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &theirs, NULL);
    if (r >= 0)
        r = file_read(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX, &own, NULL);
    for (char *save = NULL, *line = r < 0 ? NULL : strtok_r(theirs, "\n", &save); line && r >= 0;
         line = strtok_r(NULL, "\n", &save))
        r = hierarchy_open(target, line, own);
    return r;
}

/* systemd mounts a v1 hierarchy below the name of its controllers, cgroup2 at the top or (hybrid) as `unified`. */
static int hierarchy_open(Target *target, char *line, const char *own) {
    char *name = strchr(line, ':'), *path = name ? strchr(name + 1, ':') : NULL;
    struct statfs top;
    _cleanup_free_ char *directory = NULL;
    if (!path)
        return -EBADMSG;
    *name++ = *path++ = '\0';
    bool v2 = name[0] == '\0';
    if (!v2 && (same_place(own, name, path) || target->n_procs == HIERARCHIES_MAX))
        return 0;
    if (v2 && statfs("/sys/fs/cgroup", &top) < 0)
        return -errno;
    const char *mounted = v2 ? (top.f_type == CGROUP2_SUPER_MAGIC ? "" : "unified") : name;
    if (text_starts_with(mounted, "name="))
        mounted += strlen("name=");
    int r = text_format(&directory, "/sys/fs/cgroup/%s%s%s", mounted, path, v2 ? "" : "/cgroup.procs");
    if (r < 0)
        return r;
    int fd = open(directory, v2 ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_WRONLY | O_CLOEXEC);
    if (fd < 0) /* a hierarchy that is mounted nowhere holds no limits of systemd's */
        return errno == ENOENT ? 0 : -errno;
    if (v2)
        target->unified = fd;
    else
        target->procs[target->n_procs++] = fd;
    return 0;
}

/* Every move waits for an RCU grace period, so none is made without need. */
static bool same_place(const char *own, const char *hierarchy, const char *path) {
    _cleanup_free_ char *line = NULL;
    if (text_format(&line, ":%s:%s\n", hierarchy, path) < 0)
        return false;
    return strstr(own, line) != NULL;
}

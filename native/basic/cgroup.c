#include "basic/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/kernel.h"
#include "basic/text.h"

enum { CGROUP_FILE_MAX = 1 << 20 };

/* Which hierarchy systemd keeps: what is mounted decides, since the kernel lists them all. */
static bool layout_is_unified(void) {
    struct statfs mounted;
    return statfs("/sys/fs/cgroup", &mounted) == 0 && mounted.f_type == CGROUP2_SUPER_MAGIC;
}

/* Finds the hierarchy's line; it is "<id>:<controllers>:<path>" (cgroups(7)). */
static const char *line_find(char *text, bool unified) {
    const char *wanted = unified ? "0::" : ":name=systemd:";
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *found = unified ? (text_starts_with(line, wanted) ? line : NULL) : strstr(line, wanted);
        if (found)
            return found + strlen(wanted);
    }
    return NULL;
}

int cgroup_of(pid_t pid, char **ret_path) {
    char file[64];
    (void)snprintf(file, sizeof file, pid == 0 ? "/proc/self/cgroup" : "/proc/%d/cgroup", (int)pid);
    _cleanup_free_ char *text = NULL;
    int r = file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    const char *path = line_find(text, layout_is_unified());
    if (!path || path[0] != '/')
        return -ENODATA;
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    *ret_path = copy;
    return 0;
}

int cgroup_unit(const char *path, char **ret_unit) {
    const char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return -ENODATA;
    char *unit = strdup(slash + 1);
    if (!unit)
        return -ENOMEM;
    *ret_unit = unit;
    return 0;
}

int cgroup_sibling(const char *path, const char *unit, char **ret_path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return -EINVAL;
    return text_format(ret_path, "%.*s/%s", (int)(slash - path), path, unit);
}

int cgroup_open(const char *path, int *ret_fd) {
    _cleanup_free_ char *directory = NULL;
    int r = text_format(&directory, "/sys/fs/cgroup%s%s", layout_is_unified() ? "" : "/systemd", path);
    if (r < 0)
        return r;
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

/* True if NSpid (proc_pid_status(5)) says: pid 1 of a namespace below the reader's. */
static bool process_is_init(pid_t pid) {
    char file[64];
    (void)snprintf(file, sizeof file, "/proc/%d/status", (int)pid);
    _cleanup_free_ char *text = NULL;
    if (file_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, NULL) < 0)
        return false;
    const char *line = strstr(text, "\nNSpid:");
    int outer, inner;
    return line && sscanf(line, "\nNSpid: %d %d", &outer, &inner) == 2 && inner == 1;
}

int cgroup_pin_init(const char *path, pid_t pid, int *ret_pidfd) {
    if (!process_is_init(pid))
        return -ESRCH;
    _cleanup_fd_ int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return -errno;
    _cleanup_free_ char *now = NULL;
    int r = cgroup_of(pid, &now);
    if (r < 0)
        return r;
    struct pollfd dead = { .fd = fd, .events = POLLIN };
    /* Alive after the check means that the check was about this process. */
    if (strcmp(now, path) != 0 || poll(&dead, 1, 0) != 0)
        return -ESRCH;
    *ret_pidfd = fd_take(&fd);
    return 0;
}

/* The app's standard streams. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/kernel.h"
#include "basic/path.h"
#include "basic/text.h"
#include "stage1/mount.h"
#include "stage1/rootfs.h"

enum { PRIORITY_ERR = 3, PRIORITY_INFO = 6 }; /* syslog(3) */

/* Host ids of the app's user: what it must own to open /dev/stdout again. */
static int stream_own(const Launch *launch, int fd) {
    const Credentials *credentials = &launch->confinement.credentials;
    return fchown(fd, launch->base + credentials->uid, launch->base + credentials->gid) < 0 ? -errno : 0;
}

/* A stream as journald takes it: seven lines, then the log (systemd's "Native Journal Protocol" is the other one). The
 * unit counts because we are root and in its control group. */
static int journal_connect(const Launch *launch, int priority, int *ret_fd) {
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/stdout" };
    _cleanup_free_ char *head = NULL;
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    /* identifier, unit, priority, and no level prefix, syslog, kmsg or console */
    int r = text_format(&head, "%s\n%s\n%d\n0\n0\n0\n0\n", launch->plan->app, launch->unit, priority);
    if (r >= 0)
        r = io_write_all(fd, head, strlen(head));
    if (r >= 0)
        *ret_fd = fd_take(&fd);
    return r;
}

static int journals_connect(Launch *launch, Failure *failure) {
    int r = journal_connect(launch, PRIORITY_INFO, &launch->streams.journals[1]);
    if (r >= 0 && !launch->plan->process.terminal)
        r = journal_connect(launch, PRIORITY_ERR, &launch->streams.journals[2]);
    return r < 0 ? failure_set(failure, 0, -r, "/run/systemd/journal/stdout") : 0;
}

/* One pipe of which the app gets `app_end` (0 reads, 1 writes) as descriptor `stream`. */
static int pipe_make(Launch *launch, int stream, int app_end, Failure *failure) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return failure_set(failure, 0, errno, "pipe");
    launch->streams.app[stream] = ends[app_end];
    launch->streams.pipes[stream] = ends[!app_end];
    int r = stream_own(launch, ends[app_end]);
    return r < 0 ? failure_set(failure, 0, -r, "owner of a pipe") : 0;
}

/* A pty of the app's own devpts: the host's would be a device the app can name but not see. */
static int pty_open(const Launch *launch, int *ret_master, int *ret_slave) {
    int unlocked = 0;
    _cleanup_fd_ int master =
        path_open(launch->root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (master < 0)
        return master;
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
        return -errno;
    _cleanup_fd_ int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return -errno;
    *ret_master = fd_take(&master);
    *ret_slave = fd_take(&slave);
    return 0;
}

/* /dev/console is the terminal, for programs that write to it by name. */
static int console_mount(const Launch *launch, int master, Failure *failure) {
    unsigned number;
    char path[64];
    if (ioctl(master, TIOCGPTN, &number) < 0)
        return failure_set(failure, 0, errno, "terminal");
    (void)snprintf(path, sizeof path, "/dev/pts/%u", number);
    _cleanup_fd_ int node = rootfs_open(launch, path);
    if (node < 0)
        return failure_set(failure, 0, -node, "%s", path);
    _cleanup_fd_ int tree = open_tree(node, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return failure_set(failure, 0, errno, "%s", path);
    return mount_attach(launch, tree, "/dev/console", false, failure);
}

static int terminal_open(Launch *launch, Failure *failure) {
    const Credentials *credentials = &launch->confinement.credentials;
    int slave = -1;
    int r = pty_open(launch, &launch->streams.terminal, &slave);
    if (r < 0)
        return failure_set(failure, 0, -r, "/dev/pts/ptmx");
    /* Group tty and mode 0620 as grantpt(3) has it. */
    if (fchown(slave, launch->base + credentials->uid, launch->base + 5) < 0 || fchmod(slave, 0620) < 0)
        return failure_set(failure, 0, errno, "terminal");
    for (int stream = 0; stream < 3; stream++)
        launch->streams.app[stream] = slave;
    r = console_mount(launch, launch->streams.terminal, failure);
    return r < 0 ? r : journals_connect(launch, failure);
}

static int output_open(Launch *launch, Failure *failure) {
    if (launch->plan->log == LOG_NULL)
        launch->streams.app[1] = launch->streams.app[2] = launch->null;
    if (launch->plan->log != LOG_PIPE)
        return 0;
    int r = pipe_make(launch, 1, 1, failure);
    if (r >= 0)
        r = pipe_make(launch, 2, 1, failure);
    return r < 0 ? r : journals_connect(launch, failure);
}

int stdio_open(Launch *launch, Failure *failure) {
    if (launch->plan->process.terminal)
        return terminal_open(launch, failure);
    launch->streams.app[0] = launch->null;
    int r = launch->plan->stdin_mode == STDIN_STREAM ? pipe_make(launch, 0, 0, failure) : 0;
    return r < 0 ? r : output_open(launch, failure);
}

int stdio_install(Launch *launch, Failure *failure) {
    /* A session of its own, as every service of systemd has; its leader may take the terminal. */
    if (setsid() < 0)
        return failure_set(failure, 0, errno, "session");
    if (launch->plan->process.terminal && ioctl(launch->streams.app[0], TIOCSCTTY, 0) < 0)
        return failure_set(failure, 0, errno, "controlling terminal");
    for (int stream = 0; stream < 3; stream++)
        if (launch->streams.app[stream] >= 0 && dup2(launch->streams.app[stream], stream) < 0)
            return failure_set(failure, 0, errno, "descriptor %d", stream);
    return 0;
}

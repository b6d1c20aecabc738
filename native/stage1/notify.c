/* A notify socket of the app's own: systemd's would let a root app name any process of the host as its main process.
 * The sandbox reads it and passes on what may pass. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "stage1/rootfs.h"

int notify_bind(Launch *launch, Failure *failure) {
    if (launch->plan->ready != READY_APP)
        return 0;
    const char *name = strrchr(APP_NOTIFY_PATH, '/') + 1;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_fd_ int directory = -1;
    int r = rootfs_target(launch, "/dev", true, &directory, failure);
    if (r < 0)
        return r;
    /* Through the descriptor: no symbolic link of the image can move it, and any length of the root's path fits. */
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, name);
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failure_set(failure, 0, errno, APP_NOTIFY_PATH);
    (void)unlinkat(directory, name, 0); /* of an earlier start, when /dev is no mount of its own */
    /* Every process of the app may notify, whatever id it has taken. */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || fchmodat(directory, name, 0666, 0) < 0)
        return failure_set(failure, 0, errno, APP_NOTIFY_PATH);
    launch->app_notify = fd_take(&fd);
    return 0;
}

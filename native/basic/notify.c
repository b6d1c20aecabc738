#include "basic/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/cleanup.h"

int notify_connect(int *ret_fd) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path)
        return -ENOENT;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return -EINVAL;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = 0; /* the abstract namespace */
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        return -errno;
    (void)unsetenv("NOTIFY_SOCKET");
    *ret_fd = fd_take(&fd);
    return 0;
}

/* `attached` goes along as a descriptor unless it is -1. */
static int message_send(int fd, const char *text, int attached) {
    char control[CMSG_SPACE(sizeof attached)] = { 0 };
    struct iovec vector = { .iov_base = (char *)text, .iov_len = strlen(text) };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    if (attached >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof attached);
        memcpy(CMSG_DATA(header), &attached, sizeof attached);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_send(int fd, const char *text) {
    return message_send(fd, text, -1);
}

int notify_failure(int fd, const Failure *failure) {
    char status[2 * sizeof failure->text], text[sizeof status + sizeof failure->step + 64];
    size_t used = 0;
    /* systemd splits a message into lines with its parser of words, which takes a backslash as an escape. */
    for (const char *from = failure->text; *from && used + 2 < sizeof status; from++) {
        if (*from == '\\')
            status[used++] = '\\';
        status[used++] = *from;
    }
    status[used] = 0;
    (void)snprintf(text, sizeof text, "STATUS=%s: %s\nERRNO=%d", failure->step, status, failure->error);
    return notify_send(fd, text);
}

int notify_barrier_open(int fd, int *ret_fd) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_fd_ int mine = ends[0];
    _cleanup_fd_ int theirs = ends[1];
    /* BARRIER=1 must be the only assignment of its datagram (sd_notify(3)). */
    int r = message_send(fd, "BARRIER=1", theirs);
    if (r >= 0)
        *ret_fd = fd_take(&mine);
    return r;
}

int notify_barrier_await(int barrier, int timeout_ms) {
    struct pollfd wait = { .fd = barrier };
    int r;
    do
        r = poll(&wait, 1, timeout_ms); /* POLLHUP: systemd closed its copy */
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

int notify_barrier(int fd, int timeout_ms) {
    _cleanup_fd_ int barrier = -1;
    int r = notify_barrier_open(fd, &barrier);
    return r < 0 ? r : notify_barrier_await(barrier, timeout_ms);
}

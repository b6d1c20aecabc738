#include "stage1/channel.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

int channel_open(int ret[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

int channel_send(int fd, const Report *report) {
    ssize_t n;
    do
        n = write(fd, report, sizeof *report); /* write() and not send(): a filter is likelier to allow it */
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int channel_receive(int fd, Report *ret) {
    ssize_t n;
    do
        n = recv(fd, ret, sizeof *ret, 0);
    /* ECONNRESET comes once if the other side died with a message of ours unread; what it sent is still behind it. */
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    return n < 0 ? -errno : n == (ssize_t)sizeof *ret ? 1 : 0;
}

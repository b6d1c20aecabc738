/* Who a sandbox is, the first question to one, which also waits for it, and the last word. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/cleanup.h"
#include "packet.h"

static int answer_receive(int fd, PacketHead *ret_head, pid_t *ret_pid);

int packet_peer(int fd, pid_t *ret_pid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    *ret_pid = peer.pid;
    return 0;
}

int packet_join(int fd, pid_t *ret_pid) {
    const int yes = 1;
    PacketHead head = { 0 };
    pid_t pid = 0;
    /* With this the kernel adds who the sender is. */
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
        return -errno;
    int r = packet_send(fd, PACKET_JOIN, 0, 0, NULL, 0);
    if (r >= 0)
        r = answer_receive(fd, &head, &pid);
    if (r >= 0 && (head.type != PACKET_OK || pid <= 0))
        r = -EBADMSG;
    if (r >= 0)
        *ret_pid = pid;
    return r;
}

int packet_end(const char *path, int status) {
    uint8_t body = (uint8_t)status;
    _cleanup_fd_ int fd = packet_connect(path);
    return fd < 0 ? fd : packet_send(fd, PACKET_END, 0, 0, &body, sizeof body);
}

static int answer_receive(int fd, PacketHead *ret_head, pid_t *ret_pid) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = { ret_head, sizeof *ret_head };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
    };
    ssize_t size;
    do
        size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size <= 0)
        return size < 0 ? -errno : -ECONNRESET;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (size != sizeof *ret_head || !header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS)
        return -EBADMSG;
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(header), sizeof sender);
    *ret_pid = sender.pid;
    return 0;
}

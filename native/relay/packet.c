#include "packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/cleanup.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packets are little-endian in memory and on the wire");
_Static_assert(sizeof(PacketHead) == 8, "the head has no padding");

static void descriptors_collect(struct msghdr *message, PacketFds *fds);

int packet_connect(const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return fd_take(&fd);
}

int packet_send(int fd, PacketType type, unsigned stream, unsigned app, const void *body, size_t length) {
    PacketHead head = { (uint8_t)type, (uint8_t)stream, (uint16_t)app, (uint32_t)length };
    struct iovec parts[] = { { &head, sizeof head }, { (void *)body, length } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1 };
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int packet_receive(int fd, Packet *packet, PacketFds *fds) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = { packet, sizeof *packet };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fds) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        fds->count = 0;
    }
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (fds)
        descriptors_collect(&message, fds);
    if (got == 0)
        return 0;
    if ((message.msg_flags & (MSG_TRUNC | (fds ? MSG_CTRUNC : 0))) || packet_check(&packet->head, (size_t)got) < 0) {
        if (fds)
            packet_fds_close(fds);
        return -EBADMSG;
    }
    return 1;
}

int packet_check(const PacketHead *head, size_t size) {
    if (size < sizeof *head || size > sizeof(Packet) || head->length != size - sizeof *head)
        return -EBADMSG;
    return head->stream < STREAM_COUNT ? 0 : -EBADMSG;
}

void packet_fds_close(PacketFds *fds) {
    for (unsigned i = 0; i < fds->count; i++)
        fd_close(&fds->fd[i]);
    fds->count = 0;
}

/* What the control buffer's alignment leaves room for may be more than there can be. */
static void descriptors_collect(struct msghdr *message, PacketFds *fds) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (fds->count < PACKET_FDS_MAX)
                fds->fd[fds->count++] = fd;
            else
                fd_close(&fd);
        }
    }
}

/* The sandbox relays pipes and ptys; its side of the socket is native/relay. */
#include "relay/packet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "stage1/launch.h"

static bool relay_wanted(const LaunchPlan *plan) {
    return plan->process.terminal || plan->log == LOG_PIPE;
}

int relay_connect(Launch *launch, Failure *failure) {
    if (!relay_wanted(launch->plan))
        return 0;
    int fd = packet_connect(launch->plan->socket);
    if (fd < 0)
        return failure_set(failure, 0, -fd, "%s", launch->plan->socket);
    launch->relay = fd;
    return 0;
}

/* The order of docs/launch-plan.md. */
static unsigned fds_collect(const Launch *launch, int ret[PACKET_FDS_MAX]) {
    const Streams *streams = &launch->streams;
    unsigned count = 0;
    if (launch->plan->process.terminal) {
        ret[count++] = streams->terminal;
        ret[count++] = streams->journals[1];
        return count;
    }
    ret[count++] = streams->pipes[1];
    ret[count++] = streams->pipes[2];
    ret[count++] = streams->journals[1];
    ret[count++] = streams->journals[2];
    if (streams->pipes[0] >= 0)
        ret[count++] = streams->pipes[0];
    return count;
}

static int register_send(const Launch *launch, pid_t pid) {
    int fds[PACKET_FDS_MAX];
    unsigned count = fds_collect(launch, fds);
    char body[600], control[CMSG_SPACE(sizeof fds)] = { 0 };
    int length = snprintf(body, sizeof body, "%s%c%s%c%d", launch->plan->app, 0, launch->plan->app, 0, (int)pid);
    if (length < 0 || (size_t)length >= sizeof body)
        return -E2BIG;
    PacketHead head = { .type = PACKET_REGISTER, .length = (uint32_t)length };
    struct iovec vectors[] = { { &head, sizeof head }, { body, (size_t)length } };
    struct msghdr message = {
        .msg_iov = vectors, .msg_iovlen = 2, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof *fds),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    return sendmsg(launch->relay, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int relay_register(Launch *launch, pid_t pid_in_pod, Failure *failure) {
    static Packet answer; /* 16 KiB do not belong on the stack */
    if (launch->relay < 0)
        return 0;
    int r = register_send(launch, pid_in_pod);
    if (r >= 0)
        r = packet_receive(launch->relay, &answer, NULL);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_STDOUT, -r, "%s", launch->plan->socket);
    if (r == 1 && answer.head.type == PACKET_ERROR)
        return failure_say(failure, EXIT_STATUS_STDOUT, EPROTO, "%s: %.*s", launch->plan->socket, (int)answer.head.length, (const char *)answer.body);
    if (r == 0 || answer.head.type != PACKET_OK)
        return failure_set(failure, EXIT_STATUS_STDOUT, EPROTO, "%s", launch->plan->socket);
    return 0;
}

/* The sandbox relays pipes and ptys; its side of the socket is native/relay. */
#include "relay/packet.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "stage1/launch.h"

static bool relay_wanted(const LaunchPlan *plan) {
    return plan->process.terminal || plan->log == LOG_PIPE;
}

/* The socket takes one request per connection, and the first has been made already. */
int relay_connect(Launch *launch, Failure *failure) {
    if (launch->plan->ready != READY_APP)
        return 0;
    launch->notify_relay = packet_connect(launch->plan->socket);
    return launch->notify_relay < 0 ? failure_set(failure, 0, -launch->notify_relay, "%s", launch->plan->socket) : 0;
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

static int request_send(int socket, PacketType type, const void *body, size_t length, const int *fds, unsigned count) {
    char control[CMSG_SPACE(PACKET_FDS_MAX * sizeof *fds)] = { 0 };
    PacketHead head = { .type = (uint8_t)type, .length = (uint32_t)length };
    struct iovec vectors[] = { { &head, sizeof head }, { (void *)(uintptr_t)body, length } };
    struct msghdr message = {
        .msg_iov = vectors, .msg_iovlen = 2, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof *fds),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The sandbox answers OK, or with a sentence. */
static int answer_await(const Launch *launch, int socket, Failure *failure) {
    static Packet answer; /* 16 KiB do not belong on the stack */
    int r = packet_receive(socket, &answer, NULL);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_STDOUT, -r, "%s", launch->plan->socket);
    if (r == 1 && answer.head.type == PACKET_ERROR)
        return failure_say(failure, EXIT_STATUS_STDOUT, EPROTO, "%s: %.*s", launch->plan->socket,
                           (int)answer.head.length, (const char *)answer.body);
    if (r == 0 || answer.head.type != PACKET_OK)
        return failure_set(failure, EXIT_STATUS_STDOUT, EPROTO, "%s", launch->plan->socket);
    return 0;
}

int relay_register(Launch *launch, pid_t pid_in_pod, Failure *failure) {
    int fds[PACKET_FDS_MAX];
    char body[600];
    if (!relay_wanted(launch->plan))
        return 0;
    unsigned count = fds_collect(launch, fds);
    int length = snprintf(body, sizeof body, "%s%c%s%c%d", launch->plan->app, 0, launch->plan->app, 0, (int)pid_in_pod);
    int r = request_send(launch->relay, PACKET_REGISTER, body, (size_t)length, fds, count);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_STDOUT, -r, "%s", launch->plan->socket);
    return answer_await(launch, launch->relay, failure);
}

int relay_notify(Launch *launch, pid_t pid_in_pod, Failure *failure) {
    char body[300];
    if (launch->app_notify < 0)
        return 0;
    const int fds[] = { launch->app_notify, launch->notify };
    int length = snprintf(body, sizeof body, "%s%c%d", launch->plan->app, 0, (int)pid_in_pod);
    int r = request_send(launch->notify_relay, PACKET_NOTIFY, body, (size_t)length, fds, 2);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_STDOUT, -r, "%s", launch->plan->socket);
    return answer_await(launch, launch->notify_relay, failure);
}

/* libFuzzer target, and with plan's fuzz-replay.c an ordinary test: whatever a client sends, the relay answers or drops it.
 * The input is a list of packets, each preceded by its size in two bytes; every other one comes from a second client.
 * To fuzz:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -std=gnu17 -Inative \
 *     test/native/relay/fuzz-relay.c native/relay/[a-z]*.c -o fuzz && ./fuzz -max_len=2048 test/native/relay/corpus
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Relay relay;

static int listener_open(struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = sizeof *address;
    /* An autobind address of the abstract namespace: no file to leave behind. */
    if (bind(fd, (const struct sockaddr *)&(struct sockaddr_un){ .sun_family = AF_UNIX }, sizeof(sa_family_t)) < 0 ||
        listen(fd, 4) < 0 || getsockname(fd, (struct sockaddr *)address, &length) < 0)
        abort();
    return fd;
}

static void relay_turn(int epoll) {
    struct epoll_event events[8];
    for (int turns = 0, count; turns < 64 && (count = epoll_wait(epoll, events, 8, 0)) > 0; turns++)
        for (int i = 0; i < count; i++)
            relay_dispatch(&relay, events[i].data.u64, events[i].events);
    relay_expire(&relay);
}

static void packet_send_raw(int client, const uint8_t *bytes, size_t size, int out, int in) {
    char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
    struct iovec part = { (void *)bytes, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    int fds[] = { in, in, out, out };
    if (size > 0 && bytes[0] == PACKET_REGISTER) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(c), fds, sizeof fds);
    }
    (void)sendmsg(client, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sockaddr_un address = { 0 };
    int clients[4] = { -1, -1, -1, -1 }, pair[2];
    memset(&relay, 0, sizeof relay);
    int listener = listener_open(&address), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        relay_start(&relay, epoll, listener, getuid(), size % 2) < 0)
        abort();
    (void)!write(pair[1], "output", 6);
    for (unsigned round = 0; size >= 2; round++) {
        size_t length = (size_t)data[0] | (size_t)data[1] << 8;
        length = length > size - 2 ? size - 2 : length;
        int *client = &clients[round % 4];
        if (*client < 0) {
            *client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
            socklen_t used = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6); /* NUL and five digits, unix(7) */
            if (connect(*client, (const struct sockaddr *)&address, used) < 0)
                abort();
        }
        packet_send_raw(*client, data + 2, length, pair[1], pair[0]);
        relay_turn(epoll);
        data += 2 + length;
        size -= 2 + length;
    }
    for (unsigned i = 0; i < 4; i++)
        if (clients[i] >= 0)
            close(clients[i]);
    relay_turn(epoll);
    relay_finish(&relay);
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (relay.client[i].role != CLIENT_FREE)
            close(relay.client[i].fd);
    close(pair[0]);
    close(pair[1]);
    close(epoll);
    close(listener);
    return 0;
}

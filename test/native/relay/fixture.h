/* A relay with real pipes, terminals and sockets; the journal is a socket pair that sees who a message is from. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "relay/relay.h"

#define TURN_MS 20

static int failures;

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);                                    \
            failures++;                                                                                        \
        }                                                                                                      \
    } while (0)

typedef struct Fixture {
    Relay *relay;
    int epoll;
    int listener;
    char path[64];
} Fixture;

/* One app's far ends. */
typedef struct Ends {
    int out, err;          /* what the app writes to */
    int input;             /* what the app reads from */
    int out_log, err_log;  /* what the journal reads */
} Ends;

static inline Fixture fixture_open(bool hold, uid_t owner) {
    Fixture fixture = { .relay = calloc(1, sizeof(Relay)), .epoll = epoll_create1(EPOLL_CLOEXEC) };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(fixture.path, sizeof fixture.path, "/tmp/test-relay-%d", getpid());
    strcpy(address.sun_path, fixture.path);
    unlink(fixture.path);
    fixture.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!fixture.relay || bind(fixture.listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fixture.listener, 8) < 0 ||
        relay_start(fixture.relay, fixture.epoll, fixture.listener, owner, hold) < 0)
        abort();
    return fixture;
}

static inline void fixture_close(Fixture *fixture) {
    relay_finish(fixture->relay);
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (fixture->relay->client[i].role != CLIENT_FREE)
            close(fixture->relay->client[i].fd);
    close(fixture->epoll);
    close(fixture->listener);
    unlink(fixture->path);
    free(fixture->relay);
}

/* Turns the loop until nothing has happened for a while. */
static inline void turn(Fixture *fixture) {
    struct epoll_event events[8];
    int count;
    while ((count = epoll_wait(fixture->epoll, events, 8, TURN_MS)) > 0)
        for (int i = 0; i < count; i++)
            relay_dispatch(fixture->relay, events[i].data.u64, events[i].events);
    relay_expire(fixture->relay);
}

static inline int client_open(const Fixture *fixture) {
    int fd = packet_connect(fixture->path);
    if (fd < 0)
        abort();
    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    return fd;
}

/* A request and its descriptors. */
static inline void request_send(int client, PacketType type, const void *body, size_t length, const int *fds, unsigned count) {
    char control[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))] = { 0 };
    PacketHead head = { (uint8_t)type, 0, 0, (uint32_t)length };
    struct iovec parts[] = { { &head, sizeof head }, { (void *)body, length } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    if (sendmsg(client, &message, 0) < 0)
        abort();
}

static inline bool app_name_send(int client, PacketType type, const char *name) {
    return packet_send(client, type, 0, 0, name, strlen(name)) == 0;
}

static inline void register_send(int client, const char *name, pid_t pid, const int *fds, unsigned count) {
    char body[128];
    int length = snprintf(body, sizeof body, "%s%c%s%c%d", name, 0, name, 0, (int)pid);
    request_send(client, PACKET_REGISTER, body, (size_t)length, fds, count);
}

/* Registers an app with pipes; returns stage1's connection, still open. */
static inline int app_open(const Fixture *fixture, const char *name, pid_t pid, Ends *ret) {
    int out[2], err[2], input[2], out_log[2], err_log[2], yes = 1;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(input, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_log) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, err_log) < 0)
        abort();
    setsockopt(out_log[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
    int client = client_open(fixture);
    int fds[] = { out[0], err[0], out_log[1], err_log[1], input[1] };
    register_send(client, name, pid, fds, 5);
    for (unsigned i = 0; i < 5; i++)
        close(fds[i]);
    *ret = (Ends){ out[1], err[1], input[0], out_log[0], err_log[0] };
    return client;
}

static inline void ends_close(Ends *ends) {
    fd_close(&ends->out);
    fd_close(&ends->err);
    fd_close(&ends->input);
    fd_close(&ends->out_log);
    fd_close(&ends->err_log);
}

static inline bool heard(int client, PacketType type, unsigned stream, const char *body) {
    static Packet packet;
    int r = packet_receive(client, &packet, NULL);
    if (r == 1 && packet.head.type == type && packet.head.stream == stream && packet.head.length == strlen(body) &&
        memcmp(packet.body, body, packet.head.length) == 0)
        return true;
    fprintf(stderr, "  heard %d: type %d, stream %d, \"%.*s\"\n", r, packet.head.type, packet.head.stream,
            r == 1 ? (int)packet.head.length : 0, (char *)packet.body);
    return false;
}

/* What the journal got, and the pid it came from. */
static inline int journal_read(int log, char *text, size_t size, pid_t *ret_pid) {
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec part = { text, size - 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(log, &message, MSG_DONTWAIT);
    text[got > 0 ? got : 0] = '\0';
    struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (c && c->cmsg_type == SCM_CREDENTIALS)
        memcpy(ret_pid, CMSG_DATA(c), sizeof *ret_pid);
    return (int)got;
}

/* Whoever connects: stage1 to join and register, the front to attach and to end the pod, gantry-record to drain. One request per connection,
 * and a JOIN before it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/cleanup.h"
#include "internal.h"

#define HOLD_WAIT_USEC 10000000U
#define ACCEPT_PAUSE_USEC 100000U

static void listener_rest(Relay *relay);
static void client_receive(Relay *relay, unsigned index);
static int request_handle(Relay *relay, unsigned index, PacketFds *fds);
static int register_handle(Relay *relay, unsigned index, PacketFds *fds);
static int notify_handle(Relay *relay, unsigned index, PacketFds *fds);
static int attach_handle(Relay *relay, unsigned index);
static int drain_handle(Relay *relay, unsigned index);
static int end_handle(Relay *relay, unsigned index);
static int name_copy(char name[static RELAY_NAME_MAX + 1], const uint8_t *bytes, size_t length);
static int pid_parse(const char *text, size_t length, pid_t *ret);
static void client_refuse(Relay *relay, unsigned index, int error);

/* Who finds no room stays in the backlog, and is not turned away. */
void client_accept(Relay *relay) {
    unsigned index = 0;
    while (index < RELAY_CLIENTS_MAX && relay->client[index].role != CLIENT_FREE)
        index++;
    relay->crowded = index == RELAY_CLIENTS_MAX;
    if (relay->crowded) {
        watch_change(relay, relay->listener, 0, tag_make(RELAY_LISTEN, 0, 0));
        return;
    }
    _cleanup_fd_ int fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            listener_rest(relay);
        return;
    }
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != relay->owner)
        return;
    if (watch_add(relay, fd, EPOLLIN, tag_make(RELAY_CLIENT, index, 0)) < 0)
        return;
    relay->client[index] = (Client){ .role = CLIENT_NEW, .fd = fd_take(&fd) };
}

void listener_wake(Relay *relay) {
    relay->rested = 0;
    watch_change(relay, relay->listener, EPOLLIN, tag_make(RELAY_LISTEN, 0, 0));
}

void client_dispatch(Relay *relay, unsigned index, uint32_t events) {
    Client *client = &relay->client[index];
    if ((events & EPOLLOUT) && client->full) {
        client->full = false;
        client_watch(relay, index);
        for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
            if (relay->app[i].used)
                streams_resume(relay, &relay->app[i]);
    }
    /* An event of this round may have filled an input since. */
    if (client->role != CLIENT_FREE && (events & EPOLLIN) && !client_waits(relay, client))
        client_receive(relay, index);
    else if (client->role != CLIENT_FREE && (events & (EPOLLHUP | EPOLLERR)))
        client_close(relay, index);
}

/* Takes nothing with it: what waited for it goes on. */
void client_close(Relay *relay, unsigned index) {
    Client *client = &relay->client[index];
    if (client->role == CLIENT_FREE)
        return;
    bool full = client->full;
    if (client->role == CLIENT_NOTIFIER)
        notifier_start(relay, client->name);
    client->role = CLIENT_FREE;
    fd_close(&client->fd);
    if (relay->crowded)
        watch_change(relay, relay->listener, EPOLLIN, tag_make(RELAY_LISTEN, 0, 0));
    relay->crowded = false;
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++) {
        App *app = &relay->app[i];
        if (app->used && app->end == APP_DRAINS && app->drainer == (int)index)
            app_orphan(relay, app);
        else if (app->used && full)
            streams_resume(relay, app);
    }
}

/* The first client is there, or too late: let the registered apps go. */
void hold_release(Relay *relay) {
    relay->hold = false;
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++) {
        if (relay->client[i].role != CLIENT_REGISTER)
            continue;
        (void)packet_send(relay->client[i].fd, PACKET_OK, 0, 0, NULL, 0);
        client_close(relay, i);
    }
}

/* Who waits in the backlog stays an event, which would keep the relay from everything else. */
static void listener_rest(Relay *relay) {
    relay->rested = monotonic_now() + ACCEPT_PAUSE_USEC;
    watch_change(relay, relay->listener, 0, tag_make(RELAY_LISTEN, 0, 0));
}

static void client_receive(Relay *relay, unsigned index) {
    PacketFds fds;
    int r = packet_receive(relay->client[index].fd, &relay->packet, &fds);
    if (r == -EAGAIN)
        return;
    if (r <= 0) {
        client_close(relay, index);
        return;
    }
    r = request_handle(relay, index, &fds);
    packet_fds_close(&fds);
    if (r < 0)
        client_refuse(relay, index, r);
}

static int request_handle(Relay *relay, unsigned index, PacketFds *fds) {
    ClientRole role = relay->client[index].role;
    if (role == CLIENT_ATTACHED)
        return attached_handle(relay, index);
    if (role != CLIENT_NEW)
        return -EBADMSG;
    switch (relay->packet.head.type) {
    case PACKET_JOIN:
        if (relay->packet.head.length > 0)
            return -EBADMSG;
        return packet_send(relay->client[index].fd, PACKET_OK, 0, 0, NULL, 0);
    case PACKET_RESIZE: /* before an ATTACH, so that no app runs with another size */
        return client_resize(&relay->client[index], &relay->packet);
    case PACKET_REGISTER:
        return register_handle(relay, index, fds);
    case PACKET_NOTIFY:
        return notify_handle(relay, index, fds);
    case PACKET_ATTACH:
        return attach_handle(relay, index);
    case PACKET_DRAIN:
        return drain_handle(relay, index);
    case PACKET_END:
        return end_handle(relay, index);
    default:
        return -EBADMSG;
    }
}

/* Body: <app name> NUL <identifier> NUL <pid>. The identifier is already in the journal stream's own header. */
static int register_handle(Relay *relay, unsigned index, PacketFds *fds) {
    Client *client = &relay->client[index];
    const char *body = (const char *)relay->packet.body, *end = body + relay->packet.head.length;
    const char *identifier = memchr(body, '\0', (size_t)(end - body));
    const char *pid_text = identifier ? memchr(identifier + 1, '\0', (size_t)(end - identifier - 1)) : NULL;
    pid_t pid;
    if (!pid_text || pid_parse(pid_text + 1, (size_t)(end - pid_text - 1), &pid) < 0)
        return -EBADMSG;
    int r = name_copy(client->name, relay->packet.body, (size_t)(identifier - body));
    if (r < 0)
        return r;
    r = app_register(relay, client->name, pid, fds);
    if (r < 0)
        return r;
    client->role = CLIENT_REGISTER;
    if (!relay->hold)
        hold_release(relay);
    else if (relay->deadline == 0)
        relay->deadline = monotonic_now() + HOLD_WAIT_USEC;
    return 0;
}

/* Body: <app name> NUL <pid>. */
static int notify_handle(Relay *relay, unsigned index, PacketFds *fds) {
    Client *client = &relay->client[index];
    const char *body = (const char *)relay->packet.body, *end = body + relay->packet.head.length;
    const char *pid_text = memchr(body, '\0', (size_t)(end - body));
    pid_t pid;
    if (!pid_text || pid_parse(pid_text + 1, (size_t)(end - pid_text - 1), &pid) < 0)
        return -EBADMSG;
    int r = name_copy(client->name, relay->packet.body, (size_t)(pid_text - body));
    if (r >= 0)
        r = notifier_register(relay, client->name, pid, fds);
    if (r < 0)
        return r;
    client->role = CLIENT_NOTIFIER;
    (void)packet_send(client->fd, PACKET_OK, 0, 0, NULL, 0);
    return 0;
}

static int attach_handle(Relay *relay, unsigned index) {
    Client *client = &relay->client[index];
    client->every = relay->packet.head.length == 0;
    int r = client->every ? 0 : name_copy(client->name, relay->packet.body, relay->packet.head.length);
    if (r < 0)
        return r;
    client->role = CLIENT_ATTACHED;
    client_watch(relay, index);
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (relay->app[i].used && client_follows(relay, client, &relay->app[i]))
            app_announce(relay, &relay->app[i], client);
    hold_release(relay);
    return 0;
}

/* An app that never registered (its output does not pass here) has nothing left. */
static int drain_handle(Relay *relay, unsigned index) {
    Client *client = &relay->client[index];
    int r = name_copy(client->name, relay->packet.body, relay->packet.head.length);
    if (r < 0)
        return r;
    notifier_end(relay, client->name);
    App *app = app_find(relay, client->name);
    if (app && app->end == APP_DRAINS)
        return -EBUSY;
    client->role = CLIENT_DRAINER;
    if (app) {
        app_drain(relay, app, index);
        return 0;
    }
    (void)packet_send(client->fd, PACKET_OK, 0, 0, NULL, 0);
    client_close(relay, index);
    return 0;
}

static int end_handle(Relay *relay, unsigned index) {
    if (relay->packet.head.length != sizeof relay->status)
        return -EBADMSG;
    relay->ending = true;
    relay->status = relay->packet.body[0];
    client_close(relay, index);
    return 0;
}

static int name_copy(char name[static RELAY_NAME_MAX + 1], const uint8_t *bytes, size_t length) {
    if (length == 0 || length > RELAY_NAME_MAX || memchr(bytes, '\0', length))
        return -EBADMSG;
    memcpy(name, bytes, length);
    name[length] = '\0';
    return 0;
}

static int pid_parse(const char *text, size_t length, pid_t *ret) {
    pid_t pid = 0;
    if (length == 0 || length > 8)
        return -EBADMSG;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EBADMSG;
        pid = pid * 10 + (text[i] - '0');
    }
    *ret = pid;
    return pid > 0 ? 0 : -EBADMSG;
}

static void client_refuse(Relay *relay, unsigned index, int error) {
    const char *sentence = error == -EBUSY    ? "that app is being drained already"
                           : error == -EMFILE ? "this pod has too many apps for its sandbox"
                                              : "that is no request the sandbox knows";
    (void)packet_send(relay->client[index].fd, PACKET_ERROR, 0, 0, sentence, strlen(sentence));
    client_close(relay, index);
}

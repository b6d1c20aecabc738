/* Clients attached to apps: who gets an app's output, and whose input it takes. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "internal.h"

static void client_leave_behind(Relay *relay, const App *app, unsigned index);

/* What an attached client sends: input, its end, a terminal's size. */
int attached_handle(Relay *relay, unsigned index) {
    Client *client = &relay->client[index];
    const Packet *packet = &relay->packet;
    if (packet->head.app >= RELAY_APPS_MAX)
        return -EBADMSG;
    App *app = &relay->app[packet->head.app];
    bool input = packet->head.stream == STREAM_STDIN || packet->head.stream == STREAM_TERMINAL;
    if (!app->used || !client_follows(relay, client, app))
        return 0; /* it ended while the packet was on its way */
    if (packet->head.type == PACKET_RESIZE) {
        int r = client_resize(client, packet);
        if (r >= 0)
            terminal_resize(app, client);
        return r;
    }
    if (!input || (packet->head.type != PACKET_DATA && packet->head.type != PACKET_EOF))
        return -EBADMSG;
    if (packet->head.type == PACKET_EOF) {
        input_close(relay, app);
        return 0;
    }
    input_take(relay, app, packet->body, packet->head.length);
    return 0;
}

int client_resize(Client *client, const Packet *packet) {
    if (packet->head.length != sizeof client->size)
        return -EBADMSG;
    memcpy(client->size, packet->body, sizeof client->size);
    return 0;
}

void terminal_resize(const App *app, const Client *client) {
    const struct winsize size = { .ws_row = client->size[0], .ws_col = client->size[1] };
    if (app->stream[STREAM_TERMINAL].fd >= 0 && (size.ws_row > 0 || size.ws_col > 0))
        (void)ioctl(app->stream[STREAM_TERMINAL].fd, TIOCSWINSZ, &size);
}

bool client_follows(const Relay *relay, const Client *client, const App *app) {
    return client->role == CLIENT_ATTACHED && !(client->left >> app_index(relay, app) & 1) &&
           (client->every || strcmp(client->name, app->name) == 0);
}

/* While input of one client waits for its app, nothing is read from any of that app's: bytes of another would overtake it. */
bool client_waits(const Relay *relay, const Client *client) {
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++) {
        const App *app = &relay->app[i];
        const Stream *input = &app->stream[STREAM_STDIN];
        if (app->used && input->start < input->end && client_follows(relay, client, app))
            return true;
    }
    return false;
}

/* Asks for what the client may do next. */
void client_watch(Relay *relay, unsigned index) {
    const Client *client = &relay->client[index];
    uint32_t events = (client_waits(relay, client) ? 0U : EPOLLIN) | (client->full ? EPOLLOUT : 0U);
    watch_change(relay, client->fd, events, tag_make(RELAY_CLIENT, index, 0));
}

/* The input of `app` has become full, or takes more. */
void clients_watch(Relay *relay, const App *app) {
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (client_follows(relay, &relay->client[i], app))
            client_watch(relay, i);
}

/* Whoever takes nothing more gets nothing more of `app`: the journal shall have the rest. */
void clients_leave_behind(Relay *relay, const App *app) {
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++) {
        struct pollfd writable = { .fd = relay->client[i].fd, .events = POLLOUT };
        if (client_follows(relay, &relay->client[i], app) && poll(&writable, 1, 0) == 0)
            client_leave_behind(relay, app, i);
    }
}

/* Another app has taken the place of one that has ended. */
void clients_forget(Relay *relay, const App *app) {
    uint64_t bit = (uint64_t)1 << app_index(relay, app);
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (relay->client[i].left & bit) /* no page becomes dirty that is not used */
            relay->client[i].left &= ~bit;
}

/* It is closed in a turn of its own, since its end sets free what waited for it, in the middle of whatever is being done. */
void client_hang_up(const Client *client) {
    (void)shutdown(client->fd, SHUT_RDWR);
}

static void client_leave_behind(Relay *relay, const App *app, unsigned index) {
    relay->client[index].left |= (uint64_t)1 << app_index(relay, app);
    client_watch(relay, index);
}

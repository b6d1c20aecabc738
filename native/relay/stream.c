/* One chunk at a time from an app's pipe or terminal to the attached clients and the journal (or the drainer). */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "internal.h"

static uint64_t stream_tag(const Relay *relay, const App *app, unsigned number);
static void terminal_desert(Relay *relay, App *app, bool deserted);
static bool sinks_ready(Relay *relay, App *app, unsigned number);
static int sink_of(const Relay *relay, const App *app, unsigned number);
static void sink_await(Relay *relay, App *app, unsigned number, int client);
static void clients_copy(Relay *relay, App *app, unsigned number, const void *bytes, size_t length);
static bool held_deliver(Relay *relay, App *app, unsigned number);
static int sink_write(Relay *relay, App *app, unsigned number, const void *bytes, size_t length);

/* Moves at most one chunk. Never blocks: while a sink is full, the stream is out of the epoll set. */
Pump stream_pump(Relay *relay, App *app, unsigned number) {
    Stream *stream = &app->stream[number];
    if (stream->fd < 0 && stream->start == stream->end)
        return PUMP_ENDED;
    if (app->end == APP_GONE || !sinks_ready(relay, app, number) || !held_deliver(relay, app, number)) {
        stream_unwatch(relay, app, number);
        return PUMP_WAITS;
    }
    ssize_t got = stream->fd < 0 ? 0 : read(stream->fd, relay->chunk, sizeof relay->chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return PUMP_EMPTY;
    if (got < 0 && errno == EIO && app->end == APP_RUNS) {
        terminal_desert(relay, app, true);
        return PUMP_EMPTY;
    }
    if (got <= 0) {
        stream_end(relay, app, number);
        return PUMP_ENDED;
    }
    terminal_desert(relay, app, false);
    clients_copy(relay, app, number, relay->chunk, (size_t)got);
    int taken = sink_write(relay, app, number, relay->chunk, (size_t)got);
    if (taken == got)
        return PUMP_MORE;
    memcpy(app_held(relay, app, number), relay->chunk + taken, (size_t)(got - taken));
    stream->start = 0;
    stream->end = (uint32_t)(got - taken);
    stream_unwatch(relay, app, number);
    if (app->end != APP_GONE)
        sink_await(relay, app, number, -1);
    return PUMP_WAITS;
}

void stream_watch(Relay *relay, App *app, unsigned number) {
    Stream *stream = &app->stream[number];
    uint32_t events = number == STREAM_STDIN ? EPOLLOUT : EPOLLIN;
    if (stream->fd < 0 || stream->watched)
        return;
    stream->watched = watch_add(relay, stream->fd, events, stream_tag(relay, app, number)) == 0;
}

/* EPOLLHUP is reported even with an empty event mask, so a waiting stream leaves the set. */
void stream_unwatch(Relay *relay, App *app, unsigned number) {
    Stream *stream = &app->stream[number];
    if (stream->watched)
        watch_remove(relay, stream->fd);
    stream->watched = stream->deserted = false;
}

void stream_end(Relay *relay, App *app, unsigned number) {
    Stream *stream = &app->stream[number];
    if (stream->fd < 0)
        return;
    stream_unwatch(relay, app, number);
    fd_close(&stream->fd);
    for (unsigned i = 0; number != STREAM_STDIN && i < RELAY_CLIENTS_MAX; i++)
        if (client_follows(relay, &relay->client[i], app))
            (void)packet_send(relay->client[i].fd, PACKET_EOF, number, app_index(relay, app), NULL, 0);
}

/* Tries every output that waits: a sink has become free, or the app's end has become somebody else's. */
void streams_resume(Relay *relay, App *app) {
    for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++) {
        Stream *stream = &app->stream[number];
        if (stream->waiting)
            watch_remove(relay, stream->journal);
        stream->waiting = false;
        if (app->end != APP_GONE && stream->start < stream->end)
            (void)stream_pump(relay, app, number);
        if (app->end != APP_GONE && stream->start == stream->end)
            stream_watch(relay, app, number);
    }
    app_settle(relay, app);
}

void streams_pause(Relay *relay, App *app) {
    for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++)
        stream_unwatch(relay, app, number);
}

/* A terminal's master says EIO while no process has the slave open. A login or a getty opens its terminal again, so only the app's
 * own end is the terminal's; until then the hang-up, which does not pass, is told once. */
static void terminal_desert(Relay *relay, App *app, bool deserted) {
    Stream *stream = &app->stream[STREAM_TERMINAL];
    if (!stream->watched || stream->deserted == deserted)
        return;
    stream->deserted = deserted;
    watch_change(relay, stream->fd, EPOLLIN | (deserted ? EPOLLET : 0U), stream_tag(relay, app, STREAM_TERMINAL));
}

/*
 * May a whole chunk be written to everybody? A Unix socket that polls writable has three quarters of its buffer free,
 * more than a chunk, so a stream is read only when nobody can answer EAGAIN to what was read.
 */
static bool sinks_ready(Relay *relay, App *app, unsigned number) {
    struct pollfd sinks[RELAY_CLIENTS_MAX + 1];
    int client[RELAY_CLIENTS_MAX + 1];
    nfds_t count = 0;
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (client_follows(relay, &relay->client[i], app)) {
            client[count] = (int)i;
            sinks[count++] = (struct pollfd){ .fd = relay->client[i].fd, .events = POLLOUT };
        }
    int last = sink_of(relay, app, number);
    if (last >= 0) {
        client[count] = app->end == APP_DRAINS ? app->drainer : -1;
        sinks[count++] = (struct pollfd){ .fd = last, .events = POLLOUT };
    }
    if (count == 0 || poll(sinks, count, 0) == (int)count)
        return true;
    for (nfds_t i = 0; i < count; i++)
        if (!sinks[i].revents)
            sink_await(relay, app, number, client[i]);
    return false;
}

/* Who keeps the bytes: the drainer, else the journal; -1 for nobody. */
static int sink_of(const Relay *relay, const App *app, unsigned number) {
    return app->end == APP_DRAINS ? relay->client[app->drainer].fd : app->stream[number].journal;
}

/* Asks to be woken when `client` (-1: the sink that keeps the bytes) takes more. */
static void sink_await(Relay *relay, App *app, unsigned number, int client) {
    if (client < 0 && app->end == APP_DRAINS)
        client = app->drainer;
    if (client >= 0) {
        relay->client[client].full = true;
        client_watch(relay, (unsigned)client);
        return;
    }
    Stream *stream = &app->stream[number];
    uint64_t tag = tag_make(RELAY_JOURNAL, app_index(relay, app), number);
    if (!stream->waiting)
        stream->waiting = watch_add(relay, stream->journal, EPOLLOUT, tag) == 0;
}

static void clients_copy(Relay *relay, App *app, unsigned number, const void *bytes, size_t length) {
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++) {
        Client *client = &relay->client[i];
        if (!client_follows(relay, client, app))
            continue;
        if (packet_send(client->fd, PACKET_DATA, number, app_index(relay, app), bytes, length) < 0)
            client_hang_up(client);
    }
}

/* Delivers what an earlier round left; true when nothing is left any more. */
static bool held_deliver(Relay *relay, App *app, unsigned number) {
    Stream *stream = &app->stream[number];
    if (stream->start == stream->end)
        return true;
    const uint8_t *held = app_held(relay, app, number);
    stream->start += (uint32_t)sink_write(relay, app, number, held + stream->start, stream->end - stream->start);
    if (stream->start == stream->end)
        return true;
    if (app->end != APP_GONE)
        sink_await(relay, app, number, -1);
    return false;
}

/* Returns how many bytes need no more care: delivered, or without anybody left to want them. */
static int sink_write(Relay *relay, App *app, unsigned number, const void *bytes, size_t length) {
    Stream *stream = &app->stream[number];
    if (app->end == APP_DRAINS) {
        int sent = packet_send(relay->client[app->drainer].fd, PACKET_DATA, number, app_index(relay, app), bytes, length);
        if (sent < 0)
            return 0; /* a drainer that went away is noticed by its hang-up */
        app_progress(app);
        return (int)length;
    }
    if (stream->journal < 0)
        return (int)length;
    int taken = journal_write(stream->journal, app->end == APP_ORPHANS ? 0 : app->pid, bytes, length);
    if (taken == -EPERM) /* the pid namespace belongs to the host's user namespace: no right to another's name */
        taken = journal_write(stream->journal, 0, bytes, length);
    if (taken == -ESRCH) {
        app_gone(relay, app);
        return 0;
    }
    if (taken == -EAGAIN)
        return 0;
    if (taken < 0) {
        fd_close(&stream->journal); /* journald was replaced without its streams; clients still get their copies */
        return (int)length;
    }
    return taken;
}

static uint64_t stream_tag(const Relay *relay, const App *app, unsigned number) {
    return tag_make(RELAY_STREAM, app_index(relay, app), number);
}

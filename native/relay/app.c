/* The apps a relay knows: registered by stage1, ended by gantry-record's DRAIN. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "internal.h"

#define GONE_WAIT_USEC 5000000U  /* ExecStopPost= comes within milliseconds; this is for when it can't */
#define DRAIN_WAIT_USEC 3000000U /* gantry-record gives up after 5 s of silence */
#define DRAIN_CHUNKS_MAX 64U     /* 1 MiB, the largest pipe an app may set; a foreign writer can't keep a drain alive */

static int descriptors_assign(App *app, PacketFds *fds);
static bool descriptors_valid(const App *app);
static void descriptors_close(App *app);
static bool outputs_ended(const App *app);
static bool outputs_drained(Relay *relay, App *app);
static void app_release(Relay *relay, App *app);

App *app_find(Relay *relay, const char *name) {
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (relay->app[i].used && strcmp(relay->app[i].name, name) == 0)
            return &relay->app[i];
    return NULL;
}

/* Takes the descriptors. An app that is registered again has been restarted: what was left of it is done. */
int app_register(Relay *relay, const char *name, pid_t pid, PacketFds *fds) {
    App *app = app_find(relay, name);
    if (app)
        app_finish(relay, app);
    for (app = relay->app; app < relay->app + RELAY_APPS_MAX && app->used; app++)
        ;
    if (app == relay->app + RELAY_APPS_MAX)
        return -EMFILE;
    strncpy(app->name, name, RELAY_NAME_MAX);
    app->pid = pid;
    app->end = APP_RUNS;
    app->drainer = -1;
    int r = descriptors_assign(app, fds);
    if (r < 0)
        return r;
    app->used = true;
    clients_forget(relay, app);
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (client_follows(relay, &relay->client[i], app))
            app_announce(relay, app, &relay->client[i]);
    streams_resume(relay, app);
    return 0;
}

/* Tells a client which index an app has, where it takes input, and which of its streams have ended already; and the app what size
 * the client has. */
void app_announce(Relay *relay, const App *app, Client *client) {
    unsigned index = app_index(relay, app);
    (void)packet_send(client->fd, PACKET_APP, input_stream(app), index, app->name, strlen(app->name));
    terminal_resize(app, client);
    for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++) {
        bool terminal = app->stream[STREAM_TERMINAL].fd >= 0;
        if (app->stream[number].fd < 0 && terminal == (number == STREAM_TERMINAL))
            (void)packet_send(client->fd, PACKET_EOF, number, index, NULL, 0);
    }
}

/* gantry-record takes what the pipes still hold, then the app is over. */
void app_drain(Relay *relay, App *app, unsigned client) {
    app->end = APP_DRAINS;
    app->drainer = (int)client;
    app_progress(app);
    streams_resume(relay, app);
}

/* The main process has been reaped: nobody may write in its name any more, and gantry-record is on its way. */
void app_gone(Relay *relay, App *app) {
    app->end = APP_GONE;
    app->deadline = monotonic_now() + GONE_WAIT_USEC;
    streams_pause(relay, app);
}

/* Nobody came or stayed to take the rest. */
void app_orphan(Relay *relay, App *app) {
    app->end = APP_ORPHANS;
    app->drainer = -1;
    streams_resume(relay, app);
}

/* Its deadline has passed: nobody drains it, or a client that takes nothing keeps the drainer waiting. */
void app_expire(Relay *relay, App *app) {
    if (app->end == APP_GONE) {
        app_orphan(relay, app);
        return;
    }
    clients_leave_behind(relay, app);
    app_progress(app);
    streams_resume(relay, app);
}

/* The drainer has got something. */
void app_progress(App *app) {
    app->deadline = monotonic_now() + DRAIN_WAIT_USEC;
}

/* Ends an app whose end has come: a drain that is complete, orphaned output that has ended. */
void app_settle(Relay *relay, App *app) {
    if (app->end == APP_DRAINS && outputs_drained(relay, app)) {
        unsigned drainer = (unsigned)app->drainer;
        int fd = relay->client[drainer].fd;
        for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++)
            stream_end(relay, app, number);
        app_release(relay, app);
        (void)packet_send(fd, PACKET_OK, 0, 0, NULL, 0);
        client_close(relay, drainer);
    } else if (app->end == APP_ORPHANS && outputs_ended(app)) {
        app_release(relay, app);
    }
}

/* Journals what is there in the sandbox's own name, without waiting for anybody, and ends the app. */
void app_finish(Relay *relay, App *app) {
    int drainer = app->drainer;
    app->end = APP_ORPHANS;
    app->drainer = -1;
    if (drainer >= 0)
        client_close(relay, (unsigned)drainer);
    clients_leave_behind(relay, app);
    for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++) {
        for (unsigned i = 0; i < DRAIN_CHUNKS_MAX && stream_pump(relay, app, number) == PUMP_MORE; i++)
            ;
        stream_end(relay, app, number);
    }
    app_release(relay, app);
}

unsigned app_index(const Relay *relay, const App *app) {
    return (unsigned)(app - relay->app);
}

/* Where a stream keeps the bytes it could not deliver. */
uint8_t *app_held(Relay *relay, const App *app, unsigned number) {
    return relay->held[app_index(relay, app)][number];
}

/* Two descriptors are a terminal and its journal stream, four or five are pipes (docs/launch-plan.md). */
static int descriptors_assign(App *app, PacketFds *fds) {
    bool terminal = fds->count == 2;
    if (!terminal && fds->count != 4 && fds->count != 5)
        return -EBADMSG;
    for (unsigned number = 0; number < STREAM_COUNT; number++)
        app->stream[number] = (Stream){ .fd = -1, .journal = -1 };
    if (terminal) {
        app->stream[STREAM_TERMINAL].fd = fd_take(&fds->fd[0]);
        app->stream[STREAM_TERMINAL].journal = fd_take(&fds->fd[1]);
        app->stream[STREAM_STDIN].fd = fcntl(app->stream[STREAM_TERMINAL].fd, F_DUPFD_CLOEXEC, 3);
    } else {
        app->stream[STREAM_STDOUT].fd = fd_take(&fds->fd[0]);
        app->stream[STREAM_STDERR].fd = fd_take(&fds->fd[1]);
        app->stream[STREAM_STDOUT].journal = fd_take(&fds->fd[2]);
        app->stream[STREAM_STDERR].journal = fd_take(&fds->fd[3]);
        if (fds->count == 5)
            app->stream[STREAM_STDIN].fd = fd_take(&fds->fd[4]);
    }
    fds->count = 0;
    if (descriptors_valid(app))
        return 0;
    descriptors_close(app);
    return -EBADMSG;
}

static bool descriptors_valid(const App *app) {
    for (unsigned number = 0; number < STREAM_COUNT; number++) {
        int fd = app->stream[number].fd;
        int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
        if (flags < 0 || (fd >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
            return false;
    }
    return true;
}

static void descriptors_close(App *app) {
    for (unsigned number = 0; number < STREAM_COUNT; number++) {
        fd_close(&app->stream[number].fd);
        fd_close(&app->stream[number].journal);
    }
}

static bool outputs_ended(const App *app) {
    for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++)
        if (app->stream[number].fd >= 0 || app->stream[number].start < app->stream[number].end)
            return false;
    return true;
}

/* Moves everything that can be moved; true when nothing is left or only foreign writers hold the pipes open. */
static bool outputs_drained(Relay *relay, App *app) {
    for (unsigned number = STREAM_STDOUT; number < STREAM_COUNT; number++) {
        Pump pump = PUMP_MORE;
        for (unsigned i = 0; i < DRAIN_CHUNKS_MAX && pump == PUMP_MORE; i++)
            pump = stream_pump(relay, app, number);
        if (pump == PUMP_WAITS || app->end != APP_DRAINS)
            return false;
    }
    return true;
}

static void app_release(Relay *relay, App *app) {
    unsigned index = app_index(relay, app);
    for (unsigned number = 0; number < STREAM_COUNT; number++) {
        Stream *stream = &app->stream[number];
        if (stream->waiting)
            watch_remove(relay, stream->journal);
        stream_unwatch(relay, app, number);
    }
    descriptors_close(app);
    app->used = false;
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++)
        if (client_follows(relay, &relay->client[i], app))
            (void)packet_send(relay->client[i].fd, PACKET_ENDED, 0, index, NULL, 0);
    clients_watch(relay, app);
}

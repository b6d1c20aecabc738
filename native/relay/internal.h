/* What the files of the relay share. */
#pragma once

#include "relay.h"

static inline uint64_t tag_make(RelayTag kind, unsigned index, unsigned stream) {
    return (uint64_t)kind << 32 | (uint64_t)stream << 16 | index;
}

static inline unsigned tag_kind(uint64_t tag) {
    return (unsigned)(tag >> 32);
}

static inline unsigned tag_stream(uint64_t tag) {
    return (unsigned)(tag >> 16) & 0xffff;
}

static inline unsigned tag_index(uint64_t tag) {
    return (unsigned)tag & 0xffff;
}

/* relay.c */
int watch_add(Relay *relay, int fd, uint32_t events, uint64_t tag);
void watch_change(Relay *relay, int fd, uint32_t events, uint64_t tag);
void watch_remove(Relay *relay, int fd);

/* client.c */
void client_accept(Relay *relay);
void listener_wake(Relay *relay);
void client_dispatch(Relay *relay, unsigned index, uint32_t events);
void client_close(Relay *relay, unsigned index);
void hold_release(Relay *relay);

/* attached.c */
int attached_handle(Relay *relay, unsigned index);
bool client_follows(const Relay *relay, const Client *client, const App *app);
int client_resize(Client *client, const Packet *packet);
void terminal_resize(const App *app, const Client *client);
bool client_waits(const Relay *relay, const Client *client);
void client_watch(Relay *relay, unsigned index);
void client_hang_up(const Client *client);
void clients_watch(Relay *relay, const App *app);
void clients_leave_behind(Relay *relay, const App *app);
void clients_forget(Relay *relay, const App *app);

/* app.c */
App *app_find(Relay *relay, const char *name);
int app_register(Relay *relay, const char *name, pid_t pid, PacketFds *fds);
void app_announce(Relay *relay, const App *app, Client *client);
void app_drain(Relay *relay, App *app, unsigned client);
void app_gone(Relay *relay, App *app);
void app_orphan(Relay *relay, App *app);
void app_expire(Relay *relay, App *app);
void app_progress(App *app);
void app_settle(Relay *relay, App *app);
void app_finish(Relay *relay, App *app);
unsigned app_index(const Relay *relay, const App *app);
uint8_t *app_held(Relay *relay, const App *app, unsigned number);

/* stream.c */
typedef enum Pump { PUMP_MORE, PUMP_EMPTY, PUMP_WAITS, PUMP_ENDED } Pump;
Pump stream_pump(Relay *relay, App *app, unsigned number);
void stream_watch(Relay *relay, App *app, unsigned number);
void stream_unwatch(Relay *relay, App *app, unsigned number);
void stream_end(Relay *relay, App *app, unsigned number);
void streams_resume(Relay *relay, App *app);
void streams_pause(Relay *relay, App *app);

/* input.c */
void input_take(Relay *relay, App *app, const void *bytes, size_t length);
void input_flush(Relay *relay, App *app);
void input_close(Relay *relay, App *app);
PacketStream input_stream(const App *app);

/* notifier.c */
int notifier_register(Relay *relay, const char *name, pid_t pid, PacketFds *fds);
void notifier_start(Relay *relay, const char *name);
void notifier_relay(Relay *relay, Notifier *notifier);
void notifier_end(Relay *relay, const char *name);

/* journal.c */
int journal_write(int fd, pid_t pid, const void *bytes, size_t length);

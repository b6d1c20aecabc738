#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "internal.h"

#define USEC_PER_MSEC 1000U

static uint64_t deadline_next(const Relay *relay);
static uint64_t earlier(uint64_t one, uint64_t other);
static bool deadline_has(const App *app);

int relay_start(Relay *relay, int epoll, int listener, uid_t owner, bool hold) {
    relay->epoll = epoll;
    relay->listener = listener;
    relay->owner = owner;
    relay->hold = hold;
    return watch_add(relay, listener, EPOLLIN, tag_make(RELAY_LISTEN, 0, 0));
}

void relay_dispatch(Relay *relay, uint64_t tag, uint32_t events) {
    unsigned index = tag_index(tag), number = tag_stream(tag);
    App *app = &relay->app[index % RELAY_APPS_MAX];
    switch (tag_kind(tag)) {
    case RELAY_LISTEN:
        client_accept(relay);
        return;
    case RELAY_CLIENT:
        if (relay->client[index].role != CLIENT_FREE)
            client_dispatch(relay, index, events);
        return;
    case RELAY_JOURNAL:
        /* The journal takes bytes again: its stream goes on, whatever it had held first. */
        if (app->used)
            streams_resume(relay, app);
        return;
    case RELAY_STREAM:
        /* An event of this round may have ended the stream before its own turn came. */
        if (!app->used || app->stream[number].fd < 0)
            return;
        if (number == STREAM_STDIN)
            input_flush(relay, app);
        else
            (void)stream_pump(relay, app, number);
        if (app->used)
            app_settle(relay, app);
        return;
    case RELAY_NOTIFY:
        notifier_relay(relay, &relay->notifier[index % RELAY_APPS_MAX]);
        return;
    default:
        return;
    }
}

int relay_timeout(const Relay *relay) {
    uint64_t deadline = deadline_next(relay), now = monotonic_now();
    if (deadline == 0)
        return -1;
    return deadline <= now ? 0 : (int)((deadline - now) / USEC_PER_MSEC + 1);
}

void relay_expire(Relay *relay) {
    uint64_t now = monotonic_now();
    if (relay->hold && relay->deadline > 0 && relay->deadline <= now)
        hold_release(relay);
    if (relay->rested > 0 && relay->rested <= now)
        listener_wake(relay);
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (deadline_has(&relay->app[i]) && relay->app[i].deadline <= now)
            app_expire(relay, &relay->app[i]);
}

void relay_finish(Relay *relay) {
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (relay->app[i].used)
            app_finish(relay, &relay->app[i]);
}

uint64_t monotonic_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

int watch_add(Relay *relay, int fd, uint32_t events, uint64_t tag) {
    struct epoll_event event = { .events = events, .data.u64 = tag };
    return epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void watch_change(Relay *relay, int fd, uint32_t events, uint64_t tag) {
    struct epoll_event event = { .events = events, .data.u64 = tag };
    (void)epoll_ctl(relay->epoll, EPOLL_CTL_MOD, fd, &event);
}

void watch_remove(Relay *relay, int fd) {
    (void)epoll_ctl(relay->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* The earliest moment something is due, 0 for never. */
static uint64_t deadline_next(const Relay *relay) {
    uint64_t next = earlier(relay->hold ? relay->deadline : 0, relay->rested);
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (deadline_has(&relay->app[i]))
            next = earlier(next, relay->app[i].deadline);
    return next;
}

/* 0 is never. */
static uint64_t earlier(uint64_t one, uint64_t other) {
    return one == 0 || (other > 0 && other < one) ? other : one;
}

static bool deadline_has(const App *app) {
    return app->used && (app->end == APP_GONE || app->end == APP_DRAINS);
}

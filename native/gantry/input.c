#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "basic/cleanup.h"

static int source_open(Input *input);
static int input_ready(sd_event_source *source, int fd, uint32_t events, void *userdata);
static int input_turn(sd_event_source *source, void *userdata);
static int room_made(sd_event_source *source, int fd, uint32_t events, void *userdata);
static void input_read(Input *input);
static void input_end(Input *input);
static void input_send(Input *input);
static int input_deliver(Input *input);

int input_open(Input *input, sd_event *event, int client, PacketStream stream) {
    *input = (Input){ .event = event, .stream = stream, .socket = fcntl(client, F_DUPFD_CLOEXEC, 3) };
    return input->socket < 0 ? -errno : 0;
}

void input_give(Input *input, unsigned app) {
    input->app = app;
    if (input->socket >= 0 && !input->source && source_open(input) < 0)
        input_end(input);
}

void input_close(Input *input) {
    input->source = sd_event_source_unref(input->source);
    input->room = sd_event_source_unref(input->room);
    fd_close(&input->socket);
}

/* epoll refuses regular files and /dev/null, which are always readable: those are read in turns of the loop. */
static int source_open(Input *input) {
    int r = sd_event_add_io(input->event, &input->source, STDIN_FILENO, EPOLLIN, input_ready, input);
    if (r != -EPERM)
        return r;
    r = sd_event_add_defer(input->event, &input->source, input_turn, input);
    return r < 0 ? r : sd_event_source_set_enabled(input->source, SD_EVENT_ON);
}

static int input_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    (void)fd;
    (void)events;
    input_read(userdata);
    return 0;
}

static int input_turn(sd_event_source *source, void *userdata) {
    (void)source;
    input_read(userdata);
    return 0;
}

static int room_made(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    (void)fd;
    (void)events;
    input_send(userdata);
    return 0;
}

static void input_read(Input *input) {
    ssize_t got = read(STDIN_FILENO, input->bytes, sizeof input->bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        input_end(input);
        return;
    }
    input->pending = (size_t)got;
    input_send(input);
}

static void input_end(Input *input) {
    input->source = sd_event_source_unref(input->source);
    input->ending = true;
    input_send(input);
}

/* While the app does not take its input, none is read here. */
static void input_send(Input *input) {
    bool full = input_deliver(input) == -EAGAIN;
    if (full && !input->room)
        (void)sd_event_add_io(input->event, &input->room, input->socket, EPOLLOUT, room_made, input);
    if (!full)
        input->room = sd_event_source_unref(input->room);
    if (input->source)
        (void)sd_event_source_set_enabled(input->source, full ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int input_deliver(Input *input) {
    int r = 0;
    if (input->pending > 0)
        r = packet_send(input->socket, PACKET_DATA, input->stream, input->app, input->bytes, input->pending);
    if (r == -EAGAIN)
        return r;
    input->pending = 0;
    if (input->ending)
        r = packet_send(input->socket, PACKET_EOF, input->stream, input->app, NULL, 0);
    input->ending = input->ending && r == -EAGAIN;
    return r;
}

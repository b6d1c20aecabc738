/* What clients send to an app's stdin or terminal. The bytes the app has not taken yet are held, one packet at most. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "internal.h"

static size_t input_write(Stream *input, const uint8_t *bytes, size_t length);

/* What comes after the input's end is dropped. */
void input_take(Relay *relay, App *app, const void *bytes, size_t length) {
    Stream *input = &app->stream[STREAM_STDIN];
    size_t taken = input->fd < 0 ? length : input_write(input, bytes, length);
    if (taken == length)
        return;
    input->start = 0;
    input->end = (uint32_t)(length - taken);
    memcpy(app_held(relay, app, STREAM_STDIN), (const uint8_t *)bytes + taken, length - taken);
    stream_watch(relay, app, STREAM_STDIN);
    clients_watch(relay, app);
}

/* The app took some: go on, and let the senders go on when nothing is held any more. */
void input_flush(Relay *relay, App *app) {
    Stream *input = &app->stream[STREAM_STDIN];
    input->start += (uint32_t)input_write(input, app_held(relay, app, STREAM_STDIN) + input->start, input->end - input->start);
    if (input->start < input->end)
        return;
    stream_unwatch(relay, app, STREAM_STDIN);
    clients_watch(relay, app);
}

/* A pipe's end is its close; a terminal has none but its end-of-file character, which clients send themselves. */
void input_close(Relay *relay, App *app) {
    if (app->stream[STREAM_TERMINAL].fd < 0)
        stream_end(relay, app, STREAM_STDIN);
}

/* Where clients send what the app shall read; an output's number when it reads nothing. */
PacketStream input_stream(const App *app) {
    if (app->stream[STREAM_STDIN].fd < 0)
        return STREAM_STDOUT;
    return app->stream[STREAM_TERMINAL].fd >= 0 ? STREAM_TERMINAL : STREAM_STDIN;
}

/* Bytes the app took or will never take, because nobody reads any more. */
static size_t input_write(Stream *input, const uint8_t *bytes, size_t length) {
    if (length == 0)
        return 0;
    ssize_t written;
    do
        written = write(input->fd, bytes, length);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        return (size_t)written;
    return errno == EAGAIN ? 0 : length;
}

#include "output.h"

#include <errno.h>
#include <linux/limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int line_take(Output *output, unsigned app, unsigned stream, const char *text, size_t length);
static OutputQueue *queue_of(Output *output, unsigned stream);
static int queue_add(OutputQueue *queue, const char *bytes, size_t length);
static int queue_reserve(OutputQueue *queue, size_t length);
static void queue_clear(OutputQueue *queue);

void output_init(Output *output, bool several) {
    *output = (Output){ .prefixed = several && isatty(STDOUT_FILENO) };
}

void output_done(Output *output) {
    queue_clear(&output->queue[0]);
    queue_clear(&output->queue[1]);
}

void output_name(Output *output, unsigned app, const char *name, size_t length) {
    if (app >= OUTPUT_APPS_MAX || length >= sizeof output->app[app].name)
        return;
    memset(&output->app[app], 0, sizeof output->app[app]);
    memcpy(output->app[app].name, name, length);
}

int output_take(Output *output, const Packet *packet) {
    const char *text = (const char *)packet->body;
    size_t left = packet->head.length;
    unsigned stream = packet->head.stream, app = packet->head.app;
    if (!output->prefixed || app >= OUTPUT_APPS_MAX)
        return queue_add(queue_of(output, stream), text, left);
    while (left > 0) {
        const char *newline = memchr(text, '\n', left);
        size_t length = newline ? (size_t)(newline - text) + 1 : left;
        int r = line_take(output, app, stream, text, length);
        if (r < 0)
            return r;
        text += length;
        left -= length;
    }
    return 0;
}

int output_flush(Output *output, int fd) {
    OutputQueue *queue = &output->queue[fd == STDERR_FILENO];
    while (queue->start < queue->end) {
        ssize_t written = output_write_some(fd, queue->bytes + queue->start, queue->end - queue->start);
        if (written == -EAGAIN)
            return -EAGAIN;
        if (written < 0) {
            queue_clear(queue);
            queue->closed = true;
            return (int)written;
        }
        queue->start += (size_t)written;
    }
    queue->start = queue->end = 0;
    return 0;
}

bool output_waits(const Output *output) {
    return output->queue[0].start < output->queue[0].end || output->queue[1].start < output->queue[1].end;
}

ssize_t output_write_some(int fd, const char *bytes, size_t length) {
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    if (poll(&writable, 1, 0) <= 0)
        return -EAGAIN;
    ssize_t written = write(fd, bytes, length < PIPE_BUF ? length : PIPE_BUF);
    if (written < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    return written;
}

static int line_take(Output *output, unsigned app, unsigned stream, const char *text, size_t length) {
    OutputQueue *queue = queue_of(output, stream);
    int r = 0;
    if (!output->app[app].inside[stream]) {
        r = queue_add(queue, output->app[app].name, strlen(output->app[app].name));
        if (r >= 0)
            r = queue_add(queue, " | ", 3);
    }
    output->app[app].inside[stream] = text[length - 1] != '\n';
    return r < 0 ? r : queue_add(queue, text, length);
}

static OutputQueue *queue_of(Output *output, unsigned stream) {
    return &output->queue[stream == STREAM_STDERR];
}

static int queue_add(OutputQueue *queue, const char *bytes, size_t length) {
    if (queue->closed || length == 0)
        return 0;
    int r = queue_reserve(queue, length);
    if (r < 0)
        return r;
    memcpy(queue->bytes + queue->end, bytes, length);
    queue->end += length;
    return 0;
}

/* What has been written makes room first. */
static int queue_reserve(OutputQueue *queue, size_t length) {
    if (queue->allocated - queue->end >= length)
        return 0;
    if (queue->start > 0)
        memmove(queue->bytes, queue->bytes + queue->start, queue->end - queue->start);
    queue->end -= queue->start;
    queue->start = 0;
    if (queue->allocated - queue->end >= length)
        return 0;
    size_t wanted = 2 * (queue->end + length);
    char *grown = realloc(queue->bytes, wanted);
    if (!grown)
        return -ENOMEM;
    queue->bytes = grown;
    queue->allocated = wanted;
    return 0;
}

static void queue_clear(OutputQueue *queue) {
    free(queue->bytes);
    *queue = (OutputQueue){ .closed = queue->closed };
}

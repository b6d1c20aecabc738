#include "output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int line_write(Output *output, unsigned app, unsigned stream, const char *text, size_t length);

void output_init(Output *output, bool several) {
    *output = (Output){ .prefixed = several && isatty(STDOUT_FILENO) };
}

void output_name(Output *output, unsigned app, const char *name, size_t length) {
    if (app >= OUTPUT_APPS_MAX || length >= sizeof output->app[app].name)
        return;
    memset(&output->app[app], 0, sizeof output->app[app]);
    memcpy(output->app[app].name, name, length);
}

int output_write(Output *output, const Packet *packet) {
    const char *text = (const char *)packet->body;
    size_t left = packet->head.length;
    unsigned stream = packet->head.stream, app = packet->head.app;
    if (!output->prefixed || app >= OUTPUT_APPS_MAX)
        return output_copy_whole(stream == STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO, text, left);
    while (left > 0) {
        const char *newline = memchr(text, '\n', left);
        size_t length = newline ? (size_t)(newline - text) + 1 : left;
        int r = line_write(output, app, stream, text, length);
        if (r < 0)
            return r;
        text += length;
        left -= length;
    }
    return 0;
}

static int line_write(Output *output, unsigned app, unsigned stream, const char *text, size_t length) {
    int fd = stream == STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO, r = 0;
    if (!output->app[app].inside[stream]) {
        r = output_copy_whole(fd, output->app[app].name, strlen(output->app[app].name));
        if (r >= 0)
            r = output_copy_whole(fd, " | ", 3);
    }
    output->app[app].inside[stream] = text[length - 1] != '\n';
    return r < 0 ? r : output_copy_whole(fd, text, length);
}

/* A terminal that another program left non-blocking answers EAGAIN, which is no end of the output. */
int output_copy_whole(int fd, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written >= 0) {
            at += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd writable = { .fd = fd, .events = POLLOUT };
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

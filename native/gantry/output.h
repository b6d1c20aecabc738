/* What the apps say, on the front's own stdout and stderr. It waits in memory while these take no more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "relay/packet.h"

#define OUTPUT_APPS_MAX 64U

typedef struct OutputQueue {
    char *bytes;
    size_t start, end; /* what has not been written yet */
    size_t allocated;
    bool closed;       /* nobody takes it any more: what comes is dropped */
} OutputQueue;

typedef struct Output {
    bool prefixed; /* several apps share one terminal: each line says whose it is */
    OutputQueue queue[2]; /* of stdout and stderr */
    struct {
        char name[256];
        bool inside[STREAM_COUNT]; /* the stream's last byte here was no newline */
    } app[OUTPUT_APPS_MAX];
} Output;

void output_init(Output *output, bool several);
void output_done(Output *output);

/* Learns an app's name. */
void output_name(Output *output, unsigned app, const char *name, size_t length);

/* Takes one DATA packet. Returns 0 or -ENOMEM. */
int output_take(Output *output, const Packet *packet);

/*
 * Writes what `fd`, stdout or stderr, takes without waiting. 0 when nothing is left, -EAGAIN when it takes no more now,
 * otherwise -errno, once: the rest is dropped, and so is what follows.
 */
int output_flush(Output *output, int fd);

/* Is anything left? */
bool output_waits(const Output *output);

/*
 * Writes some of `length` bytes to a descriptor of the caller's, which may be one that others share, so that it stays as it
 * is: no more than what a pipe takes at once, and only when there is room. Returns the count, -EAGAIN or -errno.
 */
ssize_t output_write_some(int fd, const char *bytes, size_t length);

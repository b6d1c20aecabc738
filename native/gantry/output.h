/* What the apps say, on the front's own stdout and stderr. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "relay/packet.h"

#define OUTPUT_APPS_MAX 64U

typedef struct Output {
    bool prefixed; /* several apps share one terminal: each line says whose it is */
    struct {
        char name[256];
        bool inside[STREAM_COUNT]; /* the stream's last byte here was no newline */
    } app[OUTPUT_APPS_MAX];
} Output;

void output_init(Output *output, bool several);

/* Learns an app's name. */
void output_name(Output *output, unsigned app, const char *name, size_t length);

/* Writes one DATA packet. -EPIPE when nobody reads that stream any more. */
int output_write(Output *output, const Packet *packet);

/* Writes all of it, also to a descriptor that is non-blocking. Returns 0 or -errno. */
int output_copy_whole(int fd, const void *bytes, size_t length);

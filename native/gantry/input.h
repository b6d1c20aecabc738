/* The front's standard input on its way to the app that takes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "relay/packet.h"

typedef struct Input {
    sd_event *event;         /* borrowed */
    int socket;              /* the sandbox's, a descriptor of its own; -1: there is none */
    sd_event_source *room;   /* of the socket, while it takes nothing */
    sd_event_source *source; /* of standard input; NULL: not read yet, or at its end */
    PacketStream stream;
    unsigned app;
    size_t pending; /* bytes the socket has not taken */
    bool ending;    /* nor the end of standard input after them */
    uint8_t bytes[PACKET_BODY_MAX];
} Input;

/* `input` stays where it is until input_close(). */
int input_open(Input *input, sd_event *event, int client, PacketStream stream);

/* From now on what comes goes to `app`: another one, or one that has been started again. */
void input_give(Input *input, unsigned app);
void input_close(Input *input);

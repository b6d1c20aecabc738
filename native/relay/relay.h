/*
 * The sandbox's side of its socket: the streams of a pod's apps on their way to the journal and to attached clients.
 * No allocation: everything lives in one zero-initialised struct whose untouched pages cost nothing, so that pid 1
 * of an idle pod stays at a few dirty pages.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "packet.h"

#define RELAY_APPS_MAX 64U
/* At the start of a pod each app's stage1 may have two connections at once, at its end gantry-record one; the rest is for fronts. */
#define RELAY_CLIENTS_MAX (2U * RELAY_APPS_MAX + 8U)
#define RELAY_NAME_MAX 255U
#define RELAY_MESSAGE_MAX 4096U /* what systemd takes */

/* The epoll tags of a relay have a value of this range in their upper half; the loop's owner uses others. */
typedef enum RelayTag {
    RELAY_LISTEN = 1,
    RELAY_CLIENT = 2,
    RELAY_STREAM = 3,
    RELAY_JOURNAL = 4,
    RELAY_NOTIFY = 5,
} RelayTag;

/*
 * One stream of an app and the bytes of it that could not be delivered yet. An output's `fd` is the pipe's read end or
 * the terminal's master; the input's (STREAM_STDIN, also of a terminal) is where clients' bytes go.
 */
typedef struct Stream {
    int fd;         /* -1: ended or never there */
    int journal;    /* the app unit's journal stream, -1: none */
    bool watched;   /* fd is in the epoll set */
    bool deserted;  /* nobody has the terminal open: watched for what changes, not for what is */
    bool waiting;   /* journal is in the epoll set */
    uint32_t start; /* of what it holds, this to `end` is still to be delivered */
    uint32_t end;
} Stream;

typedef enum AppEnd {
    APP_RUNS,    /* the main process exists: its output is journaled in its name */
    APP_GONE,    /* the main process has been reaped: output waits for DRAIN until the deadline */
    APP_DRAINS,  /* gantry-record takes the rest */
    APP_ORPHANS, /* nobody takes the rest: the sandbox journals it in its own name */
} AppEnd;

typedef struct App {
    bool used;
    AppEnd end;
    pid_t pid;         /* in the pod's pid namespace */
    int drainer;       /* the client that takes the rest */
    uint64_t deadline; /* CLOCK_MONOTONIC, microseconds; of APP_GONE and APP_DRAINS */
    char name[RELAY_NAME_MAX + 1];
    Stream stream[STREAM_COUNT];
} App;

/* An app's own notify socket, and the connection to systemd on which its messages go on in its name. */
typedef struct Notifier {
    bool used;
    bool ready; /* its READY=1 has come */
    int socket;
    int systemd;
    pid_t pid;     /* in the pod's pid namespace */
    uint32_t held; /* bytes of the message that systemd could not take yet: until it does, no other is received */
    char name[RELAY_NAME_MAX + 1];
} Notifier;

typedef enum ClientRole {
    CLIENT_FREE,
    CLIENT_NEW,      /* connected, no request yet */
    CLIENT_REGISTER, /* stage1, waiting for OK until a client has attached */
    CLIENT_NOTIFIER, /* stage1: its app is heard when it hangs up */
    CLIENT_ATTACHED,
    CLIENT_DRAINER,
} ClientRole;

_Static_assert(RELAY_APPS_MAX <= 64U, "a client has a bit for each app");

typedef struct Client {
    ClientRole role;
    int fd;
    bool every;    /* attached to every app */
    bool full;     /* its socket does not take more: in the epoll set for output */
    uint16_t size[2]; /* rows and columns of its terminal; 0: it has none */
    uint64_t left; /* bits of the apps of which it gets no more output */
    char name[RELAY_NAME_MAX + 1];
} Client;

typedef struct Relay {
    int epoll;
    int listener;
    uid_t owner;       /* who may connect, as seen from the pod's user namespace */
    bool crowded;      /* no room for another client: the listener is not watched until one has left */
    uint64_t rested;   /* CLOCK_MONOTONIC, microseconds: for want of descriptors nobody is let in before; 0: whoever comes is */
    bool ending;       /* all apps have ended: so shall the sandbox, with `status` */
    uint8_t status;
    bool hold;         /* no REGISTER is answered before a client has attached */
    uint64_t deadline; /* of the hold; 0: no REGISTER waits yet */
    Client client[RELAY_CLIENTS_MAX];
    App app[RELAY_APPS_MAX];
    Notifier notifier[RELAY_APPS_MAX];
    Packet packet;                  /* the one being received */
    uint8_t chunk[PACKET_BODY_MAX]; /* the one being relayed */
    /* Apart, so that what is used every day lies together. */
    uint8_t held[RELAY_APPS_MAX][STREAM_COUNT][PACKET_BODY_MAX];
    char message[RELAY_APPS_MAX][RELAY_MESSAGE_MAX + 1];
} Relay;

/*
 * Starts relaying for the listening socket `listener` in the epoll set `epoll`. `relay` is zero-initialised.
 * `hold`: answer REGISTER only when a client has attached or 10 s have passed. Returns 0 or -errno.
 */
int relay_start(Relay *relay, int epoll, int listener, uid_t owner, bool hold);

/* Handles one event of the epoll set whose tag is the relay's. */
void relay_dispatch(Relay *relay, uint64_t tag, uint32_t events);

/* Milliseconds until relay_expire() must be called, -1 for never. */
int relay_timeout(const Relay *relay);

/* Does what is due. */
void relay_expire(Relay *relay);

/* Moves what is still in the pipes into the journal without waiting for anybody; the last call. */
void relay_finish(Relay *relay);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t monotonic_now(void);

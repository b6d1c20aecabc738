/* The packets of the sandbox's socket, for both of its ends (docs/launch-plan.md, "The sandbox's socket"). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PACKET_BODY_MAX 16384U
#define PACKET_FDS_MAX 5U

typedef enum PacketType {
    PACKET_REGISTER = 1, /* stage1 → sandbox */
    PACKET_ATTACH = 2,   /* client → sandbox */
    PACKET_DATA = 3,     /* both ways */
    PACKET_EOF = 4,      /* both ways */
    PACKET_RESIZE = 5,   /* client → sandbox */
    PACKET_APP = 6,      /* sandbox → client */
    PACKET_DRAIN = 7,    /* gantry-record → sandbox */
    PACKET_ERROR = 8,    /* sandbox → client */
    PACKET_OK = 9,       /* sandbox → client */
    PACKET_ENDED = 10,   /* sandbox → client */
    PACKET_NOTIFY = 11,  /* stage1 → sandbox */
    PACKET_JOIN = 12,    /* stage1 → sandbox */
    PACKET_END = 13,     /* who has seen all apps end → sandbox */
} PacketType;

typedef enum PacketStream {
    STREAM_STDIN = 0,
    STREAM_STDOUT = 1,
    STREAM_STDERR = 2,
    STREAM_TERMINAL = 3,
    STREAM_COUNT = 4,
} PacketStream;

/* What stands on the wire before the body, little-endian. */
typedef struct PacketHead {
    uint8_t type;
    uint8_t stream;
    uint16_t app;
    uint32_t length;
} PacketHead;

typedef struct Packet {
    PacketHead head;
    uint8_t body[PACKET_BODY_MAX];
} Packet;

/* Descriptors that came with a packet; whoever received them closes those not taken. */
typedef struct PacketFds {
    int fd[PACKET_FDS_MAX];
    unsigned count;
} PacketFds;

/* Connects to the socket at `path`. Returns a close-on-exec descriptor or -errno. */
int packet_connect(const char *path);

/* Sends one packet with `length` bytes of body, never a signal. -EAGAIN only on a non-blocking socket. */
int packet_send(int fd, PacketType type, unsigned stream, unsigned app, const void *body, size_t length);

/*
 * Receives one packet into `packet`, and its descriptors into `fds` when that is not NULL (all close-on-exec).
 * Returns 1, 0 at the end of the connection, -EBADMSG for bytes that are no packet, or -errno.
 */
int packet_receive(int fd, Packet *packet, PacketFds *fds);

/* The pid, as this process sees it, of who made the socket listen: pid 1 of the pod once that stands. */
int packet_peer(int fd, pid_t *ret_pid);

/*
 * Asks pid 1 of the pod to say who it is, and waits until it can: *ret_pid is its pid as this process sees it, from the
 * kernel. Another request may follow on the connection. -ECONNRESET if the sandbox ends before it stands.
 */
int packet_join(int fd, pid_t *ret_pid);

/* Tells the sandbox at `path` that all its apps have ended, and with which status the pod does. */
int packet_end(const char *path, int status);

/* Is `size` the size of the well-formed packet that starts with `head`? */
int packet_check(const PacketHead *head, size_t size);

/* Closes what is still in `fds`. */
void packet_fds_close(PacketFds *fds);

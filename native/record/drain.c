#include "drain.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "relay/packet.h"

#define SILENCE_MAX_MS 5000

static int drain_packet(int fd, Packet *packet, int out, int err);

int drain_app(const char *socket, const char *app, int out, int err) {
    Packet packet;
    _cleanup_fd_ int fd = packet_connect(socket);
    if (fd < 0)
        return fd;
    int r = packet_send(fd, PACKET_DRAIN, 0, 0, app, strlen(app));
    while (r == 0) {
        struct pollfd readable = { .fd = fd, .events = POLLIN };
        int ready = poll(&readable, 1, SILENCE_MAX_MS);
        r = ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : drain_packet(fd, &packet, out, err);
    }
    return r < 0 ? r : 0;
}

/* 0: go on; 1: that was all. */
static int drain_packet(int fd, Packet *packet, int out, int err) {
    int r = packet_receive(fd, packet, NULL);
    if (r <= 0)
        return r < 0 ? r : 1;
    switch (packet->head.type) {
    case PACKET_DATA:
        return io_write_all(packet->head.stream == STREAM_STDERR ? err : out, packet->body, packet->head.length);
    case PACKET_OK:
        return 1;
    case PACKET_ERROR:
        return -EBUSY;
    default:
        return 0;
    }
}

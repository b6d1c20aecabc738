#include "systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"

#define PRIVATE_SOCKET "/run/systemd/private"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define INTERFACE "org.freedesktop.systemd1."
#define BUFFER_MIN 65536U
/* The leading NUL, root's id in hex digits of its digits, and the first message may follow without a wait. */
#define HANDSHAKE "\0AUTH EXTERNAL 30\r\nBEGIN\r\n"

static int message_next(Systemd *systemd, Received *ret);
static int handshake_read(Systemd *systemd);
static int buffer_fill(Systemd *systemd, size_t size);
static int buffer_read(Systemd *systemd);
static void job_removed(Systemd *systemd, Received *message);
static int property_get(Systemd *systemd, const char *unit, const char *interface, const char *property, Received *ret);
static int reply_next(Systemd *systemd, uint32_t serial, Received *ret);
static int unit_path(const char *unit, char **ret);

int systemd_open(Systemd *systemd) {
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = PRIVATE_SOCKET };
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    int r = io_write_all(fd, HANDSHAKE, sizeof HANDSHAKE - 1);
    if (r >= 0)
        systemd->fd = fd_take(&fd);
    return r;
}

void systemd_close(Systemd *systemd) {
    fd_close(&systemd->fd);
    free(systemd->buffer);
    *systemd = (Systemd){ .fd = -1 };
}

void systemd_begin(Message *message, const char *member, const char *signature) {
    message_begin(message, &(Call){ MANAGER_PATH, INTERFACE "Manager", member, signature });
}

int systemd_send(Systemd *systemd, Message *message, uint32_t *ret_serial) {
    int r = message_end(message, ++systemd->serial);
    if (r >= 0)
        r = io_write_all(systemd->fd, message->bytes, message->size);
    if (r >= 0)
        *ret_serial = systemd->serial;
    return r;
}

int systemd_await(Systemd *systemd, uint32_t serial, Reply *ret) {
    Received message;
    int r = reply_next(systemd, serial, &message);
    if (r < 0)
        return r;
    const char *text = received_text(&message);
    *ret = (Reply){ message.type == MESSAGE_ERROR ? message.error : NULL, text ? text : "" };
    return 0;
}

int systemd_wait(Systemd *systemd) {
    Received message;
    int r = message_next(systemd, &message);
    if (r >= 0)
        job_removed(systemd, &message);
    return r;
}

int systemd_call(Systemd *systemd, const char *member, const char *unit, const char *mode) {
    _cleanup_message_ Message message = { 0 };
    uint32_t serial;
    Received reply;
    systemd_begin(&message, member, mode ? "ss" : "s");
    message_put_text(&message, unit);
    if (mode)
        message_put_text(&message, mode);
    int r = systemd_send(systemd, &message, &serial);
    if (r >= 0)
        r = reply_next(systemd, serial, &reply);
    return r < 0 ? r : reply.type == MESSAGE_ERROR ? -EREMOTEIO : 0;
}

int systemd_text(Systemd *systemd, const char *unit, const char *interface, const char *property, char **ret) {
    Received value;
    int r = property_get(systemd, unit, interface, property, &value);
    if (r < 0)
        return r;
    const char *text = received_variant(&value, 's') ? received_text(&value) : NULL;
    if (!text)
        return -EBADMSG;
    return (*ret = strdup(text)) ? 0 : -ENOMEM;
}

int systemd_number(Systemd *systemd, const char *unit, const char *interface, const char *property, int *ret) {
    Received value;
    uint32_t number;
    int r = property_get(systemd, unit, interface, property, &value);
    if (r < 0)
        return r;
    if (!received_variant(&value, 'i') || !received_u32(&value, &number))
        return -EBADMSG;
    *ret = (int)number;
    return 0;
}

static int message_next(Systemd *systemd, Received *ret) {
    size_t size;
    int r = systemd->accepted ? 0 : handshake_read(systemd);
    if (r >= 0)
        r = buffer_fill(systemd, MESSAGE_HEAD);
    if (r >= 0)
        r = message_size(systemd->buffer + systemd->begin, &size);
    if (r >= 0)
        r = buffer_fill(systemd, size);
    if (r >= 0)
        r = message_read(systemd->buffer + systemd->begin, size, ret);
    if (r >= 0)
        systemd->begin += size;
    return r;
}

/* `OK <id>`, or another word. */
static int handshake_read(Systemd *systemd) {
    for (size_t size = 3;; size++) {
        int r = buffer_fill(systemd, size);
        if (r < 0)
            return r;
        const char *line = (const char *)systemd->buffer + systemd->begin;
        if (line[size - 1] != '\n')
            continue;
        systemd->begin += size;
        systemd->accepted = true;
        return strncmp(line, "OK ", 3) == 0 ? 0 : -EACCES;
    }
}

/* Until that many bytes are there. */
static int buffer_fill(Systemd *systemd, size_t size) {
    while (systemd->end - systemd->begin < size) {
        if (systemd->begin > 0)
            memmove(systemd->buffer, systemd->buffer + systemd->begin, systemd->end - systemd->begin);
        systemd->end -= systemd->begin;
        systemd->begin = 0;
        if (systemd->room < size || !systemd->buffer) {
            size_t room = size > BUFFER_MIN ? size : BUFFER_MIN;
            uint8_t *grown = realloc(systemd->buffer, room);
            if (!grown)
                return -ENOMEM;
            systemd->buffer = grown;
            systemd->room = room;
        }
        int r = buffer_read(systemd);
        if (r < 0)
            return r;
    }
    return 0;
}

static int buffer_read(Systemd *systemd) {
    ssize_t got;
    do
        got = read(systemd->fd, systemd->buffer + systemd->end, systemd->room - systemd->end);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 ? -errno : -ECONNRESET;
    systemd->end += (size_t)got;
    return 0;
}

static void job_removed(Systemd *systemd, Received *message) {
    uint32_t id;
    if (message->type != MESSAGE_SIGNAL || !message->member || strcmp(message->member, "JobRemoved") != 0 ||
        !systemd->job_ended || !received_u32(message, &id))
        return;
    const char *job = received_text(message), *unit = received_text(message), *result = received_text(message);
    if (result)
        systemd->job_ended(systemd->userdata, job, unit, result);
}

static int property_get(Systemd *systemd, const char *unit, const char *interface, const char *property, Received *ret) {
    _cleanup_message_ Message message = { 0 };
    _cleanup_free_ char *path = NULL, *full = NULL;
    uint32_t serial;
    int r = unit_path(unit, &path);
    if (r >= 0)
        r = text_format(&full, INTERFACE "%s", interface);
    if (r < 0)
        return r;
    message_begin(&message, &(Call){ path, "org.freedesktop.DBus.Properties", "Get", "ss" });
    message_put_text(&message, full);
    message_put_text(&message, property);
    r = systemd_send(systemd, &message, &serial);
    if (r >= 0)
        r = reply_next(systemd, serial, ret);
    return r < 0 ? r : ret->type == MESSAGE_ERROR ? -ENOENT : 0;
}

static int reply_next(Systemd *systemd, uint32_t serial, Received *ret) {
    for (;;) {
        int r = message_next(systemd, ret);
        if (r < 0)
            return r;
        if (ret->reply_serial == serial && (ret->type == MESSAGE_RETURN || ret->type == MESSAGE_ERROR))
            return 0;
        job_removed(systemd, ret);
    }
}

/* As sd_bus_path_encode(3): what is no letter or digit, and a digit at the beginning, becomes _xx. */
static int unit_path(const char *unit, char **ret) {
    static const char prefix[] = MANAGER_PATH "/unit/";
    char *path = malloc(sizeof prefix + 3 * strlen(unit)), *to = path;
    if (!path)
        return -ENOMEM;
    to = stpcpy(to, prefix);
    for (const char *from = unit; *from; from++) {
        bool letter = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z');
        bool digit = *from >= '0' && *from <= '9' && from != unit;
        to += letter || digit ? sprintf(to, "%c", *from) : sprintf(to, "_%02x", (unsigned char)*from);
    }
    *ret = path;
    return 0;
}

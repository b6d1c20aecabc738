#include "systemd.h"

#include <errno.h>
#include <poll.h>
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
#define REOPENS_MAX 1500U
#define REOPEN_PAUSE_US 20000U
/* The leading NUL, root's id in hex digits of its digits, and the first message may follow without a wait. */
#define HANDSHAKE "\0AUTH EXTERNAL 30\r\nBEGIN\r\n"

static int message_next(Systemd *systemd, Received *ret);
static int handshake_read(Systemd *systemd);
static int buffer_fill(Systemd *systemd, size_t size);
static int buffer_read(Systemd *systemd);
static int interrupt_watch(const Systemd *systemd);
static void job_removed(Systemd *systemd, Received *message);
static int property_get(Systemd *systemd, const char *unit, const char *interface, const char *property, Received *ret);
static int object_get(Systemd *systemd, const char *path, const char *interface, const char *property, Received *ret);
static int text_take(Received *value, char **ret);
static int call_exchange(Systemd *systemd, Message *message, Received *ret);
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
    *systemd = (Systemd){ .fd = -1, .interrupt = -1 };
}

int systemd_reopen(Systemd *systemd) {
    const Systemd lost = *systemd;
    int r = -ECONNREFUSED;
    systemd_close(systemd); /* with what interrupts: a stop that is asked for meanwhile takes a connection, too */
    for (unsigned n = 0; r < 0 && n < REOPENS_MAX; n++) {
        (void)usleep(REOPEN_PAUSE_US);
        r = systemd_open(systemd);
        /* PID 1 forgets a first call that it reads together with the handshake (256 bytes at most, sd-bus of systemd 252). */
        if (r >= 0)
            r = handshake_read(systemd);
        if (r < 0)
            systemd_close(systemd);
    }
    systemd->serial = lost.serial;
    systemd->job_ended = lost.job_ended;
    systemd->userdata = lost.userdata;
    systemd->interrupt = lost.interrupt;
    systemd->missed = true;
    return r;
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
    return r == -EPIPE ? -ECONNRESET : r;
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
    return r == -ECONNRESET ? systemd_reopen(systemd) : r;
}

int systemd_call(Systemd *systemd, const char *member, const char *unit, const char *mode) {
    _cleanup_message_ Message message = { 0 };
    Received reply;
    systemd_begin(&message, member, mode ? "ss" : "s");
    message_put_text(&message, unit);
    if (mode)
        message_put_text(&message, mode);
    int r = call_exchange(systemd, &message, &reply);
    return r < 0 ? r : reply.type == MESSAGE_ERROR ? -EREMOTEIO : 0;
}

int systemd_text(Systemd *systemd, const char *unit, const char *interface, const char *property, char **ret) {
    Received value;
    int r = property_get(systemd, unit, interface, property, &value);
    return r < 0 ? r : text_take(&value, ret);
}

int systemd_number(Systemd *systemd, const char *unit, const char *interface, const char *property, int *ret) {
    Received value;
    uint32_t number;
    int r = property_get(systemd, unit, interface, property, &value);
    if (r < 0)
        return r;
    if (!received_variant(&value, "i") || !received_u32(&value, &number))
        return -EBADMSG;
    *ret = (int)number;
    return 0;
}

int systemd_job(Systemd *systemd, const char *unit, char **ret) {
    Received value;
    uint32_t id;
    int r = property_get(systemd, unit, "Unit", "Job", &value);
    if (r < 0)
        return r;
    const char *path = received_variant(&value, "(uo)") && received_u32(&value, &id) ? received_text(&value) : NULL;
    if (!path)
        return -EBADMSG;
    return (*ret = strdup(path)) ? 0 : -ENOMEM;
}

int systemd_job_type(Systemd *systemd, const char *job, char **ret) {
    Received value;
    int r = object_get(systemd, job, "Job", "JobType", &value);
    return r < 0 ? r : text_take(&value, ret);
}

static int text_take(Received *value, char **ret) {
    const char *text = received_variant(value, "s") ? received_text(value) : NULL;
    if (!text)
        return -EBADMSG;
    return (*ret = strdup(text)) ? 0 : -ENOMEM;
}

static int message_next(Systemd *systemd, Received *ret) {
    size_t size;
    int r = handshake_read(systemd);
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
    for (size_t size = 3; !systemd->accepted; size++) {
        int r = buffer_fill(systemd, size);
        if (r < 0)
            return r;
        const char *line = (const char *)systemd->buffer + systemd->begin;
        if (line[size - 1] != '\n')
            continue;
        systemd->begin += size;
        systemd->accepted = true;
        if (strncmp(line, "OK ", 3) != 0)
            return -EACCES;
    }
    return 0;
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
    int r = interrupt_watch(systemd);
    if (r < 0)
        return r;
    do
        got = read(systemd->fd, systemd->buffer + systemd->end, systemd->room - systemd->end);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 ? -errno : -ECONNRESET;
    systemd->end += (size_t)got;
    return 0;
}

/* Until there is something to read. */
static int interrupt_watch(const Systemd *systemd) {
    struct pollfd ready[] = { { .fd = systemd->fd, .events = POLLIN }, { .fd = systemd->interrupt, .events = POLLIN } };
    if (systemd->interrupt < 0)
        return 0;
    while (poll(ready, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return ready[1].revents ? -ECANCELED : 0;
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
    _cleanup_free_ char *path = NULL;
    int r = unit_path(unit, &path);
    return r < 0 ? r : object_get(systemd, path, interface, property, ret);
}

static int object_get(Systemd *systemd, const char *path, const char *interface, const char *property, Received *ret) {
    _cleanup_message_ Message message = { 0 };
    _cleanup_free_ char *full = NULL;
    int r = text_format(&full, INTERFACE "%s", interface);
    if (r < 0)
        return r;
    message_begin(&message, &(Call){ path, "org.freedesktop.DBus.Properties", "Get", "ss" });
    message_put_text(&message, full);
    message_put_text(&message, property);
    r = call_exchange(systemd, &message, ret);
    return r < 0 ? r : ret->type == MESSAGE_ERROR ? -ENOENT : 0;
}

/* For calls that may come twice. */
static int call_exchange(Systemd *systemd, Message *message, Received *ret) {
    int r;
    do {
        uint32_t serial;
        r = systemd_send(systemd, message, &serial);
        if (r >= 0)
            r = reply_next(systemd, serial, ret);
    } while (r == -ECONNRESET && systemd_reopen(systemd) >= 0);
    return r;
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

/*
 * Messages of an app to systemd (sd_notify(3)). Given systemd's own socket, a root app could name any process of the
 * host as its main process and have it killed; so it gets another one, and what may pass goes on from here in its name.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "internal.h"

static bool line_passes(Notifier *notifier, const char *line);
static ssize_t message_receive(int socket, char *buffer, size_t size);
static size_t message_filter(Notifier *notifier, char *message, char *ret);
static void message_pass(Relay *relay, Notifier *notifier, const char *message, size_t size);
static void notifier_hold(Relay *relay, Notifier *notifier, const char *message, size_t size);
static void notifier_resume(Relay *relay, Notifier *notifier);
static void notifier_close(Relay *relay, Notifier *notifier);
static uint64_t notifier_tag(const Relay *relay, const Notifier *notifier);

/* Takes [the app's socket, the connection to systemd], and hears nothing yet. A restarted app replaces what it had. */
int notifier_register(Relay *relay, const char *name, pid_t pid, PacketFds *fds) {
    if (fds->count != 2)
        return -EBADMSG;
    notifier_end(relay, name);
    unsigned index = 0;
    while (index < RELAY_APPS_MAX && relay->notifier[index].used)
        index++;
    if (index == RELAY_APPS_MAX)
        return -EMFILE;
    int r = watch_add(relay, fds->fd[0], 0, tag_make(RELAY_NOTIFY, index, 0));
    if (r < 0)
        return r;
    Notifier *notifier = &relay->notifier[index];
    *notifier = (Notifier){ .used = true, .socket = fd_take(&fds->fd[0]), .systemd = fd_take(&fds->fd[1]), .pid = pid };
    strncpy(notifier->name, name, RELAY_NAME_MAX);
    return 0;
}

/* systemd knows the app's process by now, and takes its messages. */
void notifier_start(Relay *relay, const char *name) {
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++) {
        const Notifier *notifier = &relay->notifier[i];
        if (notifier->used && strcmp(notifier->name, name) == 0)
            watch_change(relay, notifier->socket, EPOLLIN, notifier_tag(relay, notifier));
    }
}

/* Passes one message on, the held one first. */
void notifier_relay(Relay *relay, Notifier *notifier) {
    char message[RELAY_MESSAGE_MAX + 1], passed[RELAY_MESSAGE_MAX + 1];
    if (!notifier->used)
        return;
    if (notifier->held > 0) {
        message_pass(relay, notifier, relay->message[notifier - relay->notifier], notifier->held);
        return;
    }
    ssize_t length = message_receive(notifier->socket, message, RELAY_MESSAGE_MAX);
    if (length < 0 && length != -EAGAIN && length != -EMSGSIZE)
        notifier_close(relay, notifier);
    if (length <= 0)
        return;
    message[length] = '\0';
    size_t size = message_filter(notifier, message, passed);
    if (size > 0)
        message_pass(relay, notifier, passed, size);
}

void notifier_end(Relay *relay, const char *name) {
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (relay->notifier[i].used && strcmp(relay->notifier[i].name, name) == 0)
            notifier_close(relay, &relay->notifier[i]);
}

/* Descriptors that come along are closed: for BARRIER=1 that is the answer. */
static ssize_t message_receive(int socket, char *buffer, size_t size) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
    } control;
    struct iovec part = { buffer, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            fd_close(&fd);
        }
    }
    return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : length;
}

/* Copies the lines that may pass; returns their length. */
static size_t message_filter(Notifier *notifier, char *message, char *ret) {
    size_t used = 0;
    for (char *save = NULL, *line = strtok_r(message, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!line_passes(notifier, line))
            continue;
        size_t length = strlen(line);
        memcpy(ret + used, line, length);
        used += length;
        ret[used++] = '\n';
    }
    return used;
}

/* An app that is gone has nothing to say. While systemd's queue is full the app waits, as it would for systemd's own socket. */
static void message_pass(Relay *relay, Notifier *notifier, const char *message, size_t size) {
    int r = journal_write(notifier->systemd, notifier->pid, message, size);
    if (r == -EAGAIN && notifier->held == 0)
        notifier_hold(relay, notifier, message, size);
    else if (r != -EAGAIN && notifier->held > 0)
        notifier_resume(relay, notifier);
    if (r == -ESRCH)
        notifier_close(relay, notifier);
}

static void notifier_hold(Relay *relay, Notifier *notifier, const char *message, size_t size) {
    if (watch_add(relay, notifier->systemd, EPOLLOUT, notifier_tag(relay, notifier)) < 0)
        return;
    watch_remove(relay, notifier->socket);
    memcpy(relay->message[notifier - relay->notifier], message, size);
    notifier->held = (uint32_t)size;
}

static void notifier_resume(Relay *relay, Notifier *notifier) {
    watch_remove(relay, notifier->systemd);
    notifier->held = 0;
    if (watch_add(relay, notifier->socket, EPOLLIN, notifier_tag(relay, notifier)) < 0)
        notifier_close(relay, notifier);
}

/* The launcher has the same sockets open for a while, and an epoll set follows what is open, not who closed it (epoll(7)). */
static void notifier_close(Relay *relay, Notifier *notifier) {
    if (!notifier->used)
        return;
    watch_remove(relay, notifier->held > 0 ? notifier->systemd : notifier->socket);
    notifier->used = false;
    fd_close(&notifier->socket);
    fd_close(&notifier->systemd);
}

static uint64_t notifier_tag(const Relay *relay, const Notifier *notifier) {
    return tag_make(RELAY_NOTIFY, (unsigned)(notifier - relay->notifier), 0);
}

/* MAINPID=, FDSTORE=, NOTIFYACCESS= and whatever a later systemd invents stay out. An app may ask for time to get ready, but who
 * could do so later could put off its own stop for ever. */
static bool line_passes(Notifier *notifier, const char *line) {
    static const char *const words[] = { "RELOADING=1", "STOPPING=1", "WATCHDOG=1", "WATCHDOG=trigger" };
    static const char *const names[] = { "STATUS=", "MONOTONIC_USEC=" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(line, words[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_starts_with(line, names[i]))
            return true;
    if (strcmp(line, "READY=1") == 0)
        return notifier->ready = true;
    return !notifier->ready && text_starts_with(line, "EXTEND_TIMEOUT_USEC=");
}

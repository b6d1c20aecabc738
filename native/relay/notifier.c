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

#define MESSAGE_MAX 4096U /* what systemd takes */

static bool line_passes(const char *line);
static ssize_t message_receive(int socket, char *buffer, size_t size);
static size_t message_filter(char *message, char *ret);
static void notifier_close(Notifier *notifier);

/* Takes [the app's socket, the connection to systemd]. A restarted app replaces what it had. */
int notifier_register(Relay *relay, const char *name, pid_t pid, PacketFds *fds) {
    if (fds->count != 2)
        return -EBADMSG;
    notifier_end(relay, name);
    unsigned index = 0;
    while (index < RELAY_APPS_MAX && relay->notifier[index].used)
        index++;
    if (index == RELAY_APPS_MAX)
        return -EMFILE;
    int r = watch_add(relay, fds->fd[0], EPOLLIN, tag_make(RELAY_NOTIFY, index, 0));
    if (r < 0)
        return r;
    Notifier *notifier = &relay->notifier[index];
    *notifier = (Notifier){ .used = true, .socket = fd_take(&fds->fd[0]), .systemd = fd_take(&fds->fd[1]), .pid = pid };
    strncpy(notifier->name, name, RELAY_NAME_MAX);
    return 0;
}

/* Passes one message on. An app that is gone has nothing to say. */
void notifier_relay(Relay *relay, Notifier *notifier) {
    char message[MESSAGE_MAX + 1], passed[MESSAGE_MAX + 1];
    (void)relay;
    if (!notifier->used)
        return;
    ssize_t length = message_receive(notifier->socket, message, MESSAGE_MAX);
    if (length < 0 && length != -EAGAIN && length != -EMSGSIZE)
        notifier_close(notifier);
    if (length <= 0)
        return;
    message[length] = '\0';
    size_t size = message_filter(message, passed);
    if (size > 0 && journal_write(notifier->systemd, notifier->pid, passed, size) == -ESRCH)
        notifier_close(notifier);
}

void notifier_end(Relay *relay, const char *name) {
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        if (relay->notifier[i].used && strcmp(relay->notifier[i].name, name) == 0)
            notifier_close(&relay->notifier[i]);
}

static void notifier_close(Notifier *notifier) {
    notifier->used = false;
    fd_close(&notifier->socket);
    fd_close(&notifier->systemd);
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
static size_t message_filter(char *message, char *ret) {
    size_t used = 0;
    for (char *save = NULL, *line = strtok_r(message, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!line_passes(line))
            continue;
        size_t length = strlen(line);
        memcpy(ret + used, line, length);
        used += length;
        ret[used++] = '\n';
    }
    return used;
}

/* MAINPID=, FDSTORE=, NOTIFYACCESS= and whatever a later systemd invents stay out. */
static bool line_passes(const char *line) {
    static const char *const words[] = { "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1", "WATCHDOG=trigger" };
    static const char *const names[] = { "STATUS=", "MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(line, words[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_starts_with(line, names[i]))
            return true;
    return false;
}

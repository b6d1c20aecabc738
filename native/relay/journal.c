/*
 * Writing into a unit's journal stream in an app's name: journald attributes each message of a stream to the pid of
 * its SCM_CREDENTIALS, and the kernel lets a process name another pid when it has CAP_SYS_ADMIN over its own pid
 * namespace (unix(7), scm_check_creds() in net/core/scm.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

/* `pid` 0: in the sandbox's own name. Returns the bytes taken or -errno; -ESRCH: no such process any more. */
int journal_write(int fd, pid_t pid, const void *bytes, size_t length) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control = { 0 };
    struct iovec part = { (void *)bytes, length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (pid > 0) {
        struct ucred self = { .pid = pid, .uid = getuid(), .gid = getgid() };
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_CREDENTIALS;
        c->cmsg_len = CMSG_LEN(sizeof self);
        memcpy(CMSG_DATA(c), &self, sizeof self);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (int)sent;
}

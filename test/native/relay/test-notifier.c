/* What an app tells systemd through the relay: when it is heard, what passes, and where it waits. */
#include <errno.h>
#include <signal.h>

#include "fixture.h"

/* systemd's socket is bound, as there: a pair has no queue whose length counts. */
static int systemd_open(struct sockaddr_un *address) {
    socklen_t size = sizeof *address;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (const struct sockaddr *)&(struct sockaddr_un){ .sun_family = AF_UNIX }, sizeof(sa_family_t)) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0)
        abort();
    return fd;
}

static int systemd_connect(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, (const struct sockaddr *)address, offsetof(struct sockaddr_un, sun_path) + 6) < 0) /* unix(7): autobind */
        abort();
    return fd;
}

/* Registers an app's socket for messages; returns stage1's connection, which waits, and in *ret_app what the app writes to. */
static int notifier_open(Fixture *fixture, const struct sockaddr_un *address, int *ret_app) {
    char body[64];
    int app[2], ours = systemd_connect(address), stage1 = client_open(fixture);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, app) < 0)
        abort();
    int length = snprintf(body, sizeof body, "front%c%d", 0, (int)getpid());
    request_send(stage1, PACKET_NOTIFY, body, (size_t)length, (int[]){ app[1], ours }, 2);
    close(app[1]);
    close(ours);
    turn(fixture);
    CHECK(heard(stage1, PACKET_OK, 0, ""));
    *ret_app = app[0];
    return stage1;
}

static void message_expect(int systemd, const char *expected) {
    char text[64];
    ssize_t length = recv(systemd, text, sizeof text, 0);
    CHECK(length == (ssize_t)strlen(expected) && memcmp(text, expected, strlen(expected)) == 0);
}

static void messages_wait_while_systemd_takes_none(void) {
    struct sockaddr_un address = { 0 };
    Fixture fixture = fixture_open(false, getuid());
    char text[64];
    int app, systemd = systemd_open(&address), crowd = systemd_connect(&address);
    close(notifier_open(&fixture, &address, &app));
    size_t crowded = 0;
    while (send(crowd, "X=1", 3, 0) == 3)
        crowded++;
    CHECK(crowded > 0 && errno == EAGAIN);
    CHECK(send(app, "READY=1", 7, 0) == 7);
    CHECK(send(app, "STOPPING=1", 10, 0) == 10);
    turn(&fixture);
    for (size_t i = 0; i < crowded; i++)
        CHECK(recv(systemd, text, sizeof text, 0) == 3);
    turn(&fixture);
    message_expect(systemd, "READY=1\n");
    message_expect(systemd, "STOPPING=1\n");
    CHECK(recv(systemd, text, sizeof text, 0) == -1 && errno == EAGAIN);
    close(app);
    close(crowd);
    close(systemd);
    fixture_close(&fixture);
}

static void an_app_asks_for_time_until_it_is_ready(void) {
    static const char *const messages[] = { "EXTEND_TIMEOUT_USEC=1\nMAINPID=1", "READY=1", "EXTEND_TIMEOUT_USEC=1", "STOPPING=1" };
    struct sockaddr_un address = { 0 };
    Fixture fixture = fixture_open(false, getuid());
    int app, systemd = systemd_open(&address);
    close(notifier_open(&fixture, &address, &app));
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        CHECK(send(app, messages[i], strlen(messages[i]), 0) > 0);
    turn(&fixture);
    message_expect(systemd, "EXTEND_TIMEOUT_USEC=1\n");
    message_expect(systemd, "READY=1\n");
    message_expect(systemd, "STOPPING=1\n");
    close(app);
    close(systemd);
    fixture_close(&fixture);
}

static void an_app_is_heard_when_its_launcher_hangs_up(void) {
    struct sockaddr_un address = { 0 };
    Fixture fixture = fixture_open(false, getuid());
    char text[64];
    int app, systemd = systemd_open(&address), stage1 = notifier_open(&fixture, &address, &app);
    CHECK(send(app, "READY=1", 7, 0) == 7);
    turn(&fixture);
    CHECK(recv(systemd, text, sizeof text, 0) == -1 && errno == EAGAIN);
    close(stage1);
    turn(&fixture);
    message_expect(systemd, "READY=1\n");
    close(app);
    close(systemd);
    fixture_close(&fixture);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    messages_wait_while_systemd_takes_none();
    an_app_asks_for_time_until_it_is_ready();
    an_app_is_heard_when_its_launcher_hangs_up();
    return failures > 0;
}

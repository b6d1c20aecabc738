/* What the relay does with its apps' output and input and with who connects. */
#include <dirent.h>
#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "fixture.h"

static pid_t child_sleeping(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static pid_t pid_gone(void) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static void output_is_journaled_in_the_apps_name(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    char text[64];
    pid_t app = child_sleeping(), from = 0;
    int stage1 = app_open(&fixture, "front", app, &ends);
    turn(&fixture);
    CHECK(heard(stage1, PACKET_OK, 0, ""));
    CHECK(write(ends.out, "hello\n", 6) == 6);
    CHECK(write(ends.err, "oops\n", 5) == 5);
    turn(&fixture);
    CHECK(journal_read(ends.out_log, text, sizeof text, &from) == 6 && strcmp(text, "hello\n") == 0);
    CHECK(from == app);
    CHECK(journal_read(ends.err_log, text, sizeof text, &from) == 5 && strcmp(text, "oops\n") == 0);
    kill(app, SIGKILL);
    waitpid(app, NULL, 0);
    close(stage1);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void clients_get_copies_and_the_end(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    int early = client_open(&fixture), named = client_open(&fixture);
    CHECK(packet_send(early, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    CHECK(packet_send(named, PACKET_ATTACH, 0, 0, "other", 5) == 0);
    turn(&fixture);
    int stage1 = app_open(&fixture, "front", getpid(), &ends);
    turn(&fixture);
    CHECK(heard(early, PACKET_APP, 0, "front"));
    CHECK(write(ends.out, "a", 1) == 1);
    fd_close(&ends.out);
    turn(&fixture);
    CHECK(heard(early, PACKET_DATA, STREAM_STDOUT, "a"));
    CHECK(heard(early, PACKET_EOF, STREAM_STDOUT, ""));
    int late = client_open(&fixture);
    CHECK(packet_send(late, PACKET_ATTACH, 0, 0, "front", 5) == 0);
    turn(&fixture);
    CHECK(heard(late, PACKET_APP, 0, "front"));
    CHECK(heard(late, PACKET_EOF, STREAM_STDOUT, ""));
    Packet packet;
    CHECK(packet_receive(named, &packet, NULL) == -EAGAIN);
    close(stage1);
    close(early);
    close(named);
    close(late);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void a_hold_ends_with_the_first_client(void) {
    Fixture fixture = fixture_open(true, getuid());
    Ends ends;
    Packet packet;
    int stage1 = app_open(&fixture, "front", getpid(), &ends);
    turn(&fixture);
    CHECK(packet_receive(stage1, &packet, NULL) == -EAGAIN);
    CHECK(relay_timeout(fixture.relay) > 0);
    int client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(heard(client, PACKET_APP, 0, "front"));
    CHECK(heard(stage1, PACKET_OK, 0, ""));
    CHECK(relay_timeout(fixture.relay) == -1);
    close(stage1);
    close(client);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void output_of_a_process_that_is_gone_waits_for_the_drain(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    char text[64];
    pid_t from = 0;
    int stage1 = app_open(&fixture, "front", pid_gone(), &ends), client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(write(ends.out, "last", 4) == 4);
    turn(&fixture);
    CHECK(write(ends.out, " words", 6) == 6);
    CHECK(write(ends.err, "!", 1) == 1);
    fd_close(&ends.out);
    fd_close(&ends.err);
    turn(&fixture);
    CHECK(journal_read(ends.out_log, text, sizeof text, &from) == -1);
    int record = client_open(&fixture);
    CHECK(packet_send(record, PACKET_DRAIN, 0, 0, "front", 5) == 0);
    turn(&fixture);
    CHECK(heard(record, PACKET_DATA, STREAM_STDOUT, "last"));
    CHECK(heard(record, PACKET_DATA, STREAM_STDOUT, " words"));
    CHECK(heard(record, PACKET_DATA, STREAM_STDERR, "!"));
    CHECK(heard(record, PACKET_OK, 0, ""));
    CHECK(journal_read(ends.out_log, text, sizeof text, &from) == 0); /* the relay has closed its end */
    CHECK(heard(client, PACKET_APP, 0, "front"));
    CHECK(heard(client, PACKET_DATA, STREAM_STDOUT, "last"));
    CHECK(heard(client, PACKET_DATA, STREAM_STDOUT, " words"));
    CHECK(heard(client, PACKET_EOF, STREAM_STDOUT, ""));
    CHECK(heard(client, PACKET_DATA, STREAM_STDERR, "!"));
    CHECK(heard(client, PACKET_EOF, STREAM_STDERR, ""));
    CHECK(heard(client, PACKET_ENDED, 0, ""));
    close(stage1);
    close(client);
    close(record);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void what_nobody_drains_is_journaled_at_the_end(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    char text[64];
    pid_t from = 0;
    int stage1 = app_open(&fixture, "front", pid_gone(), &ends);
    turn(&fixture);
    CHECK(write(ends.out, "first ", 6) == 6);
    turn(&fixture);
    CHECK(write(ends.out, "rest", 4) == 4);
    relay_finish(fixture.relay);
    CHECK(journal_read(ends.out_log, text, sizeof text, &from) == 10 && strcmp(text, "first rest") == 0);
    CHECK(from == getpid());
    close(stage1);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void a_slow_client_slows_the_app_and_loses_nothing(void) {
    static uint8_t pattern[4 << 20];
    static Packet packet;
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    size_t written = 0, seen = 0;
    char text[65536];
    pid_t from;
    int stage1 = app_open(&fixture, "front", getpid(), &ends), client = client_open(&fixture);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 31 + i / 4096);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    fcntl(ends.out, F_SETFL, O_WRONLY | O_NONBLOCK);
    turn(&fixture);
    for (ssize_t n; (n = write(ends.out, pattern + written, sizeof pattern - written)) > 0; turn(&fixture)) {
        written += (size_t)n;
        while (journal_read(ends.out_log, text, sizeof text, &from) > 0)
            ;
    }
    CHECK(written > 65536 && written < sizeof pattern); /* it stopped: the client reads nothing */
    while (seen < sizeof pattern) {
        int r = packet_receive(client, &packet, NULL);
        if (r == 1 && packet.head.type == PACKET_DATA) {
            CHECK(memcmp(packet.body, pattern + seen, packet.head.length) == 0);
            seen += packet.head.length;
        }
        if (r == -EAGAIN) {
            ssize_t n = write(ends.out, pattern + written, sizeof pattern - written);
            written += n > 0 ? (size_t)n : 0;
            while (journal_read(ends.out_log, text, sizeof text, &from) > 0)
                ;
            turn(&fixture);
        }
        if (r == 0)
            break;
    }
    CHECK(seen == sizeof pattern);
    close(stage1);
    close(client);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void input_reaches_the_app_and_waits_while_it_does_not_read(void) {
    static uint8_t chunk[PACKET_BODY_MAX], back[PACKET_BODY_MAX];
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    size_t sent = 0, got = 0;
    int stage1 = app_open(&fixture, "front", getpid(), &ends), client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(heard(client, PACKET_APP, 0, "front"));
    fcntl(ends.input, F_SETFL, O_RDONLY | O_NONBLOCK);
    for (; sent < 64 && packet_send(client, PACKET_DATA, STREAM_STDIN, 0, chunk, sizeof chunk) == 0; sent++)
        turn(&fixture);
    CHECK(sent < 64);
    CHECK(packet_send(client, PACKET_EOF, STREAM_STDIN, 0, NULL, 0) == -EAGAIN);
    ssize_t n;
    while ((n = read(ends.input, back, sizeof back)) > 0) {
        got += (size_t)n;
        turn(&fixture);
    }
    CHECK(got == sent * sizeof chunk);
    CHECK(packet_send(client, PACKET_EOF, STREAM_STDIN, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(read(ends.input, back, sizeof back) == 0);
    close(stage1);
    close(client);
    ends_close(&ends);
    fixture_close(&fixture);
}

static void an_app_that_takes_no_input_is_told_as_such(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    int stage1 = app_open(&fixture, "front", getpid(), &ends), early = client_open(&fixture), late = client_open(&fixture);
    CHECK(packet_send(early, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(heard(early, PACKET_APP, STREAM_STDIN, "front"));
    CHECK(packet_send(early, PACKET_EOF, STREAM_STDIN, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(packet_send(late, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(heard(late, PACKET_APP, STREAM_STDOUT, "front"));
    close(stage1);
    close(early);
    close(late);
    ends_close(&ends);
    fixture_close(&fixture);
}

/* A terminal gives what it has when the kernel's worker comes to it, and perhaps in pieces. */
static bool terminal_heard(Fixture *fixture, int client, const char *text) {
    static Packet packet;
    size_t got = 0, wanted = strlen(text);
    for (int rounds = 0; got < wanted && rounds < 1000; rounds++) {
        turn(fixture);
        while (got < wanted && packet_receive(client, &packet, NULL) == 1) {
            if (packet.head.type != PACKET_DATA || packet.head.stream != STREAM_TERMINAL ||
                packet.head.length > wanted - got || memcmp(packet.body, text + got, packet.head.length) != 0)
                return false;
            got += packet.head.length;
        }
    }
    return got == wanted;
}

static void a_terminal_is_relayed_both_ways_and_resized(void) {
    Fixture fixture = fixture_open(false, getuid());
    int master, slave, log[2], client = client_open(&fixture), stage1 = client_open(&fixture), record = client_open(&fixture);
    char text[64];
    pid_t from;
    struct winsize size;
    uint16_t wanted[] = { 50, 132 };
    CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, log) == 0);
    register_send(stage1, "front", getpid(), (int[]){ master, log[1] }, 2);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(heard(client, PACKET_APP, STREAM_TERMINAL, "front"));
    CHECK(packet_send(client, PACKET_RESIZE, STREAM_TERMINAL, 0, wanted, sizeof wanted) == 0);
    CHECK(packet_send(client, PACKET_DATA, STREAM_TERMINAL, 0, "yes\n", 4) == 0);
    CHECK(terminal_heard(&fixture, client, "yes\r\n"));
    CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 50 && size.ws_col == 132);
    CHECK(read(slave, text, sizeof text) == 4 && memcmp(text, "yes\n", 4) == 0);
    CHECK(journal_read(log[0], text, sizeof text, &from) == 5);
    close(slave);
    turn(&fixture); /* it would not end */
    CHECK((slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC)) >= 0);
    CHECK(write(slave, "back", 4) == 4);
    CHECK(terminal_heard(&fixture, client, "back"));
    close(slave);
    close(master);
    turn(&fixture);
    CHECK(app_name_send(record, PACKET_DRAIN, "front"));
    turn(&fixture);
    CHECK(heard(client, PACKET_EOF, STREAM_TERMINAL, ""));
    CHECK(heard(client, PACKET_ENDED, 0, ""));
    CHECK(heard(record, PACKET_OK, 0, ""));
    close(record);
    close(log[0]);
    close(log[1]);
    close(client);
    close(stage1);
    fixture_close(&fixture);
}

static void a_terminal_has_its_clients_size_before_the_app_runs(void) {
    Fixture fixture = fixture_open(true, getuid());
    int log[2], client = client_open(&fixture);
    uint16_t wanted[] = { 50, 132 };
    CHECK(packet_send(client, PACKET_RESIZE, STREAM_TERMINAL, 0, wanted, sizeof wanted) == 0);
    for (unsigned round = 0; round < 2; round++) { /* registered before the client attaches, and anew after that */
        int master, slave, stage1 = client_open(&fixture);
        struct winsize size = { 0 };
        CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, log) == 0);
        register_send(stage1, "front", getpid(), (int[]){ master, log[1] }, 2);
        turn(&fixture);
        if (round == 0)
            CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
        turn(&fixture);
        CHECK(heard(stage1, PACKET_OK, 0, ""));
        CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 50 && size.ws_col == 132);
        close(slave);
        close(master);
        close(log[0]);
        close(log[1]);
        close(stage1);
    }
    close(client);
    client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_RESIZE, STREAM_TERMINAL, 0, wanted, 2) == 0);
    turn(&fixture);
    CHECK(heard(client, PACKET_ERROR, 0, "that is no request the sandbox knows"));
    close(client);
    fixture_close(&fixture);
}

static void nonsense_is_answered_and_dropped(void) {
    static Packet packet;
    Fixture fixture = fixture_open(false, getuid());
    const char *sentence = "that is no request the sandbox knows";
    int client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_DATA, STREAM_STDIN, 0, "x", 1) == 0);
    turn(&fixture);
    CHECK(heard(client, PACKET_ERROR, 0, sentence));
    CHECK(packet_receive(client, &packet, NULL) == 0);
    close(client);
    client = client_open(&fixture);
    CHECK(send(client, "\2\0\0\0\xff\0\0\0", 8, 0) == 8); /* a length that is not the packet's */
    turn(&fixture);
    CHECK(packet_receive(client, &packet, NULL) == 0);
    close(client);
    client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_REGISTER, 0, 0, "front\0front\0" "12", 14) == 0); /* without descriptors */
    turn(&fixture);
    CHECK(heard(client, PACKET_ERROR, 0, sentence));
    close(client);
    fixture_close(&fixture);
}

/* The answer comes from whoever holds the listener, here a child; register on the same connection afterwards. */
static void a_join_tells_who_relays_and_leaves_room_for_a_request(void) {
    Fixture fixture = fixture_open(false, getuid());
    pid_t relayer = fork(), told = 0;
    if (relayer == 0)
        for (;;)
            turn(&fixture);
    int client = packet_connect(fixture.path);
    CHECK(packet_join(client, &told) == 0);
    CHECK(told == relayer);
    Packet answer;
    CHECK(packet_send(client, PACKET_DRAIN, 0, 0, "nobody", 6) == 0);
    CHECK(packet_receive(client, &answer, NULL) == 1 && answer.head.type == PACKET_OK);
    int waiting = packet_connect(fixture.path);
    CHECK(packet_send(waiting, PACKET_JOIN, 0, 0, "x", 1) == 0);
    CHECK(packet_receive(waiting, &answer, NULL) == 1 && answer.head.type == PACKET_ERROR);
    close(client);
    close(waiting);
    kill(relayer, SIGKILL);
    waitpid(relayer, NULL, 0);
    int late = packet_connect(fixture.path);
    fixture_close(&fixture);
    CHECK(packet_join(late, &told) == -ECONNRESET);
    close(late);
}

static void an_end_is_kept_for_the_loop(void) {
    Fixture fixture = fixture_open(false, getuid());
    int client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_END, 0, 0, "ab", 2) == 0); /* not one status */
    turn(&fixture);
    CHECK(heard(client, PACKET_ERROR, 0, "that is no request the sandbox knows"));
    CHECK(!fixture.relay->ending);
    close(client);
    CHECK(packet_end(fixture.path, 137) == 0);
    turn(&fixture);
    CHECK(fixture.relay->ending && fixture.relay->status == 137);
    fixture_close(&fixture);
}

static void only_the_owner_may_connect(void) {
    static Packet packet;
    Fixture fixture = fixture_open(false, getuid() + 1);
    int client = client_open(&fixture);
    (void)packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0);
    turn(&fixture);
    int r = packet_receive(client, &packet, NULL);
    CHECK(r == 0 || r == -ECONNRESET); /* ours was not even read */
    close(client);
    fixture_close(&fixture);
}

static void a_restarted_app_takes_its_old_place(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends first, second;
    int client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, "front", 5) == 0);
    turn(&fixture);
    int one = app_open(&fixture, "front", getpid(), &first);
    turn(&fixture);
    int two = app_open(&fixture, "front", getpid(), &second);
    turn(&fixture);
    CHECK(heard(client, PACKET_APP, 0, "front"));
    CHECK(heard(client, PACKET_EOF, STREAM_STDOUT, ""));
    CHECK(heard(client, PACKET_EOF, STREAM_STDERR, ""));
    CHECK(heard(client, PACKET_ENDED, 0, ""));
    CHECK(heard(client, PACKET_APP, 0, "front"));
    CHECK(write(second.out, "again", 5) == 5);
    turn(&fixture);
    CHECK(heard(client, PACKET_DATA, STREAM_STDOUT, "again"));
    close(one);
    close(two);
    close(client);
    ends_close(&first);
    ends_close(&second);
    fixture_close(&fixture);
}

static unsigned descriptors_count(void) {
    unsigned count = 0;
    DIR *open_files = opendir("/proc/self/fd");
    while (readdir(open_files))
        count++;
    closedir(open_files);
    return count;
}

static void what_a_request_brings_in_vain_is_closed(void) {
    Fixture fixture = fixture_open(false, getuid());
    int unfit = open("/", O_PATH | O_CLOEXEC), fit[2];
    CHECK(pipe2(fit, O_CLOEXEC) == 0);
    int refused = client_open(&fixture);
    unsigned before = descriptors_count();
    register_send(refused, "front", getpid(), (const int[]){ fit[0], unfit, fit[1], fit[1] }, 4);
    turn(&fixture);
    CHECK(descriptors_count() == before);
    int taken = client_open(&fixture);
    register_send(taken, "front", getpid(), (const int[]){ fit[0], fit[0], fit[1], fit[1], fit[1], fit[1] }, 6);
    turn(&fixture);
    CHECK(descriptors_count() == before + 1 + 5);
    close(refused);
    close(taken);
    close(unfit);
    close(fit[0]);
    close(fit[1]);
    fixture_close(&fixture);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    output_is_journaled_in_the_apps_name();
    clients_get_copies_and_the_end();
    a_hold_ends_with_the_first_client();
    output_of_a_process_that_is_gone_waits_for_the_drain();
    what_nobody_drains_is_journaled_at_the_end();
    a_slow_client_slows_the_app_and_loses_nothing();
    input_reaches_the_app_and_waits_while_it_does_not_read();
    an_app_that_takes_no_input_is_told_as_such();
    a_terminal_is_relayed_both_ways_and_resized();
    a_terminal_has_its_clients_size_before_the_app_runs();
    nonsense_is_answered_and_dropped();
    a_join_tells_who_relays_and_leaves_room_for_a_request();
    an_end_is_kept_for_the_loop();
    only_the_owner_may_connect();
    a_restarted_app_takes_its_old_place();
    what_a_request_brings_in_vain_is_closed();
    return failures > 0;
}

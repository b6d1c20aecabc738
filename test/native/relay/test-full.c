/* The relay when something is full: its table of clients, a client's socket, the journal's, an app's input. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "fixture.h"

#define NAME_SIZE 16

/* Writes until the relay takes no more, while the journal is read; returns how much was written. */
static size_t app_write_until_full(Fixture *fixture, const Ends *ends, size_t *journaled) {
    static uint8_t chunk[PACKET_BODY_MAX];
    size_t written = 0;
    char text[65536];
    pid_t from;
    fcntl(ends->out, F_SETFL, O_WRONLY | O_NONBLOCK);
    for (ssize_t n; (n = write(ends->out, chunk, sizeof chunk)) > 0; turn(fixture)) {
        written += (size_t)n;
        for (int got; (got = journal_read(ends->out_log, text, sizeof text, &from)) > 0;)
            *journaled += (size_t)got;
    }
    return written;
}

static size_t journal_read_all(int log) {
    char text[65536];
    pid_t from;
    size_t all = 0;
    for (int got; (got = journal_read(log, text, sizeof text, &from)) > 0;)
        all += (size_t)got;
    return all;
}

/* As at the start of the largest pod: each app's launcher registers it, and has another connection for its messages. */
static void every_app_of_the_largest_pod_may_wait_at_once(void) {
    static Ends ends[RELAY_APPS_MAX];
    int stage1[RELAY_APPS_MAX], other[RELAY_APPS_MAX];
    char name[NAME_SIZE];
    Fixture fixture = fixture_open(true, getuid());
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++) {
        snprintf(name, sizeof name, "app%u", i);
        stage1[i] = app_open(&fixture, name, getpid(), &ends[i]);
        other[i] = client_open(&fixture);
        if (i % 4 == 3) /* the fixture's backlog */
            turn(&fixture);
    }
    int front = client_open(&fixture);
    CHECK(packet_send(front, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    CHECK(heard(front, PACKET_APP, 0, "app0"));
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++)
        CHECK(app_name_send(other[i], PACKET_DRAIN, "nobody"));
    turn(&fixture);
    for (unsigned i = 0; i < RELAY_APPS_MAX; i++) {
        CHECK(heard(stage1[i], PACKET_OK, 0, ""));
        CHECK(heard(other[i], PACKET_OK, 0, ""));
        close(stage1[i]);
        close(other[i]);
        ends_close(&ends[i]);
    }
    close(front);
    fixture_close(&fixture);
}

static void who_finds_no_room_waits_for_it(void) {
    int idle[RELAY_CLIENTS_MAX];
    Packet packet;
    Fixture fixture = fixture_open(false, getuid());
    for (unsigned i = 0; i < RELAY_CLIENTS_MAX; i++) {
        idle[i] = client_open(&fixture);
        if (i % 8 == 7)
            turn(&fixture);
    }
    int late = client_open(&fixture);
    CHECK(app_name_send(late, PACKET_DRAIN, "nobody"));
    turn(&fixture);
    CHECK(packet_receive(late, &packet, NULL) == -EAGAIN);
    close(idle[0]);
    turn(&fixture);
    CHECK(heard(late, PACKET_OK, 0, ""));
    for (unsigned i = 1; i < RELAY_CLIENTS_MAX; i++)
        close(idle[i]);
    close(late);
    fixture_close(&fixture);
}

static void who_comes_while_descriptors_are_short_waits_without_a_turn(void) {
    struct rlimit before, few;
    struct epoll_event event;
    Packet packet;
    Fixture fixture = fixture_open(false, getuid());
    int late = client_open(&fixture), lowest = dup(late);
    CHECK(app_name_send(late, PACKET_DRAIN, "nobody"));
    close(lowest);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK(epoll_wait(fixture.epoll, &event, 1, -1) == 1);
    relay_dispatch(fixture.relay, event.data.u64, event.events);
    CHECK(fixture.relay->rested > 0 && epoll_wait(fixture.epoll, &event, 1, 0) == 0);
    CHECK(packet_receive(late, &packet, NULL) == -EAGAIN);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    fixture.relay->rested = 1;
    turn(&fixture);
    turn(&fixture);
    CHECK(heard(late, PACKET_OK, 0, ""));
    CHECK(relay_timeout(fixture.relay) == -1);
    close(late);
    fixture_close(&fixture);
}

static void what_no_client_takes_is_journaled_at_the_end(void) {
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    size_t journaled = 0;
    int stage1 = app_open(&fixture, "front", getpid(), &ends), client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    size_t written = app_write_until_full(&fixture, &ends, &journaled);
    CHECK(journaled < written);
    relay_finish(fixture.relay);
    journaled += journal_read_all(ends.out_log);
    CHECK(journaled == written);
    close(stage1);
    close(client);
    ends_close(&ends);
    fixture_close(&fixture);
}

/* Its deadline is set to now: what waits for it otherwise has been tried before. */
static void a_drain_goes_on_without_a_client_that_takes_nothing(void) {
    static Packet packet;
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    size_t journaled = 0, copied = 0, drained = 0;
    int r, stage1 = app_open(&fixture, "front", getpid(), &ends), client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    size_t written = app_write_until_full(&fixture, &ends, &journaled);
    int record = client_open(&fixture);
    CHECK(app_name_send(record, PACKET_DRAIN, "front"));
    turn(&fixture);
    CHECK(packet_receive(record, &packet, NULL) == -EAGAIN);
    CHECK(relay_timeout(fixture.relay) > 0 && relay_timeout(fixture.relay) < 5000); /* before gantry-record gives up */
    fixture.relay->app[0].deadline = 1;
    turn(&fixture);
    for (turn(&fixture); (r = packet_receive(record, &packet, NULL)) == 1 && packet.head.type == PACKET_DATA; turn(&fixture))
        drained += packet.head.length;
    CHECK(r == 1 && packet.head.type == PACKET_OK);
    CHECK(journaled + journal_read_all(ends.out_log) + drained == written);
    while ((r = packet_receive(client, &packet, NULL)) == 1)
        copied += packet.head.type == PACKET_DATA ? packet.head.length : 0;
    CHECK(r == -EAGAIN && copied + drained == written); /* what it had been sent is still there, and it stays */
    close(stage1);
    close(client);
    close(record);
    ends_close(&ends);
    fixture_close(&fixture);
}

/* A client that hangs up sets free what waited for it, here the other app's errors, which the journal had not taken. */
static void bytes_in_hand_are_not_mixed_with_those_that_a_lost_client_sets_free(void) {
    static uint8_t errors[3 * PACKET_BODY_MAX];
    Fixture fixture = fixture_open(false, getuid());
    Ends slow, quick;
    char text[64];
    pid_t from;
    size_t journaled = 0;
    const int small = 1, large = 1 << 20;
    int one = app_open(&fixture, "slow", getpid(), &slow), two = app_open(&fixture, "quick", getpid(), &quick);
    int client = client_open(&fixture);
    CHECK(packet_send(client, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    turn(&fixture);
    const Stream *held = &fixture.relay->app[0].stream[STREAM_STDERR];
    setsockopt(held->journal, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    memset(errors, 'e', sizeof errors);
    CHECK(write(slow.err, errors, sizeof errors) == sizeof errors);
    turn(&fixture);
    CHECK(held->start < held->end);
    (void)app_write_until_full(&fixture, &quick, &journaled);
    close(client);
    (void)journal_read_all(slow.err_log);
    setsockopt(held->journal, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    CHECK(write(slow.out, "words", 5) == 5);
    relay_dispatch(fixture.relay, (uint64_t)RELAY_STREAM << 32 | (uint64_t)STREAM_STDOUT << 16, EPOLLIN);
    CHECK(journal_read(slow.out_log, text, sizeof text, &from) == 5 && strcmp(text, "words") == 0);
    close(one);
    close(two);
    ends_close(&slow);
    ends_close(&quick);
    fixture_close(&fixture);
}

/* What an app has read so far ends as it should: the bytes of each client in their order, none lost, none twice. */
static void input_of_two_clients_arrives_whole_and_in_order(void) {
    static uint8_t chunk[2][PACKET_BODY_MAX], back[PACKET_BODY_MAX];
    Fixture fixture = fixture_open(false, getuid());
    Ends ends;
    size_t sent[2] = { 0, 0 }, got[2] = { 0, 0 };
    int stage1 = app_open(&fixture, "front", getpid(), &ends), client[2] = { client_open(&fixture), client_open(&fixture) };
    for (unsigned i = 0; i < 2; i++) {
        memset(chunk[i], 'a' + (int)i, sizeof chunk[i]);
        CHECK(packet_send(client[i], PACKET_ATTACH, 0, 0, i ? "front" : NULL, i ? 5 : 0) == 0);
    }
    turn(&fixture);
    fcntl(ends.input, F_SETFL, O_RDONLY | O_NONBLOCK);
    for (unsigned round = 0; round < 6; round++)
        for (unsigned i = 0; i < 2; i++) {
            sent[i] += packet_send(client[i], PACKET_DATA, STREAM_STDIN, 0, chunk[i], sizeof chunk[i]) == 0;
            turn(&fixture);
        }
    CHECK(packet_send(client[1], PACKET_EOF, STREAM_STDIN, 0, NULL, 0) == 0); /* its bytes are waiting */
    int late = client_open(&fixture);
    CHECK(packet_send(late, PACKET_ATTACH, 0, 0, NULL, 0) == 0);
    CHECK(packet_send(late, PACKET_DATA, STREAM_STDIN, 0, "z", 1) == 0);
    turn(&fixture);
    for (ssize_t n; (n = read(ends.input, back, sizeof back)) > 0; turn(&fixture))
        for (ssize_t i = 0; i < n; i++)
            if (back[i] != 'z')
                got[back[i] - 'a']++;
    CHECK(got[1] == sent[1] * PACKET_BODY_MAX); /* all that it sent before its end */
    CHECK(got[0] % PACKET_BODY_MAX == 0 && got[0] >= 2 * PACKET_BODY_MAX);
    CHECK(read(ends.input, back, sizeof back) == 0);
    close(stage1);
    close(client[0]);
    close(client[1]);
    close(late);
    ends_close(&ends);
    fixture_close(&fixture);
}

int main(void) {
    const struct rlimit descriptors = { 4096, 4096 };
    signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    every_app_of_the_largest_pod_may_wait_at_once();
    who_finds_no_room_waits_for_it();
    who_comes_while_descriptors_are_short_waits_without_a_turn();
    what_no_client_takes_is_journaled_at_the_end();
    a_drain_goes_on_without_a_client_that_takes_nothing();
    bytes_in_hand_are_not_mixed_with_those_that_a_lost_client_sets_free();
    input_of_two_clients_arrives_whole_and_in_order();
    return failures > 0;
}

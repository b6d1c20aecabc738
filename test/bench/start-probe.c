/* Measures how long systemd and what it starts take from StartTransientUnit to the first instruction of an app.

   start-probe ROUNDS PACE_MS <CASES.json

   A case is `{"name","unit","properties","aux","stamp","units"}`: one StartTransientUnit call as in units.json
   (docs/launch-plan.md), the file that the probe writes, and every unit that must be gone before the next sample.
   Each round takes every case once, with the same pause before each, in an order of its own: what one leaves behind is
   met by each of the others, itself included. A line per sample: `<name> <nanoseconds>`. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "gantry/marshal.h"
#include "json/json.h"

#define SYSTEMD "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

#define CASES_MAX (1U << 20)

static const int64_t second = INT64_C(1000000000);
enum { CASE_COUNT_MAX = 16 };

static int64_t now_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second + now.tv_nsec;
}

static void sleep_nanoseconds(int64_t duration) {
    struct timespec pause = {.tv_sec = duration / second, .tv_nsec = duration % second};
    nanosleep(&pause, NULL);
}

static int append_property(sd_bus_message *message, const Json *property) {
    const char *name = json_text(json_element(property, 0));
    const char *type = json_text(json_element(property, 1));
    int r = sd_bus_message_open_container(message, 'r', "sv");
    if (r >= 0)
        r = sd_bus_message_append_basic(message, 's', name);
    if (r >= 0)
        r = sd_bus_message_open_container(message, 'v', type);
    if (r >= 0)
        r = marshal_append(message, type, json_element(property, 2));
    if (r >= 0)
        r = sd_bus_message_close_container(message);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_properties(sd_bus_message *message, const Json *properties) {
    int r = sd_bus_message_open_container(message, 'a', "(sv)");
    for (size_t i = 0; r >= 0 && i < json_count(properties); i++)
        r = append_property(message, json_element(properties, i));
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_aux(sd_bus_message *message, const Json *aux) {
    int r = sd_bus_message_open_container(message, 'a', "(sa(sv))");
    for (size_t i = 0; r >= 0 && i < json_count(aux); i++) {
        const Json *unit = json_element(aux, i);
        r = sd_bus_message_open_container(message, 'r', "sa(sv)");
        if (r >= 0)
            r = sd_bus_message_append_basic(message, 's', json_text(json_element(unit, 0)));
        if (r >= 0)
            r = append_properties(message, json_element(unit, 1));
        if (r >= 0)
            r = sd_bus_message_close_container(message);
    }
    return r < 0 ? r : sd_bus_message_close_container(message);
}

static int make_call(sd_bus *bus, const Json *test, sd_bus_message **ret_call) {
    sd_bus_message *call = NULL;
    int r = sd_bus_message_new_method_call(bus, &call, SYSTEMD, "StartTransientUnit");
    if (r >= 0)
        r = sd_bus_message_append(call, "ss", json_text(json_member(test, "unit")), "fail");
    if (r >= 0)
        r = append_properties(call, json_member(test, "properties"));
    if (r >= 0)
        r = append_aux(call, json_member(test, "aux"));
    if (r < 0) {
        sd_bus_message_unref(call);
        return r;
    }
    *ret_call = call;
    return 0;
}

/* The time that the probe wrote; -ETIMEDOUT after ten seconds. */
static int await_stamp(const char *path, int64_t *ret_nanoseconds) {
    int64_t deadline = now_monotonic() + 10 * second;
    while (now_monotonic() < deadline) {
        int64_t stamp;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, &stamp, sizeof stamp);
        if (fd >= 0)
            close(fd);
        if (n == sizeof stamp) {
            *ret_nanoseconds = stamp;
            return 0;
        }
        sleep_nanoseconds(2000000);
    }
    return -ETIMEDOUT;
}

static bool unit_exists(sd_bus *bus, const char *unit) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_call_method(bus, SYSTEMD, "GetUnit", &error, NULL, "s", unit);
    sd_bus_error_free(&error);
    return r >= 0;
}

/* A sample that ends in a failed unit would measure something else: it times out here. */
static int await_gone(sd_bus *bus, const Json *units) {
    int64_t deadline = now_monotonic() + 10 * second;
    for (size_t i = 0; i < json_count(units);) {
        if (!unit_exists(bus, json_text(json_element(units, i))))
            i++;
        else if (now_monotonic() > deadline)
            return -ETIMEDOUT;
        else
            sleep_nanoseconds(5000000);
    }
    return 0;
}

static int take_sample(sd_bus *bus, const Json *test, int64_t *ret_nanoseconds) {
    const char *stamp_path = json_text(json_member(test, "stamp"));
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *call = NULL;
    int64_t stamp = 0;

    (void)unlink(stamp_path);
    int r = make_call(bus, test, &call);
    int64_t begin = now_monotonic();
    if (r >= 0)
        r = sd_bus_call(bus, call, 0, &error, NULL);
    if (r < 0)
        fprintf(stderr, "start-probe: StartTransientUnit: %s\n", error.message ? error.message : strerror(-r));
    if (r >= 0)
        r = await_stamp(stamp_path, &stamp);
    if (r >= 0)
        r = await_gone(bus, json_member(test, "units"));
    sd_bus_message_unref(call);
    sd_bus_error_free(&error);
    if (r < 0)
        return r;
    *ret_nanoseconds = stamp - begin;
    return 0;
}

static void shuffle(size_t *order, size_t count) {
    for (size_t left = count; left > 1; left--) {
        size_t other = (size_t)random() % left, last = order[left - 1];
        order[left - 1] = order[other];
        order[other] = last;
    }
}

static int run_rounds(sd_bus *bus, const Json *tests, long rounds, int64_t pace) {
    size_t order[CASE_COUNT_MAX], count = json_count(tests);
    if (count > CASE_COUNT_MAX) {
        fprintf(stderr, "start-probe: more than %d cases\n", CASE_COUNT_MAX);
        return -E2BIG;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (long round = 0; round < rounds; round++) {
        shuffle(order, count);
        for (size_t i = 0; i < count; i++) {
            const Json *test = json_element(tests, order[i]);
            const char *name = json_text(json_member(test, "name"));
            int64_t nanoseconds;
            sleep_nanoseconds(pace);
            int r = take_sample(bus, test, &nanoseconds);
            if (r < 0) {
                fprintf(stderr, "start-probe: %s: %s\n", name, strerror(-r));
                return r;
            }
            printf("%s %" PRId64 "\n", name, nanoseconds);
        }
    }
    return 0;
}

int main(int argc, char *argv[]) {
    if (argc != 3) {
        fprintf(stderr, "usage: start-probe ROUNDS PACE_MS <CASES.json\n");
        return 2;
    }
    _cleanup_free_ char *text = NULL, *sentence = NULL;
    _cleanup_json_ Json *tests = NULL;
    size_t size;
    int r = io_read_all(STDIN_FILENO, CASES_MAX, &text, &size);
    if (r >= 0)
        r = json_parse(text, size, &tests, &sentence);
    if (r < 0) {
        fprintf(stderr, "start-probe: %s\n", sentence ? sentence : strerror(-r));
        return 2;
    }
    sd_bus *bus = NULL;
    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = run_rounds(bus, tests, strtol(argv[1], NULL, 10), strtol(argv[2], NULL, 10) * INT64_C(1000000));
    sd_bus_flush_close_unref(bus);
    return r < 0 ? 1 : 0;
}

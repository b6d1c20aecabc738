/* JSON to D-Bus: what each signature takes, checked by reading the sealed message back, and what it refuses. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "gantry/marshal.h"

typedef struct Case {
    const char *signature;
    const char *json;
    int result; /* 0, or the errno it is refused with */
} Case;

static const Case cases[] = {
    { "s", "\"gantry.slice\"", 0 },
    { "s", "\"a\\u0000b\"", EBADMSG },
    { "s", "7", EBADMSG },
    { "o", "\"/org/freedesktop\"", 0 },
    { "o", "\"no path\"", EINVAL },
    { "b", "true", 0 },
    { "b", "1", EBADMSG },
    { "i", "-2147483648", 0 },
    { "i", "2147483648", EBADMSG },
    { "u", "4294967295", 0 },
    { "u", "-1", EBADMSG },
    { "t", "9223372036854775807", 0 },
    { "t", "\"infinity\"", 0 },
    { "t", "\"lots\"", EBADMSG },
    { "t", "1.5", EBADMSG },
    { "x", "-5", 0 },
    { "y", "255", 0 },
    { "y", "256", EBADMSG },
    { "q", "65535", 0 },
    { "n", "-32768", 0 },
    { "as", "[\"a\", \"b\"]", 0 },
    { "as", "[]", 0 },
    { "as", "[1]", EBADMSG },
    { "as", "\"a\"", EBADMSG },
    { "ay", "\"bytes\"", 0 },
    { "ay", "[1, 2, 255]", 0 },
    { "ay", "[256]", EBADMSG },
    { "aay", "[\"GANTRY_POD=web\", [65]]", 0 },
    { "a(ss)", "[[\"/dev/null\", \"rw\"]]", 0 },
    { "a(ss)", "[[\"/dev/null\"]]", EBADMSG },
    { "a(ss)", "[[\"/dev/null\", \"rw\", \"x\"]]", EBADMSG },
    { "a(sb)", "[[\"/etc/env\", false]]", 0 },
    { "a(sasb)", "[[\"/bin/true\", [\"true\", \"$FOO\"], false]]", 0 },
    { "a(sasas)", "[[\"/bin/true\", [\"true\"], [\"no-env-expand\"]]]", 0 },
    { "(bas)", "[true, [\"@system-service\"]]", 0 },
    { "(aiai)", "[[1, 2], [15]]", 0 },
    { "a(iayu)", "[[2, [127, 0, 0, 1], 8]]", 0 },
    { "a(iiqq)", "[[2, 6, 1, 80]]", 0 },
    { "a(sst)", "[[\"/etc/hosts\", \"hosts\", 1]]", 0 },
    { "v", "\"x\"", EINVAL },
    { "", "\"x\"", EINVAL },
    { "ss", "\"x\"", EINVAL },
    { "a", "[]", EINVAL },
    { "()", "[]", EINVAL },
    { "(s", "[\"x\"]", EINVAL },
    { "a{sv}", "[]", EINVAL },
};

/* The message, unsealed and dumped, must say what the JSON said. */
static const struct {
    const char *signature, *json, *says;
} contents[] = {
    { "t", "\"infinity\"", "UINT64 18446744073709551615;" },
    { "i", "-7", "INT32 -7;" },
    { "a(sasas)", "[[\"/bin/sh\", [\"sh\", \"$HOME\"], [\"no-env-expand\"]]]", "STRING \"$HOME\";" },
    { "ay", "[1, 254]", "BYTE 254;" },
};

static sd_bus *bus;

static int message_make(const char *signature, const char *json, sd_bus_message **ret) {
    _cleanup_json_ Json *value = NULL;
    int r = json_parse(json, strlen(json), &value, NULL);
    if (r >= 0)
        r = sd_bus_message_new_signal(bus, ret, "/", "org.example.Test", "Test");
    return r < 0 ? r : marshal_append(*ret, signature, value);
}

static int case_check(const Case *example) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    int r = message_make(example->signature, example->json, &message);
    if ((r < 0 ? -r : 0) == example->result &&
        (r < 0 || (sd_bus_message_seal(message, 1, 0) >= 0 &&
                   strcmp(sd_bus_message_get_signature(message, 1), example->signature) == 0)))
        return 0;
    fprintf(stderr, "%s as \"%s\": %d, expected %d\n", example->json, example->signature, r, -example->result);
    return 1;
}

static int contents_check(size_t i) {
    __attribute__((__cleanup__(sd_bus_message_unrefp))) sd_bus_message *message = NULL;
    char *text = NULL;
    size_t size;
    FILE *dump = open_memstream(&text, &size);
    bool said = false;
    if (dump && message_make(contents[i].signature, contents[i].json, &message) >= 0 &&
        sd_bus_message_seal(message, 1, 0) >= 0 && sd_bus_message_dump(message, dump, 0) >= 0 && fclose(dump) == 0)
        said = strstr(text, contents[i].says) != NULL;
    if (!said)
        fprintf(stderr, "%s: no \"%s\" in:\n%s\n", contents[i].json, contents[i].says, text ? text : "");
    free(text);
    return !said;
}

/* A message needs a bus; this one talks to a socket pair nobody answers on. */
static int bus_open(void) {
    int pair[2];
    sd_id128_t id = { 0 };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    int r = sd_bus_new(&bus);
    if (r >= 0)
        r = sd_bus_set_fd(bus, pair[0], pair[0]);
    if (r >= 0)
        r = sd_bus_set_server(bus, 1, id);
    return r < 0 ? r : sd_bus_start(bus);
}

int main(void) {
    int failures = 0;
    if (bus_open() < 0)
        return 99;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        failures += case_check(&cases[i]);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++)
        failures += contents_check(i);
    bus = sd_bus_close_unref(bus);
    return failures > 0;
}

/* D-Bus messages as gantry-start writes and reads them: bytes by the specification, refusals, and what was cut short. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "start/message.h"
#include "start/value.h"

typedef struct Case {
    const char *signature, *json;
    const char *bytes; /* in hex digits; NULL: refused with `error` */
    int error;
} Case;

static const Case cases[] = {
    { "s", "\"ab\"", "02000000616200", 0 },
    { "s", "7", NULL, EBADMSG },
    { "o", "\"/a\"", "020000002f6100", 0 },
    { "b", "true", "01000000", 0 },
    { "b", "1", NULL, EBADMSG },
    { "i", "-2", "feffffff", 0 },
    { "i", "2147483648", NULL, EBADMSG },
    { "u", "4294967295", "ffffffff", 0 },
    { "u", "-1", NULL, EBADMSG },
    { "t", "1", "0100000000000000", 0 },
    { "t", "\"infinity\"", "ffffffffffffffff", 0 },
    { "t", "\"lots\"", NULL, EBADMSG },
    { "x", "-5", "fbffffffffffffff", 0 },
    { "y", "256", NULL, EBADMSG },
    { "q", "258", "0201", 0 },
    { "as", "[]", "00000000", 0 },
    { "as", "[\"a\", \"b\"]", "0e0000000100000061000000" "010000006200", 0 },
    { "as", "[1]", NULL, EBADMSG },
    { "as", "\"a\"", NULL, EBADMSG },
    { "ay", "\"ab\"", "020000006162", 0 },
    { "aay", "[\"a\", [66]]", "0d0000000100000061000000" "0100000042", 0 },
    { "at", "[1]", "08000000" "00000000" "0100000000000000", 0 },
    { "(su)", "[\"a\", 1]", "0100000061000000" "01000000", 0 },
    { "a(sb)", "[[\"a\", false]]", "0c000000" "00000000" "0100000061000000" "00000000", 0 },
    { "a(sb)", "[[\"a\"]]", NULL, EBADMSG },
    { "a(sb)", "[[\"a\", false, 1]]", NULL, EBADMSG },
    { "v", "\"x\"", NULL, EINVAL },
    { "", "\"x\"", NULL, EINVAL },
    { "ss", "\"x\"", NULL, EINVAL },
    { "(s", "[\"x\"]", NULL, EINVAL },
    { "()", "[]", NULL, EINVAL },
};

static int failures;

static void check(bool right, const char *what, const char *object) {
    if (right)
        return;
    fprintf(stderr, "%s: %s\n", object, what);
    failures++;
}

static void test_value(const Case *test) {
    _cleanup_message_ Message message = { 0 };
    _cleanup_json_ Json *value = NULL;
    char hex[256] = "";
    check(json_parse(test->json, strlen(test->json), &value, NULL) == 0, "no JSON", test->json);
    int r = value_put(&message, test->signature, value);
    for (size_t i = 0; i < message.size && 2 * i + 2 < sizeof hex; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", message.bytes[i]);
    if (test->bytes)
        check(r == 0 && strcmp(hex, test->bytes) == 0, hex, test->signature);
    else
        check(r == -test->error, "not refused", test->json);
}

static void call_make(Message *message) {
    message_begin(message, &(Call){ "/a", "b.C", "JobRemoved", "us" });
    message_put_u32(message, 7);
    message_put_text(message, "/job/7");
    check(message_end(message, 9) == 0, "not made", "call");
}

static void test_read(void) {
    _cleanup_message_ Message message = { 0 };
    Received received;
    size_t size = 0;
    uint32_t number = 0;
    call_make(&message);
    check(message_size(message.bytes, &size) == 0 && size == message.size, "size", "call");
    check(message_read(message.bytes, size, &received) == 0 && received.type == MESSAGE_CALL, "not read", "call");
    check(received.member && strcmp(received.member, "JobRemoved") == 0 && !received.error, "fields", "call");
    check(received_u32(&received, &number) && number == 7, "number", "call");
    const char *text = received_text(&received);
    check(text && strcmp(text, "/job/7") == 0, "text", "call");
    check(!received_text(&received) && !received_u32(&received, &number), "past its end", "call");
}

/* Every beginning of a message, and every byte of its head and fields turned: refused or read, never beyond its end. */
static void test_damaged(void) {
    _cleanup_message_ Message message = { 0 };
    Received received;
    call_make(&message);
    for (size_t at = 0; at < message.body; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            size_t size;
            message.bytes[at] ^= (uint8_t)(1U << bit);
            if (message_size(message.bytes, &size) == 0 && size <= message.size &&
                message_read(message.bytes, size, &received) == 0)
                (void)received_text(&received);
            message.bytes[at] ^= (uint8_t)(1U << bit);
        }
}

int main(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        test_value(&cases[i]);
    test_read();
    test_damaged();
    return failures ? 1 : 0;
}

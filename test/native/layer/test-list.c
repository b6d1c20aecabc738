/* The digest list gives back what was written, whatever the path's bytes and the time's sign. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "layer/list.h"

static const struct {
    const char *path;
    struct timespec time;
    const char *text;
} cases[] = {
    { "plain/name-1.0_x", { 0, 0 }, "f 755 1 2 3 0 - plain/name-1.0_x\n" },
    { "a b%c\n\x01\x7f", { 1, 5 }, "f 755 1 2 3 1000000005 - a%20b%25c%0A%01%7F\n" },
    { "\xc3\xa9\xff", { 0, 999999999 }, "f 755 1 2 3 999999999 - %C3%A9%FF\n" },
    { ".", { -1, 0 }, "f 755 1 2 3 -1000000000 - .\n" },
    { "half", { -1, 500000000 }, "f 755 1 2 3 -500000000 - half\n" },
    { "before", { -3, 750000000 }, "f 755 1 2 3 -2250000000 - before\n" },
    { "far", { 8589934591, 1 }, "f 755 1 2 3 8589934591000000001 - far\n" },
    { "farther", { 67768036191676799, 999999999 }, "f 755 1 2 3 67768036191676799999999999 - farther\n" },
    { "first", { -67768040609740800, 0 }, "f 755 1 2 3 -67768040609740800000000000 - first\n" },
};
#define CASES (sizeof(cases) / sizeof(*cases))

static int failures;

static void check(bool condition, const char *what, const char *path) {
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", path, what);
    failures++;
}

static void cases_write(struct List *list) {
    for (size_t i = 0; i < CASES; i++) {
        const struct ListLine line = { .type = 'f', .mode = 0100755, .uid = 1, .gid = 2, .size = 3, .time = cases[i].time,
                                       .path = cases[i].path };
        check(list_write(list, &line) == 0, "not written", cases[i].path);
    }
}

static void cases_read(struct List *list) {
    struct ListItem item;
    check(list_rewind(list) == 0, "not rewound", "list");
    for (size_t i = 0; i < CASES; i++) {
        check(list_read(list, &item) == 1, "not read", cases[i].path);
        check(item.type == 'f', "another type", cases[i].path);
        check(strcmp(item.path, cases[i].path) == 0, "another path", cases[i].path);
        check(item.time.tv_sec == cases[i].time.tv_sec && item.time.tv_nsec == cases[i].time.tv_nsec, "another time",
              cases[i].path);
    }
    check(list_read(list, &item) == 0, "more than was written", "list");
}

static void text_check(int directory) {
    _cleanup_free_ char *text = NULL;
    check(file_read(directory, "digests", 1 << 16, &text, NULL) == 0, "unreadable", "digests");
    const char *at = text ? text : "";
    for (size_t i = 0; i < CASES; i++) {
        check(strncmp(at, cases[i].text, strlen(cases[i].text)) == 0, "another line", cases[i].path);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
}

/* What list_path_encode() never writes is no path: two readers could take it for two. */
static void decoding_check(void) {
    static const char *const refused[] = { "a%00b", "%", "%2", "%2g", "%c3" };
    char taken[] = "a%20b%FF", line[] = "f 755 1 2 3 0 - a%00b";
    struct ListLine parsed;
    check(list_path_decode(taken) == 0 && strcmp(taken, "a b\xff") == 0, "not decoded", "a%20b%FF");
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        char text[16];
        strcpy(text, refused[i]);
        check(list_path_decode(text) == -EBADMSG, "decoded", refused[i]);
    }
    check(list_parse(line, &parsed) == -EBADMSG, "parsed", "a%00b");
}

int main(void) {
    char path[] = "/tmp/gantry-list-XXXXXX";
    if (!mkdtemp(path))
        return 1;
    _cleanup_fd_ int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct List list;
    check(list_open(&list, directory, "digests") == 0, "not created", path);
    cases_write(&list);
    cases_read(&list);
    list_close(&list);
    text_check(directory);
    decoding_check();
    check(unlinkat(directory, "digests", 0) == 0 && rmdir(path) == 0, "not removed", path);
    return failures > 0;
}

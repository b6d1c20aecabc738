/* The trust generation against test/golden/generations, over a tree that changes, and a pod's stamp. Argument: that
 * directory. `test-trust --of ROOT` prints a root's generation, for the comparison with src/trust/generation.ts; `test-trust
 * --time POD COUNT` prints how many nanoseconds each of so many looks at a pod's stamp has taken, for the bench. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "json/json.h"
#include "trust/generation.h"
#include "trust/stamp.h"

static void time_read(const Json *object, const char *key, struct timespec *ret) {
    uint64_t nanoseconds = 0;
    const char *text = json_text(json_member(object, key));
    CHECK(text && text_to_number(text, UINT64_MAX, &nanoseconds) == 0, "%s", key);
    *ret = (struct timespec){ (time_t)(nanoseconds / 1000000000U), (long)(nanoseconds % 1000000000U) };
}

static struct stat facts_read(const Json *object, mode_t mode) {
    struct stat facts = { .st_mode = mode };
    uint64_t inode = 0, size = 0;
    CHECK(text_to_number(json_text(json_member(object, "ino")), UINT64_MAX, &inode) == 0, "ino");
    CHECK(text_to_number(json_text(json_member(object, "size")), INT64_MAX, &size) == 0, "size");
    facts.st_ino = inode;
    facts.st_size = (off_t)size;
    time_read(object, "mtime", &facts.st_mtim);
    time_read(object, "ctime", &facts.st_ctim);
    return facts;
}

static void check_golden(const char *directory, const char *name) {
    _cleanup_free_ char *path = NULL, *golden = NULL;
    _cleanup_json_ Json *document = NULL;
    size_t size;
    CHECK(text_format(&path, "%s/%s", directory, name) == 0 && file_read(AT_FDCWD, path, 1 << 20, &golden, &size) == 0 &&
              json_parse(golden, size, &document, NULL) == 0,
          "%s: unreadable", name);
    Generation generation;
    char text[GENERATION_DIGITS + 1];
    generation_start(&generation);
    const Json *entries = json_member(document, "entries");
    for (size_t i = 0; i < json_count(entries); i++) {
        const Json *entry = json_element(entries, i), *link = json_member(entry, "target");
        struct stat facts = facts_read(entry, link ? S_IFLNK : S_IFREG), target = { 0 };
        if (json_is(link, JSON_OBJECT))
            target = facts_read(link, S_IFREG);
        generation_add(&generation, json_text(json_member(entry, "path")), &facts,
                       json_is(link, JSON_OBJECT) ? &target : NULL);
    }
    generation_text(&generation, text);
    const char *wanted = json_text(json_member(document, "generation"));
    CHECK(wanted && strcmp(text, wanted) == 0, "%s: %s", name, text);
}

static void check_goldens(const char *directory) {
    _cleanup_dir_ DIR *goldens = opendir(directory);
    int count = 0;
    for (struct dirent *entry; goldens && (entry = readdir(goldens));)
        if (text_ends_with(entry->d_name, ".json")) {
            check_golden(directory, entry->d_name);
            count++;
        }
    CHECK(count >= 4, "%s: %d files", directory, count);
}

static void shell(const char *root, const char *command) {
    _cleanup_free_ char *line = NULL;
    CHECK(text_format(&line, "cd '%s' && %s", root, command) == 0 && system(line) == 0, "%s", command); /* NOLINT */
}

/* Each step must be seen; the last one is none. */
static void check_changes(const char *root) {
    static const char *const steps[] = {
        "mkdir -p etc/gantry/trust.d usr/lib/gantry",
        "mkdir -p etc/gantry/trustedkeys/root.d",
        "echo key >etc/gantry/trustedkeys/root.d/aa",
        "touch -d @1000 etc/gantry/trustedkeys/root.d/aa",
        "cd etc/gantry/trustedkeys/root.d && echo yek >aa && touch -d @1000 aa",
        "chmod 600 etc/gantry/trustedkeys/root.d/aa",
        "ln -s ../elsewhere.json etc/gantry/trust.d/10.json",
        "echo {} >etc/gantry/elsewhere.json",
        "echo {} >>etc/gantry/elsewhere.json",
        "mkdir -p run/gantry && ln -s /nowhere run/gantry/trustedkeys",
        "mkdir usr/lib/gantry/trust.d",
        "rm etc/gantry/trustedkeys/root.d/aa",
    };
    char before[GENERATION_DIGITS + 1], after[GENERATION_DIGITS + 1];
    CHECK(generation_read(root, before) == 0 && strcmp(before, "6c62272e07bb014262b821756295c58d") == 0, "%s", before);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        (void)usleep(20000); /* more than a tick, in which two times of a file are one before Linux 6.13 */
        shell(root, steps[i]);
        CHECK(generation_read(root, after) == 0 && strcmp(before, after) != 0, "not seen: %s", steps[i]);
        memcpy(before, after, sizeof before);
    }
    shell(root, "echo more >etc/gantry/elsewhere && cat etc/gantry/elsewhere.json >/dev/null && mkdir etc/gantry/pods");
    CHECK(generation_read(root, after) == 0 && strcmp(before, after) == 0, "what is not about trust");
}

static void stamp_write(const char *root, const char *text) {
    _cleanup_fd_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0 && file_replace(fd, "trust.json", text, 0600, false) == 0, "%s", root);
}

static void check_stamps(const char *root) {
    char generation[GENERATION_DIGITS + 1];
    _cleanup_free_ char *good = NULL, *timeless = NULL, *old = NULL;
    CHECK(generation_read(root, generation) == 0, "%s", root);
    CHECK(text_format(&good, "{\"version\":1,\"generation\":\"%s\",\"since\":100,\"until\":200,\"images\":[]}", generation) == 0 &&
              text_format(&timeless, "{\"version\":1,\"generation\":\"%s\",\"since\":100}", generation) == 0 &&
              text_format(&old, "{\"version\":2,\"generation\":\"%s\",\"since\":100}", generation) == 0,
          "memory");
    CHECK(!trust_stamp_holds_at(root, root, 150), "no stamp");
    stamp_write(root, good);
    CHECK(trust_stamp_holds_at(root, root, 150), "good");
    CHECK(trust_stamp_holds_at(root, root, 100) && trust_stamp_holds_at(root, root, 199), "its first and last second");
    CHECK(!trust_stamp_holds_at(root, root, 200), "a key has expired");
    CHECK(!trust_stamp_holds_at(root, root, 99), "the clock was set back");
    stamp_write(root, timeless);
    CHECK(trust_stamp_holds_at(root, root, 1LL << 40), "without an end");
    static const char *const bad[] = { "", "{", "[]", "{\"version\":1}", "{\"version\":1,\"generation\":\"\",\"since\":1}",
                                       "{\"version\":1,\"generation\":7,\"since\":1}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stamp_write(root, bad[i]);
        CHECK(!trust_stamp_holds_at(root, root, 150), "%s", bad[i]);
    }
    stamp_write(root, old);
    CHECK(!trust_stamp_holds_at(root, root, 150), "another version");
    stamp_write(root, timeless);
    shell(root, "chmod 666 trust.json");
    CHECK(!trust_stamp_holds_at(root, root, 150), "others may write it");
}

static uint64_t now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* Only a stamp that holds has been compared in full. */
static int stamp_time(const char *directory, const char *count) {
    uint64_t rounds = 0;
    if (text_to_number(count, 1000000, &rounds) < 0)
        return 2;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t begin = now();
        bool holds = trust_stamp_holds(directory);
        printf("check %" PRIu64 "\n", now() - begin);
        if (!holds)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--time") == 0)
        return stamp_time(argv[2], argv[3]);
    char generation[GENERATION_DIGITS + 1];
    if (argc == 3 && strcmp(argv[1], "--of") == 0) {
        int r = generation_read(argv[2], generation);
        puts(r < 0 ? strerror(-r) : generation);
        return r < 0;
    }
    char root[] = "/tmp/test-trust-XXXXXX";
    if (argc != 2 || !mkdtemp(root))
        return 1;
    check_goldens(argv[1]);
    check_changes(root);
    check_stamps(root);
    _cleanup_free_ char *removal = NULL;
    CHECK(text_format(&removal, "rm -rf '%s'", root) == 0 && system(removal) == 0, "%s", root); /* NOLINT */
    return checks_failed != 0;
}

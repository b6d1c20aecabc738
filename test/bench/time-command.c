/* Measures commands from fork to exit.

   time-command ROUNDS PACE_MS [NAME BEFORE COMMAND AFTER]…

   BEFORE and AFTER are shell scripts outside of the time; COMMAND is words separated by blanks and runs without a
   shell. The commands alternate within each round, with the same pause before each. All of them must succeed.
   A line per sample: `<name> <nanoseconds>`. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_WORDS = 255 };

static const int64_t second = INT64_C(1000000000);

static int64_t now_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second + now.tv_nsec;
}

static int run_words(char *const words[], const posix_spawn_file_actions_t *actions) {
    pid_t pid;
    int status;
    int r = posix_spawnp(&pid, words[0], actions, NULL, words, environ);
    if (r != 0)
        return -r;
    if (waitpid(pid, &status, 0) != pid)
        return -errno;
    return status == 0 ? 0 : -EPROTO;
}

static int run_script(char *script, const posix_spawn_file_actions_t *actions) {
    char *words[] = {"sh", "-ec", script, NULL};
    return *script == '\0' ? 0 : run_words(words, actions);
}

static int take_sample(char *test[4], const posix_spawn_file_actions_t *actions, int64_t *ret_nanoseconds) {
    char command[4096];
    char *words[MAX_WORDS + 1];
    size_t count = 0;
    snprintf(command, sizeof command, "%s", test[2]);
    for (char *rest = command, *word; (word = strsep(&rest, " ")) && count < MAX_WORDS;)
        words[count++] = word;
    words[count] = NULL;

    int r = run_script(test[1], actions);
    int64_t begin = now_monotonic();
    if (r >= 0)
        r = run_words(words, actions);
    int64_t end = now_monotonic();
    if (r >= 0)
        r = run_script(test[3], actions);
    if (r < 0)
        return r;
    *ret_nanoseconds = end - begin;
    return 0;
}

int main(int argc, char *argv[]) {
    if (argc < 7 || (argc - 3) % 4 != 0) {
        fprintf(stderr, "usage: time-command ROUNDS PACE_MS [NAME BEFORE COMMAND AFTER]...\n");
        return 2;
    }
    long rounds = strtol(argv[1], NULL, 10), pace = strtol(argv[2], NULL, 10);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (long round = 0; round < rounds; round++)
        for (int at = 3; at < argc; at += 4) {
            int64_t nanoseconds;
            struct timespec pause = {.tv_sec = pace / 1000, .tv_nsec = pace % 1000 * 1000000};
            nanosleep(&pause, NULL);
            int r = take_sample(argv + at, &actions, &nanoseconds);
            if (r < 0) {
                fprintf(stderr, "time-command: %s: %s\n", argv[at], strerror(-r));
                return 1;
            }
            printf("%s %" PRId64 "\n", argv[at], nanoseconds);
        }
    return 0;
}

/*
 * gantry: the front. Hot verbs run here; everything else, and every decision, is the TypeScript half's
 * (/usr/lib/gantry/cli.cjs), which hands back a launch order when there are pods to start.
 * Under the name gantry-agent it is the agent: a unit can't choose between a runtime of our own and the distribution's.
 * Under the name gantry-pod it is what gantry@.service stops by, and under those of the workers it becomes each of them.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "exec.h"
#include "installed.h"
#include "launch.h"
#include "loss.h"
#include "node.h"
#include "order.h"
#include "pod.h"
#include "stop.h"

typedef struct Words {
    const char *state; /* --dir */
    const char *verb;  /* NULL: none, or behind an option only the TypeScript half knows */
    char **rest;
} Words;

static const char *program_name(const char *path);
static Words words_read(char **arguments);
static bool wants_help(char **arguments);
static bool enters(const char *verb);
static bool launches(char **arguments);
static int launch_verb(char **arguments);
static int node_missing(int error);

int main(int argc, char **argv) {
    char **arguments = argv + (argc > 0);
    const char *program = argc > 0 ? program_name(argv[0]) : "gantry";
    if (argc == 1 && strcmp(program, "gantry-agent") == 0)
        return node_missing(node_execute_agent());
    if (strcmp(program, "gantry-pod") == 0)
        return installed_verb(arguments);
    if (strcmp(program, "gantry-fetcher") == 0 || strcmp(program, "gantry-verifier") == 0)
        return node_missing(node_execute_worker(program, arguments));
    Words words = words_read(arguments);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (words.verb && strcmp(words.verb, "version") == 0 && !*words.rest) {
        puts("gantry " GANTRY_VERSION);
        return loss_of_stdout(0, 1);
    }
    if (words.verb && enters(words.verb) && !wants_help(words.rest))
        return exec_verb(words.state, words.rest, argv);
    if (words.verb && strcmp(words.verb, "stop") == 0) {
        int status = stop_verb(words.state, words.rest);
        if (status != STOP_NOT_HERE)
            return loss_of_stdout(status, 1);
    }
    return launches(arguments) ? launch_verb(arguments) : node_missing(node_execute(arguments));
}

static const char *program_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Finds the verb behind the global options that matter here. */
static Words words_read(char **arguments) {
    Words words = { .state = STATE_DIRECTORY };
    char **at = arguments;
    for (; *at && (*at)[0] == '-'; at++) {
        if (strncmp(*at, "--dir=", strlen("--dir=")) == 0)
            words.state = *at + strlen("--dir=");
        else if (strcmp(*at, "--dir") == 0 && at[1])
            words.state = *++at;
        else
            return words;
    }
    words.verb = *at;
    words.rest = *at ? at + 1 : at;
    return words;
}

/* `gantry exec --help`: help is written once, in the TypeScript half. */
static bool wants_help(char **arguments) {
    return *arguments && (strcmp(*arguments, "--help") == 0 || strcmp(*arguments, "-h") == 0);
}

/* `e` alone may be either: the TypeScript half says so. */
static bool enters(const char *verb) {
    return verb[0] && verb[1] && (text_starts_with("exec", verb) || text_starts_with("enter", verb));
}

/* Is any word a beginning of a verb that may end in a launch order? A false alarm only costs the front's wait. */
static bool launches(char **arguments) {
    static const char *const verbs[] = { "run-prepared", "start", "restart" };
    for (; *arguments; arguments++)
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
            if (text_starts_with(verbs[i], *arguments))
                return true;
    return false;
}

static int launch_verb(char **arguments) {
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    pid_t node;
    int r = node_ask(arguments, &node, &line, &size);
    if (r < 0) {
        node_complain(r);
        return 125;
    }
    if (size == 0)
        return node_finish(node);
    LaunchOrder order = { 0 };
    r = launch_order_parse(line, size, &order);
    if (r < 0) {
        (void)node_wait(node);
        fputs("gantry: the launch order is not one this version knows\n", stderr);
        return 125;
    }
    int status = launch_run(&order);
    bool foreground = order.foreground;
    launch_order_done(&order);
    int decided = node_wait(node);
    /* In the background Node may have had systemd start the installed ones among the pods. */
    return foreground ? status : loss_of_stdout(status ? status : decided, 125);
}

static int node_missing(int error) {
    node_complain(error);
    return 1;
}

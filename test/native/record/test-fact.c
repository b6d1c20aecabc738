/* What gantry-record makes of systemd's environment. Argument: none; writes into a directory of its own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "record/fact.h"

static int failures;

static const struct {
    const char *result, *code, *status; /* NULL: not set */
    const char *fact;                   /* what the file says behind time and boot */
} ends[] = {
    { "success", "exited", "0", "\"result\": \"success\", \"code\": \"exited\", \"status\": 0}" },
    { "exit-code", "exited", "7", "\"result\": \"exit-code\", \"code\": \"exited\", \"status\": 7}" },
    { "signal", "killed", "KILL", "\"result\": \"signal\", \"code\": \"killed\", \"status\": 9}" },
    { "core-dump", "dumped", "SEGV", "\"result\": \"core-dump\", \"code\": \"dumped\", \"status\": 11}" },
    { "signal", "killed", "RTMIN+3", "\"result\": \"signal\", \"code\": \"killed\", \"status\": 37}" },
    { "signal", "killed", "NOSUCH", "\"result\": \"signal\", \"code\": \"killed\", \"status\": 0}" },
    { "timeout", "killed", "TERM", "\"result\": \"timeout\", \"code\": \"killed\", \"status\": 15}" },
    { "resources", NULL, NULL, "\"result\": \"resources\", \"code\": \"none\", \"status\": 0}" },
    { NULL, NULL, NULL, "\"result\": \"resources\", \"code\": \"none\", \"status\": 0}" },
    { "x\", \"y\": \"", "exited", "1", "\"result\": \"resources\", \"code\": \"exited\", \"status\": 1}" },
};

static void variable_set(const char *name, const char *value) {
    if (value)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}

static void fact_check(const char *directory, const char *name, const char *expected) {
    _cleanup_free_ char *text = NULL;
    _cleanup_fd_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status = { 0 };
    size_t size = 0;
    if (file_read(fd, name, 4096, &text, &size) < 0 || strncmp(text, "{\"version\": 1, \"time\": ", 23) != 0 ||
        !strstr(text, "\"boot\": \"") || !strstr(text, expected)) {
        fprintf(stderr, "%s: %s\n  expected %s\n", name, text ? text : "unreadable", expected);
        failures++;
    }
    if (fstatat(fd, name, &status, 0) < 0 || (status.st_mode & 0777) != 0600) {
        fprintf(stderr, "%s: mode %o\n", name, status.st_mode);
        failures++;
    }
}

int main(void) {
    char directory[] = "/tmp/test-fact-XXXXXX", path[64];
    if (!mkdtemp(directory))
        return 99;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        Fact fact;
        variable_set("SERVICE_RESULT", ends[i].result);
        variable_set("EXIT_CODE", ends[i].code);
        variable_set("EXIT_STATUS", ends[i].status);
        fact_read(&fact);
        if (fact_write_exit(directory, &fact) < 0)
            failures++;
        fact_check(directory, "exit", ends[i].fact);
    }
    variable_set("SERVICE_RESULT", "success");
    Fact fact;
    fact_read(&fact);
    if (fact_write_ended(directory, &fact) < 0)
        failures++;
    fact_check(directory, "ended", "\"result\": \"success\"}");
    if (fact_write_ended("/no/such/directory", &fact) == 0)
        failures++;
    (void)snprintf(path, sizeof path, "%s/exit", directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/ended", directory);
    (void)unlink(path);
    return rmdir(directory) < 0 || failures > 0; /* a temporary file left behind keeps the directory */
}

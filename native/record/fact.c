#include "fact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "basic/boot.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"

/* As systemd names them in $EXIT_STATUS. Its real-time signals begin where glibc's do; musl's own use is another. */
static const char *const signal_names[] = {
    [SIGHUP] = "HUP",   [SIGINT] = "INT",   [SIGQUIT] = "QUIT", [SIGILL] = "ILL",     [SIGTRAP] = "TRAP",
    [SIGABRT] = "ABRT", [SIGBUS] = "BUS",   [SIGFPE] = "FPE",   [SIGKILL] = "KILL",   [SIGUSR1] = "USR1",
    [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2", [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",   [SIGTERM] = "TERM",
    [SIGCHLD] = "CHLD", [SIGCONT] = "CONT", [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",   [SIGTTIN] = "TTIN",
    [SIGTTOU] = "TTOU", [SIGURG] = "URG",   [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",   [SIGVTALRM] = "VTALRM",
    [SIGPROF] = "PROF", [SIGIO] = "IO",     [SIGPWR] = "PWR",   [SIGWINCH] = "WINCH", [SIGSYS] = "SYS",
    [SIGSTKFLT] = "STKFLT",
};
enum { SYSTEMD_SIGRTMIN = 34 };

static bool is_word(const char *text);
static int status_parse(const char *text, bool exited);
static int signal_parse(const char *name);
static int fact_write(const char *directory, const char *name, const char *members);

void fact_read(Fact *ret) {
    const char *result = getenv("SERVICE_RESULT"), *code = getenv("EXIT_CODE"), *status = getenv("EXIT_STATUS");
    bool known = code && status && is_word(code);
    *ret = (Fact){
        .result = result && is_word(result) ? result : "resources",
        .code = known ? code : NULL,
        .status = known ? status_parse(status, strcmp(code, "exited") == 0) : 0,
    };
}

int fact_write_exit(const char *directory, const Fact *fact) {
    _cleanup_free_ char *members = NULL;
    int r = text_format(&members, ", \"result\": \"%s\", \"code\": \"%s\", \"status\": %d", fact->result,
                        fact->code ? fact->code : "none", fact->status);
    return r < 0 ? r : fact_write(directory, "exit", members);
}

int fact_write_ended(const char *directory, const Fact *fact) {
    _cleanup_free_ char *members = NULL;
    int r = text_format(&members, ", \"result\": \"%s\"", fact->result);
    return r < 0 ? r : fact_write(directory, "ended", members);
}

/* systemd's words need no quoting in JSON; anything else never gets there. */
static bool is_word(const char *text) {
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

/* $EXIT_STATUS is a number, or for a process ended by a signal its name, such as TERM or RTMIN+3. */
static int status_parse(const char *text, bool exited) {
    uint64_t number;
    if (text_to_number(text, 255, &number) == 0)
        return (int)number;
    return exited ? 0 : signal_parse(text);
}

static int signal_parse(const char *name) {
    uint64_t offset;
    for (size_t i = 0; i < sizeof signal_names / sizeof *signal_names; i++)
        if (signal_names[i] && strcmp(signal_names[i], name) == 0)
            return (int)i;
    if (strcmp(name, "RTMIN") == 0)
        return SYSTEMD_SIGRTMIN;
    if (text_starts_with(name, "RTMIN+") && text_to_number(name + strlen("RTMIN+"), 30, &offset) == 0)
        return SYSTEMD_SIGRTMIN + (int)offset;
    return 0;
}

static int fact_write(const char *directory, const char *name, const char *members) {
    char boot[33];
    _cleanup_free_ char *text = NULL;
    int r = boot_id_read(boot);
    if (r < 0)
        return r;
    r = text_format(&text, "{\"version\": 1, \"time\": %" PRIu64 ", \"boot\": \"%s\"%s}\n", realtime_usec(), boot, members);
    if (r < 0)
        return r;
    _cleanup_fd_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : file_replace(fd, name, text, 0600, true);
}

#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "order.h"

#define ORDER_FD 3

/* The runtime that came with Gantry first, then the distribution's. */
static const char *const runtimes[] = { GANTRY_LIBEXECDIR "/node", "/usr/bin/node", "/usr/local/bin/node" };

/* A root command must not run code its environment names (node(1), ENVIRONMENT). */
static const char *const unsafe_variables[] = {
    "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "NODE_V8_COVERAGE", "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED", "NODE_DEBUG", "NODE_PENDING_DEPRECATION", "NODE_REDIRECT_WARNINGS",
    "NODE_ICU_DATA", "OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR",
};

static int runtime_execute(const char *const *head, size_t n_head, char **arguments);
static int status_wait(pid_t pid);
static int line_read(int fd, char **ret_line, size_t *ret_size);

int node_execute(char **arguments) {
    static const char *const head[] = { "node", "--disable-proto=delete", GANTRY_LIBEXECDIR "/cli.cjs" };
    return runtime_execute(head, sizeof head / sizeof *head, arguments);
}

int node_execute_agent(void) {
    /*
     * Nothing of it is bound by the processor: without a compiler no memory is both writable and executable (the unit
     * forbids it), and 10 MB of compiled code and compilers' leavings are saved. The heap is kept small and dense
     * because the agent mostly waits; it collects garbage itself before that. One that grows beyond 128 MB is a leak
     * or an attack.
     */
    static const char *const head[] = { "node", "--disable-proto=delete", "--jitless", "--max-semi-space-size=1",
                                        "--compact-on-every-full-gc", "--expose-gc", "--v8-pool-size=1",
                                        "--max-old-space-size=128",
                                        GANTRY_LIBEXECDIR "/agent.cjs" };
    static char *none[] = { NULL };
    return runtime_execute(head, sizeof head / sizeof *head, none);
}

int node_execute_worker(const char *program, char **arguments) {
    static const struct {
        const char *program, *head[7];
        size_t n_head;
    } workers[] = {
        /* Without a compiler no memory is both writable and executable; their units forbid it. */
        { "gantry-fetcher", { "node", "--disable-proto=delete", "--no-expose-wasm", "--jitless", "--v8-pool-size=1",
                              "--max-semi-space-size=1", GANTRY_LIBEXECDIR "/fetcher.cjs" }, 7 },
        { "gantry-verifier", { "node", "--disable-proto=delete", "--no-expose-wasm", "--jitless", "--v8-pool-size=1",
                               GANTRY_LIBEXECDIR "/verifier.cjs" }, 6 },
    };
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++)
        if (strcmp(program, workers[i].program) == 0)
            return runtime_execute(workers[i].head, workers[i].n_head, arguments);
    return -ESRCH;
}

int node_ask(char **arguments, pid_t *ret_pid, char **ret_line, size_t *ret_size) {
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_fd_ int read_end = pipe_fds[0], write_end = pipe_fds[1];
    pid_t self = getpid(), pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        /* Without the front nobody would launch what is being decided. */
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != self)
            _exit(125);
        if (write_end == ORDER_FD ? fcntl(write_end, F_SETFD, 0) < 0 : dup2(write_end, ORDER_FD) < 0)
            _exit(125);
        node_complain(node_execute(arguments));
        _exit(125);
    }
    fd_close(&write_end);
    int r = line_read(read_end, ret_line, ret_size);
    if (r < 0) {
        (void)kill(pid, SIGTERM);
        (void)node_wait(pid);
        return r;
    }
    *ret_pid = pid;
    return 0;
}

int node_wait(pid_t pid) {
    int status = status_wait(pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int node_finish(pid_t pid) {
    int status = status_wait(pid);
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "gantry: Node.js was killed by SIG%s before anything was started\n"
                    "hint: gantry gc removes what it left unfinished\n", sigabbrev_np(WTERMSIG(status)));
    return 125;
}

static int status_wait(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 125 << 8; /* as if it had exited with that */
    return status;
}

void node_complain(int error) {
    if (error == -ENOENT)
        fputs("gantry: no Node.js: neither " GANTRY_LIBEXECDIR "/node nor /usr/bin/node exists; install the nodejs package\n",
              stderr);
    else
        fprintf(stderr, "gantry: starting Node.js: %s\n", strerror(-error));
}

static int runtime_execute(const char *const *head, size_t n_head, char **arguments) {
    size_t count = 0;
    while (arguments[count])
        count++;
    _cleanup_free_ const char **argv = calloc(n_head + count + 1, sizeof *argv);
    if (!argv)
        return -ENOMEM;
    memcpy(argv, head, n_head * sizeof *argv);
    memcpy(argv + n_head, arguments, count * sizeof *argv);
    for (size_t i = 0; i < sizeof unsafe_variables / sizeof *unsafe_variables; i++)
        (void)unsetenv(unsafe_variables[i]);
    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++) {
        execv(runtimes[i], (char *const *)argv);
        if (errno != ENOENT)
            return -errno;
    }
    return -ENOENT;
}

/* To the newline, not to the end: the launch goes on while Node still tears itself down. */
static int line_read(int fd, char **ret_line, size_t *ret_size) {
    _cleanup_free_ char *line = malloc(LAUNCH_ORDER_MAX);
    size_t size = 0;
    if (!line)
        return -ENOMEM;
    for (;;) {
        ssize_t got = read(fd, line + size, LAUNCH_ORDER_MAX - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        char *newline = got > 0 ? memchr(line + size, '\n', (size_t)got) : NULL;
        size += (size_t)got;
        if (got == 0 || newline) {
            *ret_size = newline ? (size_t)(newline - line) : size;
            *ret_line = take_pointer(line);
            return 0;
        }
        if (size == LAUNCH_ORDER_MAX)
            return -EFBIG;
    }
}

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "loss.h"
#include "output.h"
#include "terminal.h"

#define CHUNK 16384
#define END_AGAIN_MS 200
#define DRAIN_CHUNKS_MAX 64U /* 1 MiB, the largest pipe a command may set */

/* One of the command's outputs on its way to ours. */
typedef struct Copy {
    int *from; /* closed at its end */
    int to;
    size_t start, end;
    char held[CHUNK]; /* what ours has not taken yet */
} Copy;

typedef struct Loop {
    Session *session;
    pid_t pid;
    int signals;
    int status; /* of waitpid(); valid when `ended` */
    bool ended;
    bool reading; /* stdin is still read */
    bool at_end;  /* it has ended, which a terminal is told again and again */
    Loss loss;
    size_t start, end;
    char held[CHUNK]; /* input the command has not taken yet */
    Copy output[2];
    int given_up; /* the signal after the command's end that let go of output that nobody reads; 0: none */
} Loop;

enum { SLOT_SIGNALS, SLOT_STDIN, SLOT_INPUT, SLOT_OUTPUT, SLOT_ERROR, SLOT_COUNT };

static int stream_open(Session *session, int stream, const SessionOptions *options);
static bool stream_passes(int stream, bool shared_ids);
static int pipe_open(int *ret_child, int *ret_ours, bool child_reads);
static int signals_open(void);
static void loop_run(Loop *loop);
static void slots_fill(const Loop *loop, struct pollfd *slots);
static void signals_read(Loop *loop);
static void input_read(Loop *loop);
static void input_write(Loop *loop);
static void input_end(Loop *loop);
static void end_write(Loop *loop);
static struct pollfd output_slot(const Copy *copy);
static void output_copy(Loop *loop, Copy *copy);
static void output_read(Loop *loop, Copy *copy);
static void output_end(Loop *loop, Copy *copy);
static void outputs_drain(Loop *loop);
static void output_drain(Loop *loop, Copy *copy);
static void window_copy(const Session *session);

int session_open(const SessionOptions *options, Session *ret) {
    int terminal = options->terminal;
    Session session = { .child = { -1, -1, -1 }, .master = options->master, .input = -1, .output = { -1, -1 } };
    int r = 0;
    for (int stream = 0; stream < 3 && r >= 0; stream++)
        if (terminal < 0)
            r = stream_open(&session, stream, options);
        else
            r = (session.child[stream] = fcntl(terminal, F_DUPFD_CLOEXEC, 3)) < 0 ? -errno : 0;
    window_copy(&session); /* before the command can look */
    if (r >= 0)
        *ret = session;
    else
        session_done(&session);
    return r;
}

void session_started(Session *session) {
    for (int stream = 0; stream < 3; stream++)
        fd_close(&session->child[stream]);
}

int session_run(Session *session, pid_t pid) {
    Terminal terminal = { 0 };
    Loop loop = { .session = session, .pid = pid, .reading = session->master >= 0 || session->input >= 0 };
    loop.output[0] = (Copy){ .from = session->master >= 0 ? &session->master : &session->output[0], .to = STDOUT_FILENO };
    loop.output[1] = (Copy){ .from = &session->output[1], .to = STDERR_FILENO };
    loop.signals = signals_open();
    if (loop.signals < 0)
        return 125;
    if (session->master >= 0) {
        (void)terminal_raw(&terminal); /* a pty may also serve a caller without a terminal */
        window_copy(session);
    }
    loop_run(&loop);
    terminal_restore(&terminal);
    fd_close(&loop.signals);
    if (loop.given_up)
        return 128 + loop.given_up;
    return loss_tell(&loop.loss, WIFSIGNALED(loop.status) ? 128 + WTERMSIG(loop.status) : WEXITSTATUS(loop.status));
}

void session_done(Session *session) {
    session_started(session);
    fd_close(&session->input);
    fd_close(&session->output[0]);
    fd_close(&session->output[1]);
}

static int stream_open(Session *session, int stream, const SessionOptions *options) {
    bool interactive = options->interactive;
    if ((interactive || stream != STDIN_FILENO) && stream_passes(stream, options->shared_ids)) {
        session->child[stream] = fcntl(stream, F_DUPFD_CLOEXEC, 3);
        return session->child[stream] < 0 ? -errno : 0;
    }
    if (stream != STDIN_FILENO)
        return pipe_open(&session->child[stream], &session->output[stream - 1], false);
    /* Not the host's /dev/null: a command that is root without a user namespace could change its mode. */
    int r = pipe_open(&session->child[0], &session->input, true);
    if (r >= 0 && !interactive)
        fd_close(&session->input);
    return r;
}

/*
 * Whether the command gets the caller's own descriptor, without a copy in between. Not a device or a directory: the
 * one takes more than reads and writes, the other leads out of the app's root. And nothing where the app's root is the
 * host's: it owns the file behind the descriptor, so it could open it again for more, or make it a setuid program.
 */
static bool stream_passes(int stream, bool shared_ids) {
    struct stat status;
    if (shared_ids || fstat(stream, &status) < 0)
        return false;
    return S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
}

static int pipe_open(int *ret_child, int *ret_ours, bool child_reads) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *ret_child = ends[child_reads ? 0 : 1];
    *ret_ours = ends[child_reads ? 1 : 0];
    return 0;
}

static int signals_open(void) {
    static const int taken[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        sigaddset(&set, taken[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void loop_run(Loop *loop) {
    Session *session = loop->session;
    int input = session->master >= 0 ? session->master : session->input;
    if (input >= 0)
        (void)fcntl(input, F_SETFL, fcntl(input, F_GETFL) | O_NONBLOCK);
    /* It may have ended before its SIGCHLD was blocked. */
    loop->ended = waitpid(loop->pid, &loop->status, WNOHANG) == loop->pid;
    while (!loop->ended) {
        struct pollfd slots[SLOT_COUNT];
        slots_fill(loop, slots);
        int ready = poll(slots, SLOT_COUNT, loop->at_end && session->master >= 0 ? END_AGAIN_MS : -1);
        if (ready == 0)
            end_write(loop);
        if (ready <= 0)
            continue;
        if (slots[SLOT_OUTPUT].revents)
            output_copy(loop, &loop->output[0]);
        if (slots[SLOT_ERROR].revents)
            output_copy(loop, &loop->output[1]);
        if (slots[SLOT_INPUT].revents)
            input_write(loop);
        if (slots[SLOT_STDIN].revents)
            input_read(loop);
        if (slots[SLOT_SIGNALS].revents)
            signals_read(loop);
    }
    outputs_drain(loop);
}

static void slots_fill(const Loop *loop, struct pollfd *slots) {
    const Session *session = loop->session;
    bool held = loop->start < loop->end, pty = session->master >= 0;
    slots[SLOT_SIGNALS] = (struct pollfd){ .fd = loop->signals, .events = POLLIN };
    slots[SLOT_STDIN] = (struct pollfd){ .fd = loop->reading && !held ? STDIN_FILENO : -1, .events = POLLIN };
    slots[SLOT_INPUT] = (struct pollfd){ .fd = held ? (pty ? session->master : session->input) : -1, .events = POLLOUT };
    slots[SLOT_OUTPUT] = output_slot(&loop->output[0]);
    slots[SLOT_ERROR] = output_slot(&loop->output[1]);
}

static void signals_read(Loop *loop) {
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof info) == sizeof info) {
        int number = (int)info.ssi_signo;
        if (number == SIGCHLD)
            loop->ended = loop->ended || waitpid(loop->pid, &loop->status, WNOHANG) == loop->pid;
        else if (number == SIGWINCH)
            window_copy(loop->session);
        else if (!loop->ended)
            (void)kill(loop->pid, number);
        else if (number != SIGUSR1 && number != SIGUSR2)
            loop->given_up = number;
    }
}

static void input_read(Loop *loop) {
    ssize_t got = read(STDIN_FILENO, loop->held, sizeof loop->held);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        input_end(loop);
        return;
    }
    loop->start = 0;
    loop->end = (size_t)got;
    input_write(loop);
}

static void input_write(Loop *loop) {
    Session *session = loop->session;
    int to = session->master >= 0 ? session->master : session->input;
    ssize_t written = write(to, loop->held + loop->start, loop->end - loop->start);
    if (written >= 0) {
        loop->start += (size_t)written;
    } else if (errno != EAGAIN && errno != EINTR) {
        loop->start = loop->end; /* the command reads no more */
        loop->reading = false;
    }
}

/* A terminal's input ends by its end-of-file character, a pipe's by its close. */
static void input_end(Loop *loop) {
    loop->reading = false;
    loop->at_end = true;
    if (loop->session->master >= 0)
        end_write(loop);
    fd_close(&loop->session->input);
}

/* A command that sets up its terminal may drop what has come before, as shells do that edit lines: told once, it would wait for ever. */
static void end_write(Loop *loop) {
    loop->held[0] = '\x04';
    loop->start = 0;
    loop->end = 1;
    input_write(loop);
}

/* While ours takes no more, nothing is read of the command's. */
static struct pollfd output_slot(const Copy *copy) {
    bool held = copy->start < copy->end;
    return (struct pollfd){ .fd = held ? copy->to : *copy->from, .events = held ? POLLOUT : POLLIN };
}

/* Does what the slot waited for. */
static void output_copy(Loop *loop, Copy *copy) {
    if (copy->start == copy->end) {
        output_read(loop, copy);
        return;
    }
    ssize_t written = output_write_some(copy->to, copy->held + copy->start, copy->end - copy->start);
    if (written >= 0) {
        copy->start += (size_t)written;
    } else if (written != -EAGAIN) {
        loss_note(&loop->loss, copy->to, (int)written);
        copy->start = copy->end;
        output_end(loop, copy);
    }
}

static void output_read(Loop *loop, Copy *copy) {
    ssize_t got = read(*copy->from, copy->held, sizeof copy->held);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    copy->start = 0;
    copy->end = got > 0 ? (size_t)got : 0;
    if (got <= 0) /* a pty's end is EIO, when its last slave has been closed */
        output_end(loop, copy);
}

static void output_end(Loop *loop, Copy *copy) {
    if (copy->from == &loop->session->master)
        loop->reading = false;
    fd_close(copy->from);
}

/* What the command left behind; processes it left in the background do not keep the caller. */
static void outputs_drain(Loop *loop) {
    for (size_t i = 0; i < sizeof loop->output / sizeof *loop->output; i++)
        output_drain(loop, &loop->output[i]);
}

static void output_drain(Loop *loop, Copy *copy) {
    for (unsigned reads = 0; !loop->given_up;) {
        bool held = copy->start < copy->end;
        struct pollfd slots[] = { output_slot(copy), { .fd = loop->signals, .events = POLLIN } };
        if (!held && reads++ == DRAIN_CHUNKS_MAX)
            return;
        int ready = poll(slots, 2, held ? -1 : 0);
        if (!held && (ready <= 0 || !slots[0].revents))
            return;
        if (slots[0].revents)
            output_copy(loop, copy);
        if (slots[1].revents)
            signals_read(loop);
    }
}

static void window_copy(const Session *session) {
    struct winsize size = { 0 };
    if (session->master >= 0 && terminal_size(&size.ws_row, &size.ws_col) >= 0)
        (void)ioctl(session->master, TIOCSWINSZ, &size);
}

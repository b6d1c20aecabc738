#include "refresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/cleanup.h"

/* The front, which knows where Node is. */
#define FRONT GANTRY_LIBEXECDIR "/gantry-pod"

static void text_drain(int fd, char *text, size_t size);
static int status_wait(pid_t pid);

int pod_refresh(const char *name, char *text, size_t size) {
    int ends[2];
    text[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 125;
    _cleanup_fd_ int read_end = ends[0], write_end = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return 125;
    if (pid == 0) {
        if (dup2(write_end, STDERR_FILENO) < 0)
            _exit(125);
        (void)execl(FRONT, "gantry-pod", "refresh", name, NULL);
        fprintf(stderr, "gantry: %s: %s\n", FRONT, strerror(errno));
        _exit(125);
    }
    fd_close(&write_end);
    text_drain(read_end, text, size);
    return status_wait(pid);
}

/* Reads to the end, and keeps the beginning. */
static void text_drain(int fd, char *text, size_t size) {
    char beyond[512];
    size_t used = 0;
    for (;;) {
        bool room = used + 1 < size;
        ssize_t got = room ? read(fd, text + used, size - 1 - used) : read(fd, beyond, sizeof beyond);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += room ? (size_t)got : 0;
    }
    text[used] = '\0';
}

static int status_wait(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 125;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

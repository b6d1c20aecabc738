#include "confine/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"

/* What execvp(3) uses when there is no PATH; POSIX leaves it to the system. */
#define PATH_FALLBACK "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *path_of(char **environment) {
    for (; *environment; environment++)
        if (text_starts_with(*environment, "PATH="))
            return *environment + strlen("PATH=");
    return PATH_FALLBACK;
}

/* An execve(2) that says ENOENT for a file that is there means its interpreter. */
static int interpreter_missing(const char *path, Failure *failure) {
    char head[256] = "";
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t length = fd < 0 ? -1 : io_read(fd, head, sizeof head - 1);
    if (length > 2 && head[0] == '#' && head[1] == '!') {
        char *line = head + 2 + strspn(head + 2, " \t");
        line[strcspn(line, " \t\r\n")] = 0;
        return failure_say(failure, EXIT_STATUS_EXEC, ENOENT, "%s: its interpreter %s is missing", path, line);
    }
    if (length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
        return failure_say(failure, EXIT_STATUS_EXEC, ENOENT, "%s: its ELF interpreter (dynamic loader) is missing",
                           path);
    return failure_say(failure, EXIT_STATUS_EXEC, ENOENT, "%s: its interpreter is missing", path);
}

static int not_permitted(const char *path, int error, Failure *failure) {
    struct stat file;
    if (stat(path, &file) < 0)
        return failure_set(failure, EXIT_STATUS_EXEC, error, "%s", path);
    if (S_ISDIR(file.st_mode))
        return failure_say(failure, EXIT_STATUS_EXEC, EISDIR, "%s: is a directory", path);
    if (!S_ISREG(file.st_mode))
        return failure_say(failure, EXIT_STATUS_EXEC, error, "%s: is no regular file", path);
    if (!(file.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return failure_say(failure, EXIT_STATUS_EXEC, error, "%s: is not executable", path);
    return failure_set(failure, EXIT_STATUS_EXEC, error, "%s", path);
}

static int execute_failed(const char *path, int error, Failure *failure) {
    struct stat file;
    if (error == ENOENT && stat(path, &file) == 0)
        return interpreter_missing(path, failure);
    if (error == ENOENT || error == ENOTDIR)
        return failure_say(failure, EXIT_STATUS_EXEC, error, "%s: not found in the app's root", path);
    if (error == EACCES)
        return not_permitted(path, error, failure);
    if (error == ENOEXEC)
        return failure_say(failure, EXIT_STATUS_EXEC, error,
                           "%s: not a program for this machine, nor a script with a #! line", path);
    return failure_set(failure, EXIT_STATUS_EXEC, error, "%s", path);
}

/* An empty element of PATH is the working directory (POSIX). */
static bool candidate_make(const char *element, size_t length, const char *name, char *ret, size_t size) {
    int n = snprintf(ret, size, "%.*s%s%s", (int)length, element, length ? "/" : "./", name);
    return n >= 0 && (size_t)n < size;
}

static int execute_searched(const char *name, char **argv, char **environment, Failure *failure) {
    char candidate[PATH_MAX], refused[PATH_MAX] = "";
    for (const char *element = path_of(environment);; element++) {
        size_t length = strcspn(element, ":");
        if (candidate_make(element, length, name, candidate, sizeof candidate)) {
            (void)execve(candidate, argv, environment);
            int error = errno;
            struct stat file;
            if (error == EACCES && !refused[0])
                memcpy(refused, candidate, sizeof refused); /* reported if nothing better follows */
            if ((error != ENOENT && error != ENOTDIR && error != EACCES) ||
                (error == ENOENT && stat(candidate, &file) == 0))
                return execute_failed(candidate, error, failure);
        }
        element += length;
        if (!*element)
            break;
    }
    if (refused[0])
        return execute_failed(refused, EACCES, failure);
    return failure_say(failure, EXIT_STATUS_EXEC, ENOENT, "%s: not found in PATH %s", name, path_of(environment));
}

int program_execute(const TextList *args, char **environment, Failure *failure) {
    _cleanup_free_ char **argv = calloc(args->count + 1, sizeof *argv);
    if (!argv)
        return failure_set(failure, EXIT_STATUS_EXEC, ENOMEM, "arguments");
    for (size_t i = 0; i < args->count; i++)
        argv[i] = (char *)args->items[i]; /* execve(2) does not write, its type only predates const */
    const char *name = args->items[0];
    if (!strchr(name, '/'))
        return execute_searched(name, argv, environment, failure);
    (void)execve(name, argv, environment);
    return execute_failed(name, errno, failure);
}

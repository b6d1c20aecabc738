/* Scope-bound ownership: every descriptor, allocation and directory leaves its scope by an explicit take. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(destructor) __attribute__((cleanup(destructor)))

static inline void fd_close(int *fd) {
    if (*fd < 0)
        return;
    int saved = errno; /* close() in a cleanup must not hide the error being returned */
    (void)close(*fd);
    errno = saved;
    *fd = -1;
}

static inline int fd_take(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

static inline void memory_free(void *pointer) {
    free(*(void **)pointer);
}

static inline void directory_close(DIR **directory) {
    if (*directory)
        (void)closedir(*directory);
}

#define _cleanup_fd_ cleanup(fd_close)
#define _cleanup_free_ cleanup(memory_free)
#define _cleanup_dir_ cleanup(directory_close)

/* Moves a pointer out of a cleanup variable. */
#define take_pointer(variable)                                                                                 \
    ({                                                                                                         \
        __auto_type _taken = (variable);                                                                       \
        (variable) = NULL;                                                                                     \
        _taken;                                                                                                \
    })

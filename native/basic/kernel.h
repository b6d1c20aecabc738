/* System calls that glibc has wrappers for and musl (1.2.3) does not yet, and what they take. */
#pragma once

#include <sys/mount.h>

#ifdef __GLIBC__
#include <sys/pidfd.h>
#else
#include <linux/limits.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int open_tree(int directory, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

static inline int move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
    return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int fsopen(const char *type, unsigned flags) {
    return (int)syscall(SYS_fsopen, type, flags);
}

static inline int fsconfig(int context, unsigned command, const char *key, const void *value, int auxiliary) {
    return (int)syscall(SYS_fsconfig, context, command, key, value, auxiliary);
}

static inline int fsmount(int context, unsigned flags, unsigned attributes) {
    return (int)syscall(SYS_fsmount, context, flags, attributes);
}

static inline int mount_setattr(int directory, const char *path, unsigned flags, struct mount_attr *attributes,
                                size_t size) {
    return (int)syscall(SYS_mount_setattr, directory, path, flags, attributes, size);
}

static inline int close_range(unsigned first, unsigned last, int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

static inline int execveat(int directory, const char *path, char *const argv[], char *const envp[], int flags) {
    return (int)syscall(SYS_execveat, directory, path, argv, envp, flags);
}

static inline int pidfd_open(pid_t pid, unsigned flags) {
    return (int)syscall(SYS_pidfd_open, pid, flags);
}
#endif

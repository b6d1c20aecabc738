#include "confine/profile.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define GATE(capability) (UINT64_C(1) << (capability))

/* Calls that every program may make. What is not here and not below does not exist for an app: ENOSYS lets a libc
 * fall back from a call that is newer than this list, where EPERM would make it give up. */
static const char *const allowed_calls[] = {
    /* files */
    "access", "arm_fadvise64_64", "cachestat", "chdir", "chmod", "chown", "chown32", "close", "close_range",
    "copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
    "fallocate", "fanotify_mark", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat",
    "fcntl", "fcntl64", "fdatasync", "fgetxattr", "file_getattr", "file_setattr", "flistxattr", "flock",
    "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
    "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "getxattrat", "inotify_add_watch",
    "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
    "io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "lchown", "lchown32", "lgetxattr", "link", "linkat",
    "listxattr", "listxattrat", "llistxattr", "_llseek", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64",
    "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat", "open", "openat", "openat2",
    "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readdir", "readlink",
    "readlinkat", "readv", "removexattr", "removexattrat", "rename", "renameat", "renameat2", "rmdir", "sendfile",
    "sendfile64", "setxattr", "setxattrat", "splice", "stat", "stat64", "statfs", "statfs64", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "sync_file_range2", "arm_sync_file_range", "syncfs", "tee", "truncate",
    "truncate64", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes", "vmsplice",
    "write", "writev",
    /* memory */
    "brk", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret", "mincore", "mlock",
    "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall",
    "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "process_mrelease", "remap_file_pages",
    /* processes and threads; ptrace reaches only what the pod's pid namespace shows (safe since Linux 4.8, where it
     * no longer evades this filter) */
    "arch_prctl", "breakpoint", "cacheflush", "capget", "capset", "execve", "execveat", "exit", "exit_group",
    "fork", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
    "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage",
    "getsid", "gettid", "ioprio_get", "ioprio_set", "kill", "modify_ldt", "nice", "pidfd_open", "pidfd_send_signal",
    "prctl", "prlimit64", "process_vm_readv", "process_vm_writev", "ptrace", "restart_syscall",
    "riscv_flush_icache", "rseq", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
    "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
    "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
    "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address", "set_tls", "setpgid", "setpriority",
    "setrlimit", "setsid", "sysinfo", "tgkill", "times", "tkill", "ugetrlimit", "uname", "vfork", "wait4", "waitid",
    "waitpid",
    /* ids */
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getresgid",
    "getresgid32", "getresuid", "getresuid32", "getuid", "getuid32", "setfsgid", "setfsgid32", "setfsuid",
    "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32", "setregid", "setregid32", "setresgid",
    "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setuid", "setuid32",
    /* signals */
    "alarm", "pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaction", "sigaltstack",
    "signal", "signalfd", "signalfd4", "sigpending", "sigprocmask", "sigreturn", "sigsuspend",
    /* time; adjtimex also only reads, and writing needs CAP_SYS_TIME */
    "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
    "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer", "gettimeofday", "nanosleep",
    "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
    "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
    "timerfd_settime64",
    /* waiting */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "epoll_wait_old", "eventfd", "eventfd2", "_newselect", "pipe", "pipe2", "poll", "ppoll", "ppoll_time64",
    "pselect6", "pselect6_time64", "select",
    /* sockets, but for socket() itself */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recv",
    "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt",
    "shutdown", "socketpair",
    /* System V and POSIX inter-process communication, in the pod's own ipc namespace */
    "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
    "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop",
    "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget",
    /* self-confinement and randomness */
    "getrandom", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lsm_get_self_attr",
    "lsm_list_modules", "seccomp",
};

/* Calls that the kernel lets nobody use without a capability, or that one capability makes reasonable. Without any of
 * `gates` they say EPERM, as the kernel would. */
typedef struct GatedCall {
    const char *name;
    uint64_t gates; /* 0: for nobody */
} GatedCall;

#define ADMIN GATE(CAP_SYS_ADMIN)
static const GatedCall gated_calls[] = {
    { "bpf", ADMIN | GATE(CAP_BPF) },
    { "fanotify_init", ADMIN },
    { "fsconfig", ADMIN },
    { "fsmount", ADMIN },
    { "fsopen", ADMIN },
    { "fspick", ADMIN },
    { "listmount", ADMIN },
    { "lookup_dcookie", ADMIN },
    { "mount", ADMIN },
    { "mount_setattr", ADMIN },
    { "move_mount", ADMIN },
    { "open_tree", ADMIN },
    { "open_tree_attr", ADMIN },
    { "perf_event_open", ADMIN | GATE(CAP_PERFMON) },
    { "pivot_root", ADMIN },
    { "quotactl", ADMIN },
    { "quotactl_fd", ADMIN },
    { "setdomainname", ADMIN },
    { "sethostname", ADMIN },
    { "setns", ADMIN },
    { "statmount", ADMIN },
    { "umount", ADMIN },
    { "umount2", ADMIN },
    { "unshare", ADMIN },
    { "open_by_handle_at", GATE(CAP_DAC_READ_SEARCH) },
    { "chroot", GATE(CAP_SYS_CHROOT) },
    { "delete_module", GATE(CAP_SYS_MODULE) },
    { "finit_module", GATE(CAP_SYS_MODULE) },
    { "init_module", GATE(CAP_SYS_MODULE) },
    { "acct", GATE(CAP_SYS_PACCT) },
    { "kcmp", GATE(CAP_SYS_PTRACE) },
    { "pidfd_getfd", GATE(CAP_SYS_PTRACE) },
    { "process_madvise", GATE(CAP_SYS_PTRACE) | GATE(CAP_SYS_NICE) },
    { "ioperm", GATE(CAP_SYS_RAWIO) },
    { "iopl", GATE(CAP_SYS_RAWIO) },
    { "clock_settime", GATE(CAP_SYS_TIME) },
    { "clock_settime64", GATE(CAP_SYS_TIME) },
    { "settimeofday", GATE(CAP_SYS_TIME) },
    { "stime", GATE(CAP_SYS_TIME) },
    { "vhangup", GATE(CAP_SYS_TTY_CONFIG) },
    { "get_mempolicy", GATE(CAP_SYS_NICE) },
    { "mbind", GATE(CAP_SYS_NICE) },
    { "migrate_pages", GATE(CAP_SYS_NICE) },
    { "move_pages", GATE(CAP_SYS_NICE) },
    { "set_mempolicy", GATE(CAP_SYS_NICE) },
    { "set_mempolicy_home_node", GATE(CAP_SYS_NICE) },
    { "syslog", GATE(CAP_SYSLOG) },
    { "reboot", GATE(CAP_SYS_BOOT) },
    /* Keys belong to no namespace; the rest act on the machine. */
    { "add_key", 0 },
    { "keyctl", 0 },
    { "request_key", 0 },
    { "kexec_file_load", 0 },
    { "kexec_load", 0 },
    { "swapoff", 0 },
    { "swapon", 0 },
    { "userfaultfd", 0 },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* CLONE_NEWTIME is no flag of clone(2): its bit belongs to the exit signal there. */
enum {
    CLONE_NAMESPACES =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
};

uint64_t profile_gates(uint64_t capabilities) {
    uint64_t gates = 0;
    for (size_t i = 0; i < COUNT(gated_calls); i++)
        gates |= gated_calls[i].gates;
    return gates & capabilities;
}

/* A name that this libseccomp does not know yet cannot be called through its filter either: it stays ENOSYS. */
static int rule_add(scmp_filter_ctx filter, uint32_t action, const char *name, const struct scmp_arg_cmp *argument) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0;
    return seccomp_rule_add_array(filter, action, number, argument ? 1 : 0, argument);
}

static int calls_add(scmp_filter_ctx filter, uint64_t capabilities, const char **ret_name) {
    int r = 0;
    for (size_t i = 0; r >= 0 && i < COUNT(allowed_calls); i++)
        r = rule_add(filter, SCMP_ACT_ALLOW, *ret_name = allowed_calls[i], NULL);
    for (size_t i = 0; r >= 0 && i < COUNT(gated_calls); i++) {
        bool open = gated_calls[i].gates & capabilities;
        r = rule_add(filter, open ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), *ret_name = gated_calls[i].name, NULL);
    }
    return r;
}

static int clone_add(scmp_filter_ctx filter, uint64_t capabilities) {
    if (capabilities & ADMIN) {
        int r = rule_add(filter, SCMP_ACT_ALLOW, "clone3", NULL);
        return r < 0 ? r : rule_add(filter, SCMP_ACT_ALLOW, "clone", NULL);
    }
    /* clone3 passes its flags in memory that a filter cannot read, so it is left out: libc falls back on ENOSYS. */
    struct scmp_arg_cmp no_namespaces = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0);
    return rule_add(filter, SCMP_ACT_ALLOW, "clone", &no_namespaces);
}

static int personality_add(scmp_filter_ctx filter) {
    /* PER_LINUX, PER_LINUX32, both with UNAME26, and the query; the others weaken memory protection. */
    static const uint64_t harmless[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };
    for (size_t i = 0; i < COUNT(harmless); i++) {
        struct scmp_arg_cmp equal = SCMP_A0(SCMP_CMP_EQ, harmless[i]);
        int r = rule_add(filter, SCMP_ACT_ALLOW, "personality", &equal);
        if (r < 0)
            return r;
    }
    return 0;
}

static int socket_add(scmp_filter_ctx filter) {
    /* From AF_ALG on families are not bound to the network namespace (vsock) or rarely used and large in the kernel. */
    struct scmp_arg_cmp usual = SCMP_A0(SCMP_CMP_LT, AF_ALG), other = SCMP_A0(SCMP_CMP_GE, AF_ALG);
    int r = rule_add(filter, SCMP_ACT_ALLOW, "socket", &usual);
    return r < 0 ? r : rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &other);
}

/* The multiplexer of 32-bit x86 has its arguments in memory that a filter cannot read: through it any program could
 * make the sockets that socket_add() refuses. 32-bit programs have calls of their own for each since Linux 4.3. Refused
 * as a whole and before the rules for socket(2): to each of them libseccomp adds one that allows the multiplexer's,
 * unless a rule without conditions is there. Not ENOSYS, the filter's default, which would be no rule at all. */
static int socketcall_add(scmp_filter_ctx filter) {
    return rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socketcall", NULL);
}

static int architectures_add(scmp_filter_ctx filter, uint32_t architecture) {
    /* Not x32: Debian's kernels have it switched off, and its rules would be a third of what every start has loaded. */
    const uint32_t kin[2] = { architecture, architecture == SCMP_ARCH_X86_64    ? SCMP_ARCH_X86
                                            : architecture == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM
                                                                                : 0 };
    if (architecture != seccomp_arch_native())
        (void)seccomp_arch_remove(filter, seccomp_arch_native());
    for (size_t i = 0; i < COUNT(kin) && kin[i]; i++) {
        int r = seccomp_arch_add(filter, kin[i]);
        if (r < 0 && r != -EEXIST)
            return r;
    }
    return 0;
}

int profile_build(uint32_t architecture, uint64_t capabilities, scmp_filter_ctx *ret, const char **ret_name) {
    *ret_name = NULL;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return -ENOMEM;
    int r = architectures_add(filter, architecture);
    if (r >= 0) /* a call of another architecture is one that is not there */
        r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    /* A binary tree instead of a chain: some ten comparisons per call instead of hundreds. */
    if (r >= 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r >= 0)
        r = socketcall_add(filter);
    if (r >= 0)
        r = calls_add(filter, capabilities, ret_name);
    if (r >= 0)
        r = clone_add(filter, capabilities);
    if (r >= 0)
        r = personality_add(filter);
    if (r >= 0)
        r = socket_add(filter);
    if (r < 0) {
        seccomp_release(filter);
        return r;
    }
    *ret = filter;
    return 0;
}

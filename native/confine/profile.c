#include "confine/profile.h"

#include <linux/capability.h>
#include <stddef.h>

#define GATE(capability) (UINT64_C(1) << (capability))
#define ADMIN GATE(CAP_SYS_ADMIN)

/* Calls that every program may make. What is not here and not below does not exist for an app: ENOSYS lets a libc
 * fall back from a call that is newer than this list, where EPERM would make it give up. */
const char *const profile_allowed[] = {
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
    NULL,
};

const ProfileRule profile_rules[] = {
    /* Calls that the kernel lets nobody use without a capability, or that one capability makes reasonable: without it
     * EPERM, as the kernel would say. */
    { "bpf", ADMIN | GATE(CAP_BPF), PROFILE_REFUSED },
    { "fanotify_init", ADMIN, PROFILE_REFUSED },
    { "fsconfig", ADMIN, PROFILE_REFUSED },
    { "fsmount", ADMIN, PROFILE_REFUSED },
    { "fsopen", ADMIN, PROFILE_REFUSED },
    { "fspick", ADMIN, PROFILE_REFUSED },
    { "listmount", ADMIN, PROFILE_REFUSED },
    { "lookup_dcookie", ADMIN, PROFILE_REFUSED },
    { "mount", ADMIN, PROFILE_REFUSED },
    { "mount_setattr", ADMIN, PROFILE_REFUSED },
    { "move_mount", ADMIN, PROFILE_REFUSED },
    { "open_tree", ADMIN, PROFILE_REFUSED },
    { "open_tree_attr", ADMIN, PROFILE_REFUSED },
    { "perf_event_open", ADMIN | GATE(CAP_PERFMON), PROFILE_REFUSED },
    { "pivot_root", ADMIN, PROFILE_REFUSED },
    { "quotactl", ADMIN, PROFILE_REFUSED },
    { "quotactl_fd", ADMIN, PROFILE_REFUSED },
    { "setdomainname", ADMIN, PROFILE_REFUSED },
    { "sethostname", ADMIN, PROFILE_REFUSED },
    { "setns", ADMIN, PROFILE_REFUSED },
    { "statmount", ADMIN, PROFILE_REFUSED },
    { "umount", ADMIN, PROFILE_REFUSED },
    { "umount2", ADMIN, PROFILE_REFUSED },
    { "unshare", ADMIN, PROFILE_REFUSED },
    { "open_by_handle_at", GATE(CAP_DAC_READ_SEARCH), PROFILE_REFUSED },
    { "chroot", GATE(CAP_SYS_CHROOT), PROFILE_REFUSED },
    { "delete_module", GATE(CAP_SYS_MODULE), PROFILE_REFUSED },
    { "finit_module", GATE(CAP_SYS_MODULE), PROFILE_REFUSED },
    { "init_module", GATE(CAP_SYS_MODULE), PROFILE_REFUSED },
    { "acct", GATE(CAP_SYS_PACCT), PROFILE_REFUSED },
    { "kcmp", GATE(CAP_SYS_PTRACE), PROFILE_REFUSED },
    { "pidfd_getfd", GATE(CAP_SYS_PTRACE), PROFILE_REFUSED },
    { "process_madvise", GATE(CAP_SYS_PTRACE) | GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "ioperm", GATE(CAP_SYS_RAWIO), PROFILE_REFUSED },
    { "iopl", GATE(CAP_SYS_RAWIO), PROFILE_REFUSED },
    { "clock_settime", GATE(CAP_SYS_TIME), PROFILE_REFUSED },
    { "clock_settime64", GATE(CAP_SYS_TIME), PROFILE_REFUSED },
    { "settimeofday", GATE(CAP_SYS_TIME), PROFILE_REFUSED },
    { "stime", GATE(CAP_SYS_TIME), PROFILE_REFUSED },
    { "vhangup", GATE(CAP_SYS_TTY_CONFIG), PROFILE_REFUSED },
    { "get_mempolicy", GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "mbind", GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "migrate_pages", GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "move_pages", GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "set_mempolicy", GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "set_mempolicy_home_node", GATE(CAP_SYS_NICE), PROFILE_REFUSED },
    { "syslog", GATE(CAP_SYSLOG), PROFILE_REFUSED },
    { "reboot", GATE(CAP_SYS_BOOT), PROFILE_REFUSED },
    /* Keys belong to no namespace; the rest act on the machine. */
    { "add_key", 0, PROFILE_REFUSED },
    { "keyctl", 0, PROFILE_REFUSED },
    { "request_key", 0, PROFILE_REFUSED },
    { "kexec_file_load", 0, PROFILE_REFUSED },
    { "kexec_load", 0, PROFILE_REFUSED },
    { "swapoff", 0, PROFILE_REFUSED },
    { "swapon", 0, PROFILE_REFUSED },
    { "userfaultfd", 0, PROFILE_REFUSED },
    /* clone3 passes its flags in memory that a filter cannot read: libc falls back on ENOSYS. */
    { "clone", ADMIN, PROFILE_CLONE },
    { "clone3", ADMIN, PROFILE_ABSENT },
    { "personality", 0, PROFILE_PERSONALITY },
    { "socket", 0, PROFILE_SOCKET },
    /* The multiplexer of 32-bit x86 has its arguments in memory that a filter cannot read: through it any program could
     * make the sockets that socket(2) is refused. 32-bit programs have calls of their own for each since Linux 4.3. */
    { "socketcall", 0, PROFILE_NO_FAMILY },
    { 0 },
};

ProfileVerdict profile_verdict(const ProfileCall *call, uint64_t capabilities) {
    return call->gates & capabilities ? PROFILE_ALLOWED : call->otherwise;
}

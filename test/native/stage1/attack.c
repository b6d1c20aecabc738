/* An app that tries what it must not get.
 *
 * attack calls             one line per forbidden system call: "<name> <errno name, or \"done\">"
 * attack end               asks the pod's pid 1 to end it, as nearly as systemd does as the kernel lets it
 * attack hunt              looks, until SIGTERM, for a way through the other processes of the pod: one line per find
 * attack keyring           whether its session keyring has what systemd puts into a unit's: "found" or <errno name> */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct Call {
    const char *name;
    long number;
    long arguments[5];
} Call;

static volatile sig_atomic_t over;
static struct clone_args new_user = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

/* Arguments that would work where the call is allowed, or fail with something else than EPERM and ENOSYS. */
static const Call calls[] = {
    { "unshare-user", SYS_unshare, { CLONE_NEWUSER } },
    { "clone-user", SYS_clone, { CLONE_NEWUSER | SIGCHLD } },
    { "clone3-user", SYS_clone3, { (long)&new_user, sizeof new_user } },
    { "mount", SYS_mount, { (long)"none", (long)"/tmp", (long)"tmpfs" } },
    { "fsopen", SYS_fsopen, { (long)"tmpfs" } },
    { "open_tree", SYS_open_tree, { AT_FDCWD, (long)"/", 1 } },
    { "move_mount", SYS_move_mount, { AT_FDCWD, (long)"/tmp", AT_FDCWD, (long)"/mnt" } },
    { "mount_setattr", SYS_mount_setattr, { AT_FDCWD, (long)"/proc/sys" } },
    { "umount2", SYS_umount2, { (long)"/proc/sys", 2 } },
    { "pivot_root", SYS_pivot_root, { (long)"/", (long)"/tmp" } },
    { "bpf", SYS_bpf },
    { "perf_event_open", SYS_perf_event_open },
    { "userfaultfd", SYS_userfaultfd, { 1 } },
    { "io_uring_setup", SYS_io_uring_setup, { 1 } },
    { "keyctl", SYS_keyctl, { KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING } },
    { "add_key", SYS_add_key, { (long)"user", (long)"x", (long)"y", 1, KEY_SPEC_PROCESS_KEYRING } },
    { "request_key", SYS_request_key, { (long)"user", (long)"x" } },
    { "open_by_handle_at", SYS_open_by_handle_at, { AT_FDCWD } },
    { "fanotify_init", SYS_fanotify_init },
    { "init_module", SYS_init_module },
    { "finit_module", SYS_finit_module },
    { "kexec_load", SYS_kexec_load },
    { "syslog", SYS_syslog, { 3 } },
    { "settimeofday", SYS_settimeofday },
    { "acct", SYS_acct },
    { "swapoff", SYS_swapoff, { (long)"/tmp" } },
    { "quotactl", SYS_quotactl },
    { "kcmp", SYS_kcmp, { 1, 1 } },
    { "pidfd_getfd", SYS_pidfd_getfd },
    { "personality", SYS_personality, { 0x0400000 } }, /* READ_IMPLIES_EXEC */
    { "socket-alg", SYS_socket, { AF_ALG, SOCK_SEQPACKET } },
    { "socket-vsock", SYS_socket, { AF_VSOCK, SOCK_STREAM } },
    { "socket-kcm", SYS_socket, { AF_KCM, SOCK_DGRAM } },
#ifdef __x86_64__
    { "iopl", SYS_iopl, { 3 } },
    { "ioperm", SYS_ioperm, { 0x80, 1, 1 } },
    { "x32-unshare", 0x40000000 | SYS_unshare, { CLONE_NEWUSER } },
    { "x32-keyctl", 0x40000000 | SYS_keyctl },
#endif
};

static void call_report(const char *name, long result) {
    if (result == 0 && strstr(name, "clone"))
        _exit(0); /* the child it must not get */
    printf("%s %s\n", name, result < 0 ? strerrorname_np((int)-result) : "done");
}

static long call_native(const Call *call) {
    const long *a = call->arguments;
    long r = syscall(call->number, a[0], a[1], a[2], a[3], a[4]);
    return r < 0 ? -errno : r;
}

#ifdef __x86_64__
/* The i386 table by its own gate, with numbers and pointers of 32 bits: what a filter of one architecture forgets. */
static long call_i386(int number, uint32_t a, uint32_t b, uint32_t c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"((long)number), "b"((long)a), "c"((long)b), "d"((long)c)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}

static void calls_i386(void) {
    enum { I386_CLONE = 120, I386_MOUNT = 21, I386_SOCKETCALL = 102, I386_KEYCTL = 288, I386_UNSHARE = 310,
           I386_BPF = 357, I386_SOCKET = 359, SOCKETCALL_SOCKET = 1, SOCKETCALL_LISTEN = 4 };
    uint32_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    uint32_t at = (uint32_t)(uintptr_t)low;
    call_report("i386-unshare", call_i386(I386_UNSHARE, CLONE_NEWUSER, 0, 0));
    call_report("i386-clone", call_i386(I386_CLONE, CLONE_NEWUSER | SIGCHLD, 0, 0));
    call_report("i386-mount", call_i386(I386_MOUNT, at, at, at));
    call_report("i386-keyctl", call_i386(I386_KEYCTL, KEYCTL_GET_KEYRING_ID, 0, 0));
    call_report("i386-bpf", call_i386(I386_BPF, 0, 0, 0));
    call_report("i386-socket-alg", call_i386(I386_SOCKET, AF_ALG, SOCK_SEQPACKET, 0));
    call_report("i386-socket-unix", call_i386(I386_SOCKET, AF_UNIX, SOCK_STREAM, 0));
    memcpy(low, (uint32_t[]){ AF_ALG, SOCK_SEQPACKET, 0 }, 12);
    call_report("i386-socketcall-alg", call_i386(I386_SOCKETCALL, SOCKETCALL_SOCKET, at, 0));
    memcpy(low, (uint32_t[]){ AF_VSOCK, SOCK_STREAM, 0 }, 12);
    call_report("i386-socketcall-vsock", call_i386(I386_SOCKETCALL, SOCKETCALL_SOCKET, at, 0));
}
#endif

static int calls_run(void) {
    for (size_t i = 0; i < COUNT(calls); i++)
        call_report(calls[i].name, call_native(&calls[i]));
#ifdef __x86_64__
    calls_i386();
#endif
    return 0;
}

/* Signals of this user that nobody takes, until the kernel keeps no more of what is told of one. */
static void signals_fill(void) {
    siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    while (syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info) == 0)
        ;
}

/* What pid 1 reads of these has no sender's pid, as of a signal that comes from outside of the pod. */
static int end(bool full) {
    siginfo_t forged = { .si_signo = SIGTERM, .si_code = SI_QUEUE };
    int ends[2];
    if (full)
        signals_fill();
    if (syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, &forged) < 0 || pipe(ends) < 0 || fcntl(ends[0], F_SETOWN, 1) < 0 ||
        fcntl(ends[0], F_SETSIG, SIGTERM) < 0 || fcntl(ends[0], F_SETFL, O_ASYNC) < 0 || write(ends[1], "", 1) != 1) {
        perror("end");
        return 1;
    }
    return 0;
}

static bool name_read(const char *pid, char ret[64]) {
    char path[300];
    (void)snprintf(path, sizeof path, "/proc/%s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, ret, 63);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return false;
    ret[length - 1] = 0;
    return true;
}

/* A process that runs our program, not the app's yet: what stage1 and exec are called, also executed by descriptor. */
static bool is_ours(const char *pid) {
    char name[64];
    return name_read(pid, name) && (strncmp(name, "gantry", 6) == 0 || (name[0] >= '0' && name[0] <= '9'));
}

static unsigned looks;

static void file_try(const char *pid, const char *file, int flags) {
    char path[300];
    (void)snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return;
    if (is_ours(pid)) /* still: what was opened was its, not the app's */
        printf("opened %s\n", path);
    close(fd);
}

static void process_try(const char *pid) {
    char path[300];
    (void)snprintf(path, sizeof path, "/proc/%s/root/usr/lib/gantry/gantry-stage1", pid);
    if (access(path, F_OK) == 0)
        printf("reached %s\n", path);
    if (!is_ours(pid))
        return;
    looks++;
    file_try(pid, "root", O_PATH);
    file_try(pid, "cwd", O_PATH);
    file_try(pid, "mem", O_RDWR);
    for (int fd = 0; fd < 16; fd++) {
        char file[16];
        (void)snprintf(file, sizeof file, "fd/%d", fd);
        file_try(pid, file, O_RDONLY | O_NONBLOCK);
    }
    file_try(pid, "ns/mnt", O_RDONLY);
    file_try(pid, "exe", O_RDONLY);
    if (ptrace(PTRACE_SEIZE, atoi(pid), 0, 0) == 0) {
        if (is_ours(pid))
            printf("seized %s\n", pid);
        /* Only what has stopped can be let go; the end of what is kept would not come to its parent. */
        (void)ptrace(PTRACE_INTERRUPT, atoi(pid), 0, 0);
        (void)waitpid(atoi(pid), NULL, __WALL);
        (void)ptrace(PTRACE_DETACH, atoi(pid), 0, 0);
    }
}

static void hunt_end(int number) {
    (void)number;
    over = true;
}

static int hunt(void) {
    (void)signal(SIGTERM, hunt_end);
    printf("hunting\n");
    fflush(stdout);
    while (!over) {
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes && (entry = readdir(processes));)
            if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && atoi(entry->d_name) != getpid())
                process_try(entry->d_name);
        if (processes)
            closedir(processes);
    }
    printf("looked at %s\n", looks > 0 ? "some" : "none");
    return 0;
}

static int keyring(void) {
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "invocation_id", 0);
    printf("%s\n", key < 0 ? strerrorname_np(errno) : "found");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "calls") == 0)
        return calls_run();
    if ((argc == 2 || argc == 3) && strcmp(argv[1], "end") == 0)
        return end(argc == 3 && strcmp(argv[2], "full") == 0);
    if (argc == 2 && strcmp(argv[1], "hunt") == 0)
        return hunt();
    if (argc == 2 && strcmp(argv[1], "keyring") == 0)
        return keyring();
    fprintf(stderr, "usage: attack calls | end [full] | hunt | keyring\n");
    return 2;
}

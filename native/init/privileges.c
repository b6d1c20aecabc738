#include "privileges.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the sandbox's system call filter needs this architecture's audit number"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

/* kill(-1) reaches processes of any id; SYS_ADMIN over the pid namespace lets a journal message name an app. */
#define KEPT ((uint64_t)1 << CAP_KILL | (uint64_t)1 << CAP_SYS_ADMIN)

static int bounding_drop(void);
static int capabilities_set(void);
static int filter_load(void);

InitStep privileges_drop(void) {
    if (bounding_drop() < 0 || capabilities_set() < 0)
        return INIT_CAPABILITIES;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return INIT_NO_NEW_PRIVILEGES;
    return filter_load() < 0 ? INIT_FILTER : INIT_STANDS;
}

static int bounding_drop(void) {
    for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (!(KEPT >> capability & 1) && prctl(PR_CAPBSET_DROP, capability) < 0)
            return -1;
    return 0;
}

static int capabilities_set(void) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = {
        { .effective = (uint32_t)KEPT, .permitted = (uint32_t)KEPT },
        { .effective = (uint32_t)(KEPT >> 32), .permitted = (uint32_t)(KEPT >> 32) },
    };
    return (int)syscall(SYS_capset, &header, data);
}

/* Everything the relay and the reaper call from here on; CAP_SYS_ADMIN is worth nothing without mount, setns, bpf. */
static const int allowed[] = {
    SYS_read,       SYS_write,      SYS_close,         SYS_sendmsg,   SYS_recvmsg,     SYS_accept4,
    SYS_getsockopt, SYS_fcntl,      SYS_ioctl,         SYS_ppoll,     SYS_epoll_ctl,   SYS_epoll_pwait,
    SYS_kill,       SYS_wait4,      SYS_clock_gettime, SYS_getuid,    SYS_getgid,      SYS_rt_sigreturn,
    SYS_exit,       SYS_exit_group, SYS_close_range,   SYS_listen,    SYS_shutdown,    SYS_restart_syscall,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
};

#ifdef SANITIZED
static int filter_load(void) {
    (void)allowed;
    return 0; /* the sanitizers' runtime maps memory and reads /proc whenever it likes */
}
#else
#define ALLOWED_COUNT (sizeof allowed / sizeof *allowed)

static int filter_load(void) {
    struct sock_filter code[4 + ALLOWED_COUNT + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    size_t n = 4;
    for (size_t i = 0; i < ALLOWED_COUNT; i++) {
        uint8_t distance = (uint8_t)(ALLOWED_COUNT - i); /* to the last statement, which allows */
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], distance, 0);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { .len = (unsigned short)n, .filter = code };
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
#endif

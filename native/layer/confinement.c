#include "layer/confinement.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if SANITIZED
/* The leak checker reads /proc at exit, which this root has not; the fuzz target and the unit tests look for leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}
#endif

/* A sparse map, an xz dictionary or a digest list may ask for any amount; the work itself needs some ten MiB. */
#define MEMORY_MAX ((rlim_t)1536 << 20)

/* What a program of this kind does whatever its work is; names are only opened and looked at. */
static const int common_calls[] = {
    /* reading, writing */
    SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(close),
    SCMP_SYS(fadvise64), SCMP_SYS(fsync), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(openat), SCMP_SYS(openat2),
    SCMP_SYS(getdents64), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(statfs),
    /* memory, threads, the end */
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
    SCMP_SYS(futex), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(sysinfo), SCMP_SYS(prlimit64), SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static const unsigned reader_capabilities[] = {
    CAP_DAC_READ_SEARCH, /* files that root may not read by mode */
};

static const int reader_calls[] = {
    SCMP_SYS(readlinkat), SCMP_SYS(fchdir),   SCMP_SYS(flistxattr), SCMP_SYS(llistxattr), SCMP_SYS(fgetxattr),
    SCMP_SYS(lgetxattr),  SCMP_SYS(renameat), SCMP_SYS(renameat2),  SCMP_SYS(unlinkat),
};

const struct Confinement confinement_of_readers = {
    .capabilities = reader_capabilities,
    .capability_count = sizeof(reader_capabilities) / sizeof(*reader_capabilities),
    .calls = reader_calls,
    .call_count = sizeof(reader_calls) / sizeof(*reader_calls),
};

/* glibc has no capset(2) and libcap is one dependency too many for it. */
static int capabilities_drop(const struct Confinement *confinement) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    uint32_t mask[2] = { 0 };
    for (size_t i = 0; i < confinement->capability_count; i++)
        mask[confinement->capabilities[i] / 32] |= UINT32_C(1) << confinement->capabilities[i] % 32;
    for (size_t i = 0; i < 2; i++) { /* what the unit did not grant stays away */
        data[i].permitted &= mask[i];
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int calls_allow(scmp_filter_ctx filter, const int *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ENOSYS rather than a signal: a newer C library falls back to the calls listed here. */
static int calls_filter(const struct Confinement *confinement) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return -ENOMEM;
    int r = calls_allow(filter, common_calls, sizeof(common_calls) / sizeof(*common_calls));
    if (r == 0)
        r = calls_allow(filter, confinement->calls, confinement->call_count);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: file calls come by the thousand */
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

static int memory_limit(void) {
    const struct rlimit limit = { .rlim_cur = MEMORY_MAX, .rlim_max = MEMORY_MAX };
    struct rlimit present;
    if (getrlimit(RLIMIT_DATA, &present) < 0)
        return -errno;
    if (present.rlim_max < MEMORY_MAX)
        return 0;
    return setrlimit(RLIMIT_DATA, &limit) < 0 ? -errno : 0;
}

int confinement_enter(int root, const struct Confinement *confinement, struct Fault *fault) {
    if (root >= 0 && (fchdir(root) < 0 || chroot(".") < 0))
        return fault_system(fault, errno, "cannot change the root directory");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fault_system(fault, errno, "cannot give up new privileges");
    int r = capabilities_drop(confinement);
    if (r < 0)
        return fault_system(fault, -r, "cannot drop capabilities");
    if (SANITIZED) /* a sanitizer's run time needs other calls and much more memory */
        return 0;
    r = memory_limit();
    if (r < 0)
        return fault_system(fault, -r, "cannot limit memory");
    r = calls_filter(confinement);
    return r < 0 ? fault_system(fault, -r, "cannot filter system calls") : 0;
}

#include "confine/filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "confine/custom.h"
#include "confine/profile.h"
#include "default-profile.h"

#define COUNT(array) (unsigned short)(sizeof(array) / sizeof *(array))

/* BPF_MAXINSNS: what the kernel takes. */
enum { FILTER_SIZE_MAX = 4096 * sizeof(struct sock_filter) };

/* Exported rather than loaded by libseccomp, which would set no-new-privileges on its own (SCMP_FLTATR_CTL_NNP). */
static int filter_export(scmp_filter_ctx context, SeccompFilter *ret) {
    _cleanup_fd_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = seccomp_export_bpf(context, fd);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    char *text;
    size_t size;
    r = io_read_all(fd, FILTER_SIZE_MAX, &text, &size);
    if (r < 0)
        return r == -EFBIG ? -E2BIG : r;
    *ret = (SeccompFilter){ (struct sock_filter *)(void *)text, (unsigned short)(size / sizeof(struct sock_filter)),
                            true };
    return 0;
}

static int default_compile(uint64_t gates, SeccompFilter *ret, Failure *failure) {
    scmp_filter_ctx context;
    const char *name;
    int r = profile_build(seccomp_arch_native(), gates, &context, &name);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_SECCOMP, -r, "default profile%s%s", name ? ": " : "", name ? name : "");
    r = filter_export(context, ret);
    seccomp_release(context);
    return r < 0 ? failure_set(failure, EXIT_STATUS_SECCOMP, -r, "default profile") : 0;
}

static int custom_compile(const SeccompPlan *plan, SeccompFilter *ret, Failure *failure) {
    scmp_filter_ctx context;
    int r = custom_build(plan, &context, failure);
    if (r < 0)
        return r;
    r = filter_export(context, ret);
    seccomp_release(context);
    return r < 0 ? failure_set(failure, EXIT_STATUS_SECCOMP, -r, "linux.seccomp") : 0;
}

int seccomp_filter_make(const LaunchPlan *plan, SeccompFilter *ret, Failure *failure) {
    if (plan->seccomp == SECCOMP_PLAN_NONE) {
        *ret = (SeccompFilter){ 0 };
        return 0;
    }
    if (plan->seccomp == SECCOMP_PLAN_CUSTOM)
        return custom_compile(plan->custom_seccomp, ret, failure);
    uint64_t gates = profile_gates(plan->process.capabilities.bounding);
    if (gates == 0)
        *ret = (SeccompFilter){ profile_plain, COUNT(profile_plain), false };
    else if (gates == UINT64_C(1) << CAP_SYS_CHROOT)
        *ret = (SeccompFilter){ profile_chroot, COUNT(profile_chroot), false };
    else
        return default_compile(gates, ret, failure);
    return 0;
}

int seccomp_filter_install(const SeccompFilter *filter, Failure *failure) {
    if (!filter->instructions)
        return 0;
    struct sock_fprog program = { .len = filter->count, .filter = (struct sock_filter *)filter->instructions };
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return failure_set(failure, EXIT_STATUS_SECCOMP, errno, "system call filter");
    return 0;
}

void seccomp_filter_done(SeccompFilter *filter) {
    if (filter->owned)
        free((void *)(uintptr_t)filter->instructions);
    *filter = (SeccompFilter){ 0 };
}

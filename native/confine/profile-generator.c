/* Build tool: prints the default profile as BPF for one architecture, so that a launch pays nothing for it.
 * Usage: profile-generator x86_64|aarch64|… (libseccomp's names) */
#include <linux/capability.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "confine/profile.h"

static int filter_print(const char *name, scmp_filter_ctx filter) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || seccomp_export_bpf(filter, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    struct sock_filter instruction;
    printf("static const struct sock_filter %s[] = {\n", name);
    while (read(fd, &instruction, sizeof instruction) == (ssize_t)sizeof instruction)
        printf("    { 0x%x, %u, %u, 0x%xu },\n", instruction.code, instruction.jt, instruction.jf, instruction.k);
    printf("};\n");
    close(fd);
    return 0;
}

static int variant_print(const char *name, uint32_t architecture, uint64_t capabilities) {
    scmp_filter_ctx filter;
    const char *call;
    int r = profile_build(architecture, capabilities, &filter, &call);
    if (r < 0) {
        fprintf(stderr, "profile-generator: %s: %s: %s\n", name, call ? call : "filter", strerror(-r));
        return -1;
    }
    r = filter_print(name, filter);
    seccomp_release(filter);
    return r;
}

int main(int argc, char **argv) {
    uint32_t architecture = argc == 2 ? seccomp_arch_resolve_name(argv[1]) : 0;
    if (!architecture) {
        fprintf(stderr, "usage: profile-generator ARCHITECTURE\n");
        return 2;
    }
    printf("/* The default profile for %s; made by profile-generator.c. */\n", argv[1]);
    if (variant_print("profile_plain", architecture, 0) < 0)
        return 1;
    return variant_print("profile_chroot", architecture, UINT64_C(1) << CAP_SYS_CHROOT) < 0;
}

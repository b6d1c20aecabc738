/* Build tool: prints the default profile by system call number, for one architecture and its 32-bit kin.
 * Usage: profile-generator x86_64|aarch64|… (libseccomp's names) */
#include <inttypes.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "confine/profile.h"

enum { CALLS_MAX = 1024 };

static int number_find(uint32_t architecture, const char *name) {
    for (int number = 0; number < CALLS_MAX; number++) {
        char *own = seccomp_syscall_resolve_num_arch(architecture, number);
        bool found = own && strcmp(own, name) == 0;
        free(own);
        if (found)
            return number;
    }
    return -1;
}

/* libseccomp has numbers of its own, below 0, for what 32-bit x86 once had behind a multiplexer only: the kernel's are found
 * by their names. One that it does not know, or that the architecture does not have, stays ENOSYS. */
static void call_add(ProfileCall *calls, size_t *count, uint32_t architecture, const ProfileRule *rule) {
    int number = seccomp_syscall_resolve_name_arch(architecture, rule->name);
    if (number < 0)
        number = number_find(architecture, rule->name);
    if (number < 0 || *count >= CALLS_MAX)
        return;
    calls[(*count)++] = (ProfileCall){ (uint32_t)number, rule->gates, rule->otherwise };
}

static int call_compare(const void *left, const void *right) {
    const ProfileCall *a = left, *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

static void calls_print(uint32_t architecture) {
    ProfileCall calls[CALLS_MAX];
    size_t count = 0;
    for (const char *const *name = profile_allowed; *name; name++)
        call_add(calls, &count, architecture, &(ProfileRule){ *name, 0, PROFILE_ALLOWED });
    for (const ProfileRule *rule = profile_rules; rule->name; rule++)
        call_add(calls, &count, architecture, rule);
    qsort(calls, count, sizeof *calls, call_compare);
    printf("static const ProfileCall calls_%" PRIx32 "[] = {\n", architecture);
    for (size_t i = 0; i < count; i++)
        printf("    { %" PRIu32 ", 0x%" PRIx64 ", %d },\n", calls[i].number, calls[i].gates, (int)calls[i].otherwise);
    printf("};\n");
}

static void architecture_print(uint32_t architecture) {
    /* libseccomp's tokens are the kernel's AUDIT_ARCH_. */
    printf("    { 0x%" PRIx32 ", calls_%" PRIx32 ", sizeof calls_%" PRIx32 " / sizeof(ProfileCall) },\n", architecture,
           architecture, architecture);
}

/* Not x32: Debian's kernels have it switched off. */
static uint32_t kin_of(uint32_t architecture) {
    return architecture == SCMP_ARCH_X86_64    ? SCMP_ARCH_X86
           : architecture == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM
                                               : 0;
}

int main(int argc, char **argv) {
    uint32_t architecture = argc == 2 ? seccomp_arch_resolve_name(argv[1]) : 0;
    if (!architecture) {
        fprintf(stderr, "usage: profile-generator ARCHITECTURE\n");
        return 2;
    }
    uint32_t kin = kin_of(architecture);
    printf("/* The default profile for %s; made by profile-generator.c. */\n", argv[1]);
    calls_print(architecture);
    if (kin)
        calls_print(kin);
    printf("static const ProfileArchitecture profile_architectures[] = {\n");
    architecture_print(architecture);
    if (kin)
        architecture_print(kin);
    printf("};\n");
    return 0;
}

/* The default filter, instruction by instruction: every call of the profile by its name, on each architecture, and what
 * is between and beyond them. */
#include "confine/default.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../check.h"
#include "confine/profile.h"

#define ERROR(number) (SECCOMP_RET_ERRNO | (number))

enum { NUMBERS = 2048 };

static struct sock_filter *filter;
static unsigned short count;

/* What the kernel does with the few instructions that there are; 0 for what it would refuse to load. */
static uint32_t filter_run(const struct seccomp_data *data) {
    uint32_t accumulator = 0;
    for (size_t at = 0; at < count; at++) {
        const struct sock_filter *item = &filter[at];
        switch (item->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&accumulator, (const char *)data + item->k, sizeof accumulator);
            break;
        case BPF_RET | BPF_K:
            return item->k;
        case BPF_JMP | BPF_JA:
            at += item->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += accumulator == item->k ? item->jt : item->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += accumulator >= item->k ? item->jt : item->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += accumulator & item->k ? item->jt : item->jf;
            break;
        default:
            return 0;
        }
    }
    return 0;
}

static uint32_t decide(uint32_t architecture, uint32_t number, uint64_t argument) {
    return filter_run(&(struct seccomp_data){ .nr = (int)number, .arch = architecture, .args = { argument } });
}

/* The kernel's number: a name that libseccomp resolves to one below 0, behind a multiplexer, may still have its own. */
static int number_of(uint32_t architecture, const char *name) {
    int number = seccomp_syscall_resolve_name_arch(architecture, name);
    for (int other = 0; number < 0 && other < NUMBERS; other++) {
        char *own = seccomp_syscall_resolve_num_arch(architecture, other);
        number = own && strcmp(own, name) == 0 ? other : number;
        free(own);
    }
    return number;
}

static void check_call(uint32_t architecture, const char *name, uint64_t argument, uint32_t wanted, bool *known) {
    int number = number_of(architecture, name);
    if (number < 0)
        return;
    uint32_t action = decide(architecture, (uint32_t)number, argument);
    CHECK(action == wanted, "%x %s(0x%llx): %x instead of %x", architecture, name, (unsigned long long)argument, action,
          wanted);
    known[number] = true;
}

static uint32_t action_of(ProfileVerdict verdict) {
    return verdict == PROFILE_REFUSED ? ERROR(EPERM) : verdict == PROFILE_ABSENT ? ERROR(ENOSYS)
                                                    : verdict == PROFILE_NO_FAMILY ? ERROR(EAFNOSUPPORT)
                                                                                   : SECCOMP_RET_ALLOW;
}

static void check_architecture(uint32_t architecture, uint64_t capabilities) {
    static bool known[NUMBERS];
    memset(known, 0, sizeof known);
    for (const char *const *name = profile_allowed; *name; name++)
        check_call(architecture, *name, UINT64_MAX, SECCOMP_RET_ALLOW, known);
    for (const ProfileRule *rule = profile_rules; rule->name; rule++) {
        bool open = rule->gates & capabilities;
        check_call(architecture, rule->name, 0, open ? SECCOMP_RET_ALLOW : action_of(rule->otherwise), known);
    }
    for (uint32_t number = 0; number < NUMBERS; number++)
        if (!known[number])
            CHECK(decide(architecture, number, 0) == ERROR(ENOSYS), "%x %u", architecture, number);
    CHECK(decide(architecture, UINT32_MAX, 0) == ERROR(ENOSYS), "%x -1", architecture);
    CHECK(decide(architecture, 0x40000000, 0) == ERROR(ENOSYS), "%x x32", architecture);

    check_call(architecture, "personality", 0x20008, SECCOMP_RET_ALLOW, known);
    check_call(architecture, "personality", 0xffffffff, SECCOMP_RET_ALLOW, known);
    check_call(architecture, "personality", 0x40000, ERROR(ENOSYS), known); /* ADDR_NO_RANDOMIZE */
    check_call(architecture, "socket", AF_NETLINK, SECCOMP_RET_ALLOW, known);
    check_call(architecture, "socket", AF_ALG, ERROR(EAFNOSUPPORT), known);
    check_call(architecture, "socket", AF_VSOCK, ERROR(EAFNOSUPPORT), known);
    /* The kernel cuts an int's upper half off: it must not hide the family. */
    check_call(architecture, "socket", UINT64_C(0x100000000) + AF_VSOCK, ERROR(EAFNOSUPPORT), known);
}

static void check_clone(uint32_t architecture, uint64_t capabilities) {
    static const uint64_t namespaces[] = { CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                           CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET };
    bool known[NUMBERS];
    uint32_t wanted = capabilities & UINT64_C(1) << CAP_SYS_ADMIN ? SECCOMP_RET_ALLOW : ERROR(ENOSYS);
    check_call(architecture, "clone", CLONE_VM | CLONE_FILES | 17, SECCOMP_RET_ALLOW, known);
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        check_call(architecture, "clone", namespaces[i] | 17, wanted, known);
}

int main(void) {
    static const uint64_t sets[] = { 0, UINT64_C(1) << CAP_SYS_CHROOT, UINT64_C(1) << CAP_SYS_ADMIN,
                                     UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_SYSLOG, UINT64_MAX };
    uint32_t native = seccomp_arch_native(),
             kin = native == SCMP_ARCH_X86_64 ? SCMP_ARCH_X86 : native == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM : native;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        int r = default_filter_make(sets[i], &filter, &count);
        CHECK(r == 0, "default_filter_make(%llx): %d", (unsigned long long)sets[i], r);
        if (r < 0)
            continue;
        check_architecture(native, sets[i]);
        check_architecture(kin, sets[i]);
        check_clone(native, sets[i]);
        check_clone(kin, sets[i]);
        /* 32-bit x86 has sockets by numbers of their own (asm/unistd_32.h), and through its multiplexer none. */
        if (kin == SCMP_ARCH_X86) {
            CHECK(decide(kin, 359, AF_UNIX) == SECCOMP_RET_ALLOW, "socket");
            CHECK(decide(kin, 362, 0) == SECCOMP_RET_ALLOW, "connect");
            CHECK(decide(kin, 102, 1) == ERROR(EAFNOSUPPORT), "socketcall");
        }
        CHECK(decide(SCMP_ARCH_S390X, 1, 0) == ERROR(ENOSYS), "another architecture");
        CHECK(count < 500, "%u instructions", count);
        free(filter);
    }
    return checks_failed != 0;
}

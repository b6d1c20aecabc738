/* A binary search over runs of system call numbers that are decided alike: a quarter of the instructions that one comparison
 * per call takes, and the kernel translates every filter twice and then runs it once for each number there is
 * (seccomp_cache_prepare() in kernel/seccomp.c), all of that before the app's first instruction. */
#include "confine/default.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "confine/profile.h"
#include "default-profile.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A conditional jump reaches 255 instructions; two that reach farther may come in between. */
enum { RUNS_MAX = 512, REACH = 250 };

/* CLONE_NEWTIME is no flag of clone(2): its bit belongs to the exit signal there. */
enum {
    CLONE_NAMESPACES =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
};

/* The half of the first argument that the kernel looks at: these are all of 32 bits there. */
#define ARGUMENT (offsetof(struct seccomp_data, args) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0))

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))
#define EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)

typedef struct Run {
    uint32_t first;
    ProfileVerdict verdict;
} Run;

/* Filled from its end: jumps only go forward, so that their targets are there already. */
typedef struct Program {
    struct sock_filter *items; /* BPF_MAXINSNS of them */
    size_t first;
    bool full;
} Program;

typedef struct Leaf {
    const struct sock_filter *items;
    size_t count;
} Leaf;

static const struct sock_filter absent[] = { REFUSE(ENOSYS) };
static const struct sock_filter allowed[] = { RETURN(SECCOMP_RET_ALLOW) };
static const struct sock_filter refused[] = { REFUSE(EPERM) };
static const struct sock_filter no_family[] = { REFUSE(EAFNOSUPPORT) };
static const struct sock_filter clone_plain[] = {
    LOAD(ARGUMENT),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NAMESPACES, 1, 0),
    RETURN(SECCOMP_RET_ALLOW),
    REFUSE(ENOSYS),
};
/* PER_LINUX, PER_LINUX32, both with UNAME26, and the query; the others weaken memory protection. */
static const struct sock_filter personality_harmless[] = {
    LOAD(ARGUMENT),       EQUAL(0x0, 5, 0),        EQUAL(0x8, 4, 0), EQUAL(0x20000, 3, 0),
    EQUAL(0x20008, 2, 0), EQUAL(0xffffffff, 1, 0), REFUSE(ENOSYS),   RETURN(SECCOMP_RET_ALLOW),
};
/* From AF_ALG on families are not bound to the network namespace (vsock) or rarely used and large in the kernel. */
static const struct sock_filter socket_usual[] = {
    LOAD(ARGUMENT),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, AF_ALG, 1, 0),
    RETURN(SECCOMP_RET_ALLOW),
    REFUSE(EAFNOSUPPORT),
};

static const Leaf leaves[] = {
    [PROFILE_ABSENT] = { absent, COUNT(absent) },
    [PROFILE_ALLOWED] = { allowed, COUNT(allowed) },
    [PROFILE_REFUSED] = { refused, COUNT(refused) },
    [PROFILE_NO_FAMILY] = { no_family, COUNT(no_family) },
    [PROFILE_CLONE] = { clone_plain, COUNT(clone_plain) },
    [PROFILE_PERSONALITY] = { personality_harmless, COUNT(personality_harmless) },
    [PROFILE_SOCKET] = { socket_usual, COUNT(socket_usual) },
};

/* Where each verdict's instructions begin. */
typedef size_t Targets[COUNT(leaves)];

static int architecture_emit(Program *program, const ProfileArchitecture *architecture, uint64_t capabilities,
                             size_t other);
static int runs_make(const ProfileArchitecture *architecture, uint64_t capabilities, Run *runs, size_t *ret_count);
static int run_add(Run *runs, size_t *count, uint32_t first, ProfileVerdict verdict);
static size_t leaf_emit(Program *program, const Leaf *leaf);
static size_t search_emit(Program *program, const Run *runs, size_t count, const Targets targets);
static size_t branch_emit(Program *program, uint16_t comparison, uint32_t value, size_t then, size_t otherwise);
static size_t bring_near(Program *program, size_t target);
static size_t emit(Program *program, struct sock_filter instruction);

int default_filter_make(uint64_t capabilities, struct sock_filter **ret, unsigned short *ret_count) {
    Program program = { .items = calloc(BPF_MAXINSNS, sizeof *program.items), .first = BPF_MAXINSNS };
    if (!program.items)
        return -ENOMEM;
    int r = 0;
    (void)emit(&program, absent[0]); /* a call of another architecture is one that is not there */
    for (size_t i = 0; r >= 0 && i < COUNT(profile_architectures); i++)
        r = architecture_emit(&program, &profile_architectures[i], capabilities, program.first);
    (void)emit(&program, (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch)));
    if (r >= 0 && program.full)
        r = -E2BIG;
    if (r < 0) {
        free(program.items);
        return r;
    }
    *ret_count = (unsigned short)(BPF_MAXINSNS - program.first);
    *ret = memmove(program.items, program.items + program.first, *ret_count * sizeof *program.items);
    return 0;
}

static int architecture_emit(Program *program, const ProfileArchitecture *architecture, uint64_t capabilities,
                             size_t other) {
    Run runs[RUNS_MAX];
    Targets targets;
    size_t count;
    int r = runs_make(architecture, capabilities, runs, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < COUNT(leaves); i++)
        targets[i] = leaf_emit(program, &leaves[i]);
    (void)search_emit(program, runs, count, targets);
    size_t search = emit(program, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
    (void)branch_emit(program, BPF_JEQ, architecture->audit, search, other);
    return 0;
}

/* Between the calls of the table, and from its last one to the greatest number, nothing is there. */
static int runs_make(const ProfileArchitecture *architecture, uint64_t capabilities, Run *runs, size_t *ret_count) {
    uint32_t next = 0;
    size_t count = 0;
    int r = 0;
    for (size_t i = 0; r >= 0 && i < architecture->count; i++) {
        const ProfileCall *call = &architecture->calls[i];
        if (call->number > next)
            r = run_add(runs, &count, next, PROFILE_ABSENT);
        if (r >= 0)
            r = run_add(runs, &count, call->number, profile_verdict(call, capabilities));
        next = call->number + 1;
    }
    if (r >= 0)
        r = run_add(runs, &count, next, PROFILE_ABSENT);
    *ret_count = count;
    return r;
}

static int run_add(Run *runs, size_t *count, uint32_t first, ProfileVerdict verdict) {
    if (*count > 0 && runs[*count - 1].verdict == verdict)
        return 0;
    if (*count == RUNS_MAX)
        return -E2BIG;
    runs[(*count)++] = (Run){ first, verdict };
    return 0;
}

static size_t leaf_emit(Program *program, const Leaf *leaf) {
    for (size_t i = leaf->count; i-- > 0;)
        (void)emit(program, leaf->items[i]);
    return program->first;
}

/* Returns where the search begins, as the others do. The lower half follows its comparison. */
static size_t search_emit(Program *program, const Run *runs, size_t count, const Targets targets) {
    if (count == 1)
        return targets[runs->verdict];
    size_t half = count / 2;
    size_t upper = search_emit(program, runs + half, count - half, targets);
    size_t lower = search_emit(program, runs, half, targets);
    return branch_emit(program, BPF_JGE, runs[half].first, upper, lower);
}

static size_t branch_emit(Program *program, uint16_t comparison, uint32_t value, size_t then, size_t otherwise) {
    then = bring_near(program, then);
    otherwise = bring_near(program, otherwise);
    return emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, (uint8_t)(then - program->first),
                                                      (uint8_t)(otherwise - program->first)));
}

static size_t bring_near(Program *program, size_t target) {
    size_t distance = target - program->first;
    return distance <= REACH ? target : emit(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)distance));
}

static size_t emit(Program *program, struct sock_filter instruction) {
    program->full = program->full || program->first == 0;
    if (!program->full)
        program->items[--program->first] = instruction;
    return program->first;
}

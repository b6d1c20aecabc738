/* The default system call profile: what an app may call, given its capabilities. A table by name, of which
 * profile-generator.c makes one by number for each architecture when Gantry is built: a start resolves no names. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum ProfileVerdict {
    PROFILE_ABSENT, /* ENOSYS */
    PROFILE_ALLOWED,
    PROFILE_REFUSED,     /* EPERM */
    PROFILE_NO_FAMILY,   /* EAFNOSUPPORT */
    PROFILE_CLONE,       /* allowed without the flags of namespaces */
    PROFILE_PERSONALITY, /* allowed for the harmless ones */
    PROFILE_SOCKET,      /* allowed for families that the network namespace governs */
} ProfileVerdict;

typedef struct ProfileRule {
    const char *name;
    uint64_t gates; /* any of these capabilities allows it; 0: none does */
    ProfileVerdict otherwise;
} ProfileRule;

/* Both end with a NULL name. */
extern const char *const profile_allowed[];
extern const ProfileRule profile_rules[];

/* The same by number, for one architecture and in its order. */
typedef struct ProfileCall {
    uint32_t number;
    uint64_t gates;
    ProfileVerdict otherwise;
} ProfileCall;

typedef struct ProfileArchitecture {
    uint32_t audit; /* AUDIT_ARCH_ of seccomp_data */
    const ProfileCall *calls;
    size_t count;
} ProfileArchitecture;

ProfileVerdict profile_verdict(const ProfileCall *call, uint64_t capabilities);

/* The default system call profile: what an app may call, given its capabilities. One table, compiled at build time for
 * the usual capabilities (native/confine/profile-generator.c) and at launch for unusual ones. */
#pragma once

#include <seccomp.h>
#include <stdint.h>

/* Those of `capabilities` that open something in the profile. */
uint64_t profile_gates(uint64_t capabilities);

/* Builds the profile for the architecture (SCMP_ARCH_) and its 32-bit kin. Returns 0 or -errno, naming the call that
 * could not be added in *ret_name if it was one. */
int profile_build(uint32_t architecture, uint64_t capabilities, scmp_filter_ctx *ret, const char **ret_name);

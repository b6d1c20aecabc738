/* A failed check is told and counted; the test goes on. main() returns checks_failed != 0. */
#pragma once

#include <stdio.h>

static int checks_failed;

#define CHECK(condition, ...)                                                                                  \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                    \
            fprintf(stderr, __VA_ARGS__);                                                                      \
            fputc('\n', stderr);                                                                               \
            checks_failed++;                                                                                   \
        }                                                                                                      \
    } while (0)

/* In a child that a filter confines: its exit status tells the line of a call that was decided otherwise. */
#define EXPECT(call, wanted_errno)                                                                             \
    do {                                                                                                       \
        errno = 0;                                                                                             \
        if ((call) >= 0 || errno != (wanted_errno))                                                            \
            return __LINE__ % 99 + 1;                                                                          \
    } while (0)

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

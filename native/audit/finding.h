/* Differences between a tree and its list, as the report tells them. */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* More are only counted. */
#define FINDINGS_MAX 1000

/* `expected` and `found` are short and ASCII. */
struct Finding {
    const char *what; /* a word of docs/auditor.md */
    char *path;
    char expected[96];
    char found[96];
};

struct Findings {
    pthread_mutex_t lock;
    struct Finding kept[FINDINGS_MAX];
    size_t kept_count;
    uint64_t count;
};

/* Notes one; any thread may. `expected` and `found` may be NULL. */
void finding_add(struct Findings *findings, const char *what, const char *path, const char *expected,
                 const char *found);

/* Sorts by path and prints them as a JSON array. */
void findings_print(struct Findings *findings, FILE *file);
void findings_free(struct Findings *findings);

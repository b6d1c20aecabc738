/*
 * The trust generation: one number for the state of everything that decides whom this host trusts (docs/trust.md).
 * Equal numbers mean that nothing was added, removed or changed. src/trust/generation.ts computes the same.
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#define GENERATION_DIGITS 32U

/* FNV-1a, 128 bits: it tells accidents apart; who could aim at it can write the files themselves. */
typedef struct Generation {
    unsigned __int128 hash;
} Generation;

void generation_start(Generation *generation);

/* Takes in one entry; `target` is what a symbolic link leads to, NULL if it leads nowhere or the entry is none. */
void generation_add(Generation *generation, const char *path, const struct stat *entry, const struct stat *target);

/* Takes in `path` and what is below it. What is not there changes nothing. */
int generation_add_tree(Generation *generation, const char *path);

void generation_text(const Generation *generation, char ret[static GENERATION_DIGITS + 1]);

/* Of the trust configuration below `root`, which is "" for this host. */
int generation_read(const char *root, char ret[static GENERATION_DIGITS + 1]);

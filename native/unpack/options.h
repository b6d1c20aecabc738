/* The command line of gantry-unpack (docs/unpacker.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "layer/digest.h"

enum Verb {
    VERB_LAYER,
    VERB_ACI,
    VERB_DECOMPRESS,
};

/* A digest that was promised; algorithm 0: none was. */
struct Expectation {
    enum DigestAlgorithm algorithm;
    char hex[DIGEST_HEX_MAX];
};

#define OPTION_UNSET UINT64_MAX

struct Options {
    enum Verb verb;
    const char *into;
    bool wait;              /* the options that describe the archive come later */
    uint64_t offset;
    uint64_t length;        /* OPTION_UNSET: to the end */
    uint64_t expected_size; /* OPTION_UNSET: any */
    struct Expectation expected_digest;
    struct Expectation expected_diff;
    uint64_t max_bytes;
    uint64_t max_entries;
};

/* Returns 0, or -EINVAL after writing one line about the mistake to `errors`. */
int options_parse(int argc, char **argv, FILE *errors, struct Options *ret_options);

/* Adds the options that describe the archive, one in each line of `text`, which is cut up. Returns 0, or -EINVAL after
 * writing one line about the mistake to `errors`. */
int options_complete(char *text, FILE *errors, struct Options *options);

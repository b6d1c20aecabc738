/* sha256 and sha512 over one stream (OpenSSL's EVP: it uses the CPU's SHA instructions). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum DigestAlgorithm {
    DIGEST_SHA256 = 1 << 0,
    DIGEST_SHA512 = 1 << 1,
};

#define DIGEST_HEX_MAX 129

struct DigestStream {
    void *sha256; /* NULL: not computed */
    void *sha512;
};

/* Lower-case hexadecimal; empty where the algorithm was not asked for. */
struct DigestValues {
    char sha256[65];
    char sha512[DIGEST_HEX_MAX];
};

/* Starts the algorithms of `mask`. Returns 0, -ENOMEM or -ENOTSUP. */
int digest_open(struct DigestStream *ret_stream, unsigned mask);
int digest_update(struct DigestStream *stream, const void *bytes, size_t size);
/* Tells the values and starts over, so that one stream serves many files. */
int digest_finish(struct DigestStream *stream, struct DigestValues *ret_values);
void digest_close(struct DigestStream *stream);

/* The name in "ALG:HEX", and the value of one algorithm. */
const char *digest_name(enum DigestAlgorithm algorithm);
const char *digest_value(const struct DigestValues *values, enum DigestAlgorithm algorithm);

#define _cleanup_digest_ __attribute__((cleanup(digest_close)))

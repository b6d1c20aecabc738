#include "layer/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

/* Fetched once: EVP_sha256() looks its implementation up on every EVP_DigestInit_ex(), which costs more than
 * hashing a small file (OpenSSL 3, EVP_MD_fetch(3), "implicit fetching"). */
static int context_open(void **ret_context, const char *algorithm) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context)
        return -ENOMEM;
    EVP_MD *implementation = EVP_MD_fetch(NULL, algorithm, NULL);
    int started = implementation ? EVP_DigestInit_ex2(context, implementation, NULL) : 0;
    EVP_MD_free(implementation); /* the context keeps its own reference */
    if (started != 1) {
        EVP_MD_CTX_free(context);
        return -ENOTSUP;
    }
    *ret_context = context;
    return 0;
}

int digest_open(struct DigestStream *ret_stream, unsigned mask) {
    _cleanup_digest_ struct DigestStream stream = { 0 };
    int r = 0;
    if (mask & DIGEST_SHA256)
        r = context_open(&stream.sha256, "SHA256");
    if (r == 0 && (mask & DIGEST_SHA512))
        r = context_open(&stream.sha512, "SHA512");
    if (r < 0)
        return r;
    *ret_stream = stream;
    stream = (struct DigestStream){ 0 };
    return 0;
}

int digest_update(struct DigestStream *stream, const void *bytes, size_t size) {
    if (stream->sha256 && EVP_DigestUpdate(stream->sha256, bytes, size) != 1)
        return -EIO;
    if (stream->sha512 && EVP_DigestUpdate(stream->sha512, bytes, size) != 1)
        return -EIO;
    return 0;
}

static int context_finish(EVP_MD_CTX *context, char *ret_hex) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context, bytes, &size) != 1 || EVP_DigestInit_ex2(context, NULL, NULL) != 1)
        return -EIO;
    for (unsigned i = 0; i < size; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * size] = '\0';
    return 0;
}

int digest_finish(struct DigestStream *stream, struct DigestValues *ret_values) {
    struct DigestValues values = { 0 };
    int r = stream->sha256 ? context_finish(stream->sha256, values.sha256) : 0;
    if (r == 0 && stream->sha512)
        r = context_finish(stream->sha512, values.sha512);
    if (r == 0)
        *ret_values = values;
    return r;
}

void digest_close(struct DigestStream *stream) {
    EVP_MD_CTX_free(stream->sha256);
    EVP_MD_CTX_free(stream->sha512);
    *stream = (struct DigestStream){ 0 };
}

const char *digest_name(enum DigestAlgorithm algorithm) {
    return algorithm == DIGEST_SHA512 ? "sha512" : "sha256";
}

const char *digest_value(const struct DigestValues *values, enum DigestAlgorithm algorithm) {
    return algorithm == DIGEST_SHA512 ? values->sha512 : values->sha256;
}

#include "unpack/compression.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum Compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_ZSTD,
    COMPRESSION_XZ,
    COMPRESSION_BZIP2,
};

static enum Compression compression_detect(const unsigned char *bytes, size_t size) {
    static const struct {
        const char *magic;
        size_t length;
        enum Compression compression;
    } signatures[] = {
        { "\x1f\x8b\x08", 3, COMPRESSION_GZIP },       /* RFC 1952 2.3.1 */
        { "\x28\xb5\x2f\xfd", 4, COMPRESSION_ZSTD },   /* RFC 8878 3.1.1 */
        { "\xfd" "7zXZ", 6, COMPRESSION_XZ },          /* xz file format 2.1.1.1, with its final NUL */
        { "BZh", 3, COMPRESSION_BZIP2 },
    };
    for (size_t i = 0; i < sizeof(signatures) / sizeof(*signatures); i++)
        if (size >= signatures[i].length && memcmp(bytes, signatures[i].magic, signatures[i].length) == 0)
            return signatures[i].compression;
    /* RFC 8878 3.1.2: a skippable frame may come first; its magic number is 0x184D2A5?, little-endian. */
    if (size >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0)
        return COMPRESSION_ZSTD;
    return COMPRESSION_NONE;
}

static int plain_decode(struct Source *source, struct Pipeline *pipeline, struct Fault *fault) {
    const void *bytes;
    ssize_t n;
    while ((n = source_read(source, &bytes, fault)) > 0) {
        unsigned char *block;
        int r = pipeline_reserve(pipeline, &block);
        if (r < 0)
            return r;
        memcpy(block, bytes, (size_t)n);
        r = pipeline_commit(pipeline, (size_t)n);
        if (r < 0)
            return r;
    }
    return (int)n;
}

/* gzip goes to zlib itself: libarchive 3.6 and 3.7 do not check a member's CRC, so that a damaged archive without
 * a promised digest would be extracted silently. */
struct Gzip {
    z_stream stream;
    struct Source *source;
    struct Fault *fault;
    bool inside; /* of a member */
};

static int gzip_refill(struct Gzip *gzip) {
    const void *bytes;
    ssize_t n = source_read(gzip->source, &bytes, gzip->fault);
    if (n < 0)
        return (int)n;
    gzip->stream.next_in = (Bytef *)bytes; /* zlib does not write there, but has no const */
    gzip->stream.avail_in = (uInt)n;
    return n > 0;
}

/* Between members: another one, padding of zeros (gzip(1) allows it), or the end. Returns 1 inside a member. */
static int gzip_next(struct Gzip *gzip) {
    for (;;) {
        if (gzip->stream.avail_in == 0) {
            int r = gzip_refill(gzip);
            if (r <= 0)
                return r;
        }
        if (*gzip->stream.next_in != 0)
            break;
        gzip->stream.next_in++;
        gzip->stream.avail_in--;
    }
    if (*gzip->stream.next_in != 0x1f)
        return fault_image(gzip->fault, "the archive has garbage after its gzip stream");
    gzip->inside = inflateReset(&gzip->stream) == Z_OK;
    return gzip->inside;
}

/* Fills one block. Returns its size; less than the block at the end only. */
static ssize_t gzip_fill(struct Gzip *gzip, unsigned char *block) {
    gzip->stream.next_out = block;
    gzip->stream.avail_out = PIPELINE_BLOCK;
    while (gzip->stream.avail_out > 0) {
        int r = gzip->inside ? (gzip->stream.avail_in > 0 ? 1 : gzip_refill(gzip)) : gzip_next(gzip);
        if (r < 0)
            return r;
        if (r == 0 && gzip->inside)
            return fault_image(gzip->fault, "the archive's gzip stream is truncated");
        if (r == 0)
            break;
        int status = inflate(&gzip->stream, Z_NO_FLUSH);
        if (status == Z_STREAM_END)
            gzip->inside = false;
        else if (status != Z_OK && status != Z_BUF_ERROR)
            return fault_image(gzip->fault, "the archive's gzip stream is damaged: %s",
                                 gzip->stream.msg ? gzip->stream.msg : "out of memory");
    }
    return PIPELINE_BLOCK - (ssize_t)gzip->stream.avail_out;
}

static int gzip_copy(struct Gzip *gzip, struct Pipeline *pipeline) {
    for (;;) {
        unsigned char *block;
        int r = pipeline_reserve(pipeline, &block);
        if (r < 0)
            return r;
        ssize_t n = gzip_fill(gzip, block);
        if (n < 0)
            return (int)n;
        r = pipeline_commit(pipeline, (size_t)n);
        if (r < 0 || n < PIPELINE_BLOCK)
            return r;
    }
}

static int gzip_decode(struct Source *source, struct Pipeline *pipeline, struct Fault *fault) {
    struct Gzip gzip = { .source = source, .fault = fault, .inside = true };
    if (inflateInit2(&gzip.stream, 15 + 16) != Z_OK) /* the largest window; 16: a gzip header, not zlib's */
        return fault_system(fault, ENOMEM, "cannot decompress the archive");
    int r = gzip_copy(&gzip, pipeline);
    (void)inflateEnd(&gzip.stream);
    return r;
}

struct FilterInput {
    struct Source *source;
    struct Fault *fault;
};

static la_ssize_t filter_read(struct archive *archive, void *userdata, const void **ret_bytes) {
    struct FilterInput *input = userdata;
    ssize_t n = source_read(input->source, ret_bytes, input->fault);
    if (n < 0)
        archive_set_error(archive, (int)-n, "cannot read");
    return n < 0 ? ARCHIVE_FATAL : n;
}

static int filter_open(struct archive *archive, int filter, struct FilterInput *input) {
    struct archive_entry *entry;
    /* Appending names the filter: bidding would take off further layers of compression, which the diff id covers. */
    if (archive_read_support_format_raw(archive) < ARCHIVE_OK ||
        archive_read_append_filter(archive, filter) < ARCHIVE_WARN ||
        archive_read_open(archive, input, NULL, filter_read, NULL) < ARCHIVE_OK)
        return -EBADMSG;
    int status = archive_read_next_header(archive, &entry);
    return status == ARCHIVE_OK ? 1 : status == ARCHIVE_EOF ? 0 : -EBADMSG;
}

static int filter_copy(struct archive *archive, struct Pipeline *pipeline) {
    for (;;) {
        unsigned char *block;
        int r = pipeline_reserve(pipeline, &block);
        if (r < 0)
            return r;
        la_ssize_t n = archive_read_data(archive, block, PIPELINE_BLOCK);
        if (n < 0)
            return -EBADMSG;
        r = pipeline_commit(pipeline, (size_t)n);
        if (r < 0 || n == 0)
            return r;
    }
}

static int filter_decode(struct Source *source, struct Pipeline *pipeline, int filter, struct Fault *fault) {
    struct FilterInput input = { .source = source, .fault = fault };
    struct archive *archive = archive_read_new();
    if (!archive)
        return fault_system(fault, ENOMEM, "cannot decompress the archive");
    int r = filter_open(archive, filter, &input);
    if (r > 0)
        r = filter_copy(archive, pipeline);
    if (r == -EBADMSG) {
        const char *reason = archive_error_string(archive);
        (void)fault_image(fault, "the archive cannot be decompressed: %s", reason ? reason : "it is damaged");
    }
    archive_read_free(archive);
    return r;
}

static int stream_decode(struct Source *source, struct Pipeline *pipeline, struct Fault *fault) {
    const void *bytes;
    ssize_t n = source_peek(source, &bytes, fault);
    if (n < 0)
        return (int)n;
    switch (compression_detect(bytes, (size_t)n)) {
    case COMPRESSION_GZIP:
        return gzip_decode(source, pipeline, fault);
    case COMPRESSION_ZSTD:
        return filter_decode(source, pipeline, ARCHIVE_FILTER_ZSTD, fault);
    case COMPRESSION_XZ:
        return filter_decode(source, pipeline, ARCHIVE_FILTER_XZ, fault);
    case COMPRESSION_BZIP2:
        return filter_decode(source, pipeline, ARCHIVE_FILTER_BZIP2, fault);
    case COMPRESSION_NONE:
        break;
    }
    return plain_decode(source, pipeline, fault);
}

int compression_decode(struct Source *source, struct Pipeline *pipeline, struct Fault *fault) {
    int r = stream_decode(source, pipeline, fault);
    return r < 0 ? r : source_drain(source, fault); /* what a decoder left unread is part of the digest, too */
}

#include "pack/output.h"

#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"

#define BLOCK (256 * 1024)

static la_ssize_t packed_write(struct archive *archive, void *userdata, const void *bytes, size_t size) {
    struct Output *output = userdata;
    int r = io_write_all(output->fd, bytes, size);
    if (r == 0 && output->compressor)
        r = digest_update(&output->packed_digest, bytes, size);
    if (r < 0) {
        (void)fault_system(output->fault, -r, "cannot write the archive");
        archive_set_error(archive, -r, "cannot write");
        return -1;
    }
    output->packed_size += size;
    return (la_ssize_t)size;
}

static la_ssize_t plain_write(struct archive *archive, void *userdata, const void *bytes, size_t size) {
    struct Output *output = userdata;
    output->plain_size += size;
    if (digest_update(&output->plain_digest, bytes, size) < 0) {
        archive_set_error(archive, EIO, "cannot hash");
        return -1;
    }
    if (!output->compressor)
        return packed_write(archive, output, bytes, size);
    la_ssize_t n = archive_write_data(output->compressor, bytes, size);
    if (n != (la_ssize_t)size)
        return output_failed(output, output->compressor, "the archive") < 0 ? -1 : 0;
    return n;
}

/* A compressed stream is an archive of format "raw", which has one nameless entry. */
static int compressor_open(struct Output *output, enum PackCompression compression) {
    struct archive *archive = output->compressor = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    if (!archive || !entry)
        return fault_system(output->fault, ENOMEM, "cannot compress");
    archive_entry_set_filetype(entry, AE_IFREG);
    int filter = compression == PACK_GZIP ? ARCHIVE_FILTER_GZIP : ARCHIVE_FILTER_ZSTD;
    bool ready = archive_write_set_format_raw(archive) == ARCHIVE_OK &&
                 archive_write_add_filter(archive, filter) == ARCHIVE_OK &&
                 /* gzip's header would tell when it was made */
                 (compression != PACK_GZIP || archive_write_set_options(archive, "gzip:!timestamp") == ARCHIVE_OK) &&
                 archive_write_set_bytes_per_block(archive, BLOCK) == ARCHIVE_OK &&
                 archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK &&
                 archive_write_open(archive, output, NULL, packed_write, NULL) == ARCHIVE_OK &&
                 archive_write_header(archive, entry) == ARCHIVE_OK;
    archive_entry_free(entry);
    return ready ? 0 : output_failed(output, archive, "the archive");
}

static int tar_open(struct Output *output) {
    struct archive *archive = output->tar = archive_write_new();
    if (!archive)
        return fault_system(output->fault, ENOMEM, "cannot write the archive");
    /* Names are bytes; attributes in the one form that Docker, umoci and GNU tar know. */
    const char *options = "pax:xattrheader=SCHILY";
    bool ready = archive_write_set_format_pax(archive) == ARCHIVE_OK &&
                 archive_write_set_options(archive, options) == ARCHIVE_OK &&
                 archive_write_set_bytes_per_block(archive, BLOCK) == ARCHIVE_OK &&
                 archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK &&
                 archive_write_open(archive, output, NULL, plain_write, NULL) == ARCHIVE_OK;
    return ready ? 0 : output_failed(output, archive, "the archive");
}

int output_open(struct Output *output, int into, enum PackCompression compression, struct Fault *fault) {
    *output = (struct Output){ .fault = fault };
    output->fd = openat(into, "data", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (output->fd < 0)
        return fault_system(fault, errno, "cannot create the archive");
    int r = digest_open(&output->plain_digest, DIGEST_SHA256 | DIGEST_SHA512);
    if (r == 0)
        r = digest_open(&output->packed_digest, DIGEST_SHA256);
    if (r < 0)
        return fault_system(fault, -r, "cannot compute digests");
    r = compression == PACK_PLAIN ? 0 : compressor_open(output, compression);
    return r < 0 ? r : tar_open(output);
}

int output_finish(struct Output *output, struct OutputValues *ret_values) {
    if (archive_write_close(output->tar) != ARCHIVE_OK)
        return output_failed(output, output->tar, "the archive");
    if (output->compressor && archive_write_close(output->compressor) != ARCHIVE_OK)
        return output_failed(output, output->compressor, "the archive");
    struct OutputValues values = { .plain_size = output->plain_size, .packed_size = output->packed_size };
    int r = digest_finish(&output->plain_digest, &values.plain);
    values.packed = values.plain;
    if (r == 0 && output->compressor)
        r = digest_finish(&output->packed_digest, &values.packed);
    if (r == 0 && fsync(output->fd) < 0)
        r = -errno;
    if (r < 0)
        return fault_system(output->fault, -r, "cannot finish the archive");
    *ret_values = values;
    return 0;
}

/* To free an archive would write what is left of it; one that failed is let go. */
static void archive_drop(struct archive **archive) {
    if (!*archive)
        return;
    (void)archive_write_fail(*archive);
    (void)archive_write_free(*archive);
    *archive = NULL;
}

void output_close(struct Output *output) {
    archive_drop(&output->tar);
    archive_drop(&output->compressor);
    digest_close(&output->plain_digest);
    digest_close(&output->packed_digest);
    fd_close(&output->fd);
}

int output_failed(struct Output *output, struct archive *archive, const char *path) {
    const char *text = archive_error_string(archive);
    return fault_image(output->fault, "cannot write %s: %s", QUOTED(path), text ? text : "out of memory");
}

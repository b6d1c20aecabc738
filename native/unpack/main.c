/* gantry-unpack: one untrusted archive from standard input into one directory (docs/unpacker.md). */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "layer/confinement.h"
#include "layer/report.h"
#include "unpack/layer.h"
#include "unpack/options.h"
#include "unpack/pipeline.h"
#include "unpack/report.h"
#include "unpack/source.h"
#include "unpack/tree.h"

static const unsigned capabilities[] = {
    CAP_CHOWN,        /* owners other than root */
    CAP_DAC_OVERRIDE, /* files in directories that root may not enter by mode */
    CAP_FOWNER,       /* modes and times of files already given away */
    CAP_FSETID,       /* set-id bits of other groups' files */
    CAP_MKNOD,        /* devices */
    CAP_SETFCAP,      /* security.capability */
};

static const int calls[] = {
    SCMP_SYS(ftruncate), SCMP_SYS(syncfs),
    /* names */
    SCMP_SYS(mkdirat), SCMP_SYS(mknodat), SCMP_SYS(symlinkat), SCMP_SYS(linkat), SCMP_SYS(unlinkat),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(fchdir),
    /* attributes; the name-taking forms exist only where fchmodat and fchownat are not used by glibc */
    SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(lchown), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chmod),
    SCMP_SYS(utimensat), SCMP_SYS(fsetxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fremovexattr), SCMP_SYS(lremovexattr),
    SCMP_SYS(flistxattr), SCMP_SYS(llistxattr), SCMP_SYS(fgetxattr), SCMP_SYS(lgetxattr),
};

static const struct Confinement confinement = {
    .capabilities = capabilities,
    .capability_count = sizeof(capabilities) / sizeof(*capabilities),
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(*calls),
};

/* Bytes that describe an archive: some options and digests. */
#define DESCRIPTION_MAX 4096

struct Unpacker {
    struct Options options;
    int into;
    struct Source source;
    struct Pipeline pipeline;
    struct Layer layer;
    struct Report report;
    struct Fault fault;
};

/* decompress: the bytes as they come out of the pipeline. */
static int data_write(struct Unpacker *unpacker) {
    _cleanup_fd_ int fd = openat(unpacker->into, "data", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return fault_system(&unpacker->fault, errno, "cannot create the decompressed file");
    const void *block;
    ssize_t n;
    while ((n = pipeline_read(&unpacker->pipeline, &block)) > 0) {
        int r = io_write_all(fd, block, (size_t)n);
        if (r < 0)
            return fault_system(&unpacker->fault, -r, "cannot write the decompressed file");
    }
    return (int)n;
}

static int digest_check(const struct Expectation *expectation, const struct DigestValues *values, const char *what,
                        struct Fault *fault) {
    if (!expectation->algorithm || strcmp(digest_value(values, expectation->algorithm), expectation->hex) == 0)
        return 0;
    const char *name = digest_name(expectation->algorithm);
    return fault_digest(fault, "the digest of the %s is %s:%s, expected was %s:%s", what, name,
                          digest_value(values, expectation->algorithm), name, expectation->hex);
}

/* A broken archive is usually one that was damaged on its way: if its digest says so, that is the better reason. */
static int damage_explain(struct Unpacker *unpacker) {
    struct Fault fault = { 0 };
    if (unpacker->fault.kind == FAULT_BAD_IMAGE && unpacker->options.expected_digest.algorithm &&
        source_drain(&unpacker->source, &fault) == 0 &&
        digest_finish(&unpacker->source.digest, &unpacker->report.compressed) == 0)
        (void)digest_check(&unpacker->options.expected_digest, &unpacker->report.compressed, "archive", &fault);
    if (fault.kind == FAULT_DIGEST_MISMATCH)
        unpacker->fault = fault;
    return -EBADMSG;
}

static int digests_verify(struct Unpacker *unpacker) {
    const struct Options *options = &unpacker->options;
    struct Report *report = &unpacker->report;
    int r = digest_finish(&unpacker->source.digest, &report->compressed);
    if (r == 0)
        r = digest_finish(&unpacker->pipeline.digest, &report->diff);
    if (r < 0)
        return fault_system(&unpacker->fault, -r, "cannot compute digests");
    report->compressed_size = unpacker->source.size;
    report->diff_size = unpacker->pipeline.size;
    r = digest_check(&options->expected_digest, &report->compressed, "archive", &unpacker->fault);
    return r < 0 ? r : digest_check(&options->expected_diff, &report->diff, "uncompressed archive", &unpacker->fault);
}

static int archive_unpack(struct Unpacker *unpacker) {
    const struct Options *options = &unpacker->options;
    unsigned algorithms = DIGEST_SHA256 | (unsigned)options->expected_diff.algorithm;
    if (options->verb == VERB_ACI)
        algorithms |= DIGEST_SHA512;
    int r = pipeline_start(&unpacker->pipeline, &unpacker->source, algorithms, options->max_bytes, &unpacker->fault);
    if (r < 0)
        return r;
    if (options->verb == VERB_DECOMPRESS)
        r = data_write(unpacker);
    else
        r = layer_extract(&unpacker->layer, unpacker->into, options, &unpacker->pipeline, &unpacker->fault);
    pipeline_finish(&unpacker->pipeline);
    if (unpacker->pipeline.fault.kind != FAULT_NONE) /* the cause of whatever the reader then met */
        unpacker->fault = unpacker->pipeline.fault;
    return unpacker->fault.kind != FAULT_NONE || r < 0 ? damage_explain(unpacker) : digests_verify(unpacker);
}

static int archive_sync(struct Unpacker *unpacker) {
    if (unpacker->options.verb != VERB_DECOMPRESS && unlinkat(unpacker->into, ".trash", AT_REMOVEDIR) < 0)
        return fault_system(&unpacker->fault, errno, "cannot clean up");
    if (syncfs(unpacker->into) < 0)
        return fault_system(&unpacker->fault, errno, "cannot sync the layer");
    return 0;
}

/* --wait: what the archive is stands in the directory, which its sender cannot write, by the time it sends anything.
 * Returns 0 when there is no archive: whoever might have sent one has gone. */
static int archive_await(struct Unpacker *unpacker) {
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    while (poll(&input, 1, -1) < 0)
        if (errno != EINTR)
            return fault_system(&unpacker->fault, errno, "cannot wait for the archive");
    if (!(input.revents & POLLIN))
        return 0;
    _cleanup_free_ char *text = NULL;
    int r = file_read(unpacker->into, "options", DESCRIPTION_MAX, &text, NULL);
    if (r < 0)
        return fault_system(&unpacker->fault, -r, "cannot read what describes the archive");
    if (unlinkat(unpacker->into, "options", 0) < 0)
        return fault_system(&unpacker->fault, errno, "cannot remove what describes the archive");
    r = options_complete(text, stderr, &unpacker->options);
    return r < 0 ? fault_system(&unpacker->fault, -r, "cannot understand what describes the archive") : 1;
}

static int unpacker_run(struct Unpacker *unpacker) {
    int r = source_open(&unpacker->source, STDIN_FILENO, &unpacker->options, &unpacker->fault);
    if (r == 0)
        r = confinement_enter(unpacker->into, &confinement, &unpacker->fault);
    if (r == 0)
        r = archive_unpack(unpacker);
    return r == 0 ? archive_sync(unpacker) : r;
}

/* A fault leaves nothing but the report: whatever was on the disk was unverified. */
static void products_remove(struct Unpacker *unpacker) {
    static const char *const products[] = { "tree", "digests", "data" };
    _cleanup_fd_ int trash = openat(unpacker->into, ".trash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct Removal removal = { .trash = trash, .names = unpacker->layer.tree.removal.names };
    for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++)
        (void)directory_remove(unpacker->into, products[i], &removal);
    (void)unlinkat(unpacker->into, ".trash", AT_REMOVEDIR);
}

static int unpacker_report(struct Unpacker *unpacker, int r) {
    if (r < 0 && unpacker->fault.kind == FAULT_NONE)
        (void)fault_system(&unpacker->fault, -r, "cannot unpack the archive");
    if (unpacker->fault.kind != FAULT_NONE)
        products_remove(unpacker);
    unpacker->report.layer = unpacker->options.verb == VERB_DECOMPRESS ? NULL : &unpacker->layer;
    int written = report_write(unpacker->into, unpacked_print, &unpacker->report, &unpacker->fault);
    if (written < 0)
        fprintf(stderr, "gantry-unpack: cannot write the report: %s\n", strerror(-written));
    if (unpacker->fault.kind != FAULT_NONE)
        fprintf(stderr, "gantry-unpack: %s\n", unpacker->fault.text);
    return written < 0 || unpacker->fault.kind != FAULT_NONE ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    static struct Unpacker unpacker; /* static: it holds a path and sentences, too much for a thread's small stack */
    if (options_parse(argc, argv, stderr, &unpacker.options) < 0)
        return 2; /* DESIGN 7: usage */
    (void)umask(0);
    unpacker.into = open(unpacker.options.into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (unpacker.into < 0) {
        fprintf(stderr, "gantry-unpack: cannot open %s: %s\n", QUOTED(unpacker.options.into), strerror(errno));
        return EXIT_FAILURE;
    }
    int r = unpacker.options.wait ? archive_await(&unpacker) : 1;
    if (r == 0)
        return EXIT_SUCCESS;
    int status = unpacker_report(&unpacker, r < 0 ? r : unpacker_run(&unpacker));
    layer_close(&unpacker.layer);
    digest_close(&unpacker.pipeline.digest);
    source_close(&unpacker.source);
    return status;
}

/* gantry-pack: layer trees to one archive (docs/packer.md). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "layer/confinement.h"
#include "layer/report.h"
#include "pack/walk.h"

struct Packer {
    struct PackOptions options;
    struct Pack pack;
    struct OutputValues values;
    struct Fault fault;
    int into;
    int layers[OVERLAY_LAYERS_MAX];
    char *manifest;
    size_t manifest_size;
};

/* Lowest first on the command line, topmost first in the overlay. */
static int trees_open(struct Packer *packer) {
    const struct PackOptions *options = &packer->options;
    if (options->tree_count > OVERLAY_LAYERS_MAX)
        return fault_image(&packer->fault, "there are more than %d layers", OVERLAY_LAYERS_MAX);
    for (size_t i = 0; i < options->tree_count; i++) {
        const char *path = options->trees[options->tree_count - 1 - i];
        packer->layers[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (packer->layers[i] < 0)
            return fault_system(&packer->fault, errno, "cannot open %s", QUOTED(path));
    }
    packer->pack.overlay = (struct Overlay){ .layers = packer->layers, .count = options->tree_count,
                                             .raw = options->verb == PACK_LAYER, .fault = &packer->fault };
    return 0;
}

static int manifest_read(struct Packer *packer) {
    const char *path = packer->options.manifest;
    if (!path)
        return 0;
    int r = file_read(AT_FDCWD, path, MANIFEST_MAX, &packer->manifest, &packer->manifest_size);
    return r < 0 ? fault_system(&packer->fault, -r, "cannot read the manifest %s", QUOTED(path)) : 0;
}

static int only_load(struct Packer *packer) {
    const char *path = packer->options.only;
    if (!path)
        return 0;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fault_system(&packer->fault, errno, "cannot open %s", QUOTED(path));
    return only_read(&packer->pack.only, fd, &packer->fault);
}

static int archive_pack(struct Packer *packer) {
    struct Pack *pack = &packer->pack;
    int r = output_open(&pack->output, packer->into, packer->options.compression, &packer->fault);
    if (r == 0 && packer->manifest)
        r = entry_manifest(pack, packer->manifest, packer->manifest_size);
    pack->prefix = packer->manifest ? "rootfs/" : "";
    if (r == 0)
        r = walk_pack(pack);
    return r < 0 ? r : output_finish(&pack->output, &packer->values);
}

static int packer_run(struct Packer *packer) {
    packer->pack.options = &packer->options;
    packer->pack.output.fd = -1;
    packer->pack.fault = &packer->fault;
    int r = trees_open(packer);
    if (r == 0)
        r = manifest_read(packer);
    if (r == 0)
        r = only_load(packer);
    if (r == 0)
        r = confinement_enter(packer->options.as_caller ? -1 : packer->into, &confinement_of_readers, &packer->fault);
    return r == 0 ? archive_pack(packer) : r;
}

static void packed_print(FILE *file, const void *argument) {
    const struct Packer *packer = argument;
    const struct OutputValues *values = &packer->values;
    fprintf(file, "{\"version\":1,\"ok\":true,\"archive\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\"}", values->packed_size,
            values->packed.sha256);
    fprintf(file, ",\"diff\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\",\"sha512\":\"%s\"}", values->plain_size,
            values->plain.sha256, values->plain.sha512);
    fprintf(file, ",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"skipped\":%" PRIu64 "}\n", packer->pack.entries,
            packer->pack.bytes, packer->pack.skipped);
}

static int packer_report(struct Packer *packer, int r) {
    if (r < 0 && packer->fault.kind == FAULT_NONE)
        (void)fault_system(&packer->fault, -r, "cannot pack the tree");
    output_close(&packer->pack.output); /* an open file would keep the space that the report may need */
    if (packer->fault.kind != FAULT_NONE)
        (void)unlinkat(packer->into, "data", 0);
    int written = report_write(packer->into, packed_print, packer, &packer->fault);
    if (written < 0)
        fprintf(stderr, "gantry-pack: cannot write the report: %s\n", strerror(-written));
    if (packer->fault.kind != FAULT_NONE)
        fprintf(stderr, "gantry-pack: %s\n", packer->fault.text);
    return written < 0 || packer->fault.kind != FAULT_NONE ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    static struct Packer packer; /* static: paths, descriptors and sentences are too much for the stack */
    if (pack_options_parse(argc, argv, stderr, &packer.options) < 0)
        return 2; /* DESIGN 7: usage */
    packer.into = open(packer.options.into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (packer.into < 0) {
        fprintf(stderr, "gantry-pack: cannot open %s: %s\n", QUOTED(packer.options.into), strerror(errno));
        return EXIT_FAILURE;
    }
    int status = packer_report(&packer, packer_run(&packer));
    links_free(&packer.pack.links);
    only_free(&packer.pack.only);
    free(packer.manifest);
    return status;
}

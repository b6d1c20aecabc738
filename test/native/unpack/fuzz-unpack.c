/* libFuzzer target, and with plan's fuzz-replay.c an ordinary test: whatever the bytes, extraction ends, a refusal has
 * a sentence, and nothing but the layer's own names appears beside the tree. To fuzz, as root:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -std=gnu17 -Inative test/native/unpack/fuzz-unpack.c \
 *     $(ls native/{layer,unpack}/[a-z]*.c | grep -v /main.c) native/basic/[a-z]*.c -larchive -lcrypto -lseccomp -lz -o fuzz
 *   ./fuzz -max_len=16384 "$PWD/CORPUS" "$PWD/test/native/unpack/corpus"     (extraction changes the working directory)
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "unpack/layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A mutated header would end at its checksum: whatever looks like a header gets a right one. */
static void checksums_repair(uint8_t *tar, size_t size) {
    for (size_t at = 0; at + 512 <= size; at += 512) {
        if (memcmp(tar + at + 257, "ustar", 5) != 0)
            continue;
        unsigned sum = 8 * ' ';
        for (size_t i = 0; i < 512; i++)
            sum += i >= 148 && i < 156 ? 0 : tar[at + i];
        (void)snprintf((char *)tar + at + 148, 8, "%06o", sum);
        tar[at + 155] = ' ';
    }
}

static int input_open(const uint8_t *data, size_t size) {
    _cleanup_free_ uint8_t *tar = malloc(size + 1);
    int fd = memfd_create("archive", MFD_CLOEXEC);
    if (!tar || fd < 0)
        abort();
    memcpy(tar, data, size);
    checksums_repair(tar, size);
    if (io_write_all(fd, tar, size) < 0)
        abort();
    return fd;
}

static void names_check(int into) {
    _cleanup_dir_ DIR *directory = fdopendir(fcntl(into, F_DUPFD_CLOEXEC, 3));
    if (!directory)
        abort();
    rewinddir(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tree") != 0 && strcmp(entry->d_name, "digests") != 0)
            abort();
}

static void products_remove(int into, uint64_t count) {
    _cleanup_fd_ int trash = openat(into, ".trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct Removal removal = { .trash = trash, .names = count };
    if (trash < 0 || directory_remove(into, "tree", &removal) < 0)
        abort();
    if (unlinkat(into, "digests", 0) < 0 || unlinkat(into, ".trash", AT_REMOVEDIR) < 0)
        abort();
}

static void archive_extract(int into, int archive, enum Verb verb) {
    const struct Options options = { .verb = verb, .length = OPTION_UNSET, .expected_size = OPTION_UNSET,
                                     .max_bytes = 1 << 22, .max_entries = 1000 };
    struct Fault fault = { 0 };
    struct Source source = { 0 };
    struct Pipeline pipeline;
    struct Layer layer = { 0 };
    if (source_open(&source, archive, &options, &fault) < 0 ||
        pipeline_start(&pipeline, &source, DIGEST_SHA256, options.max_bytes, &fault) < 0)
        abort();
    int r = layer_extract(&layer, into, &options, &pipeline, &fault);
    pipeline_finish(&pipeline);
    if (r < 0 && fault.kind == FAULT_NONE && pipeline.fault.kind == FAULT_NONE)
        abort();
    names_check(into);
    uint64_t count = layer.tree.removal.names;
    layer_close(&layer);
    digest_close(&pipeline.digest);
    source_close(&source);
    products_remove(into, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[] = "/tmp/gantry-fuzz-XXXXXX";
    (void)umask(0);
    if (!mkdtemp(path))
        abort();
    _cleanup_fd_ int into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int archive = input_open(data, size);
    archive_extract(into, archive, VERB_LAYER);
    archive_extract(into, archive, VERB_ACI);
    if (rmdir(path) < 0)
        abort();
    return 0;
}

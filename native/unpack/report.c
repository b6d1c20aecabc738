#include "unpack/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"

static void string_print(FILE *file, const char *text, size_t size) {
    putc('"', file);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\')
            fprintf(file, "\\%c", byte);
        else if (byte < 0x20)
            fprintf(file, "\\u%04x", byte);
        else
            putc(byte, file);
    }
    putc('"', file);
}

static void success_print(FILE *file, const struct Report *report) {
    fprintf(file, "{\"version\":1,\"ok\":true,\"compressed\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\"}",
            report->compressed_size, report->compressed.sha256);
    fprintf(file, ",\"diff\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\"", report->diff_size, report->diff.sha256);
    const struct Layer *layer = report->layer;
    if (layer && layer->manifest)
        fprintf(file, ",\"sha512\":\"%s\"", report->diff.sha512);
    putc('}', file);
    if (layer)
        fprintf(file, ",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"skipped\":%" PRIu64, layer->entries,
                layer->bytes, layer->skipped);
    if (layer && layer->manifest) {
        fputs(",\"manifest\":", file);
        string_print(file, layer->manifest, layer->manifest_size);
    }
    fputs("}\n", file);
}

static void fault_print(FILE *file, const struct Fault *fault) {
    fprintf(file, "{\"version\":1,\"ok\":false,\"kind\":\"%s\",\"text\":", fault_kind_name(fault->kind));
    string_print(file, fault->text, strlen(fault->text));
    fputs("}\n", file);
}

int report_write(int into, const struct Report *report, const struct Fault *fault) {
    _cleanup_fd_ int fd = openat(into, ".report", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    FILE *file = fdopen(fd, "w");
    if (!file)
        return -errno;
    int raw = fd_take(&fd);
    if (fault->kind == FAULT_NONE)
        success_print(file, report);
    else
        fault_print(file, fault);
    int r = fflush(file) != 0 || ferror(file) || fsync(raw) < 0 ? -errno : 0;
    (void)fclose(file);
    if (r == 0 && (renameat(into, ".report", into, "report") < 0 || fsync(into) < 0))
        r = -errno;
    if (r < 0)
        (void)unlinkat(into, ".report", 0);
    return r;
}

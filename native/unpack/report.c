#include "unpack/report.h"

#include <inttypes.h>

#include "layer/report.h"

void unpacked_print(FILE *file, const void *argument) {
    const struct Report *report = argument;
    fprintf(file, "{\"version\":1,\"ok\":true,\"compressed\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\"}",
            report->compressed_size, report->compressed.sha256);
    fprintf(file, ",\"diff\":{\"size\":%" PRIu64 ",\"sha256\":\"%s\"", report->diff_size, report->diff.sha256);
    const struct Layer *layer = report->layer;
    if (layer && layer->manifest)
        fprintf(file, ",\"sha512\":\"%s\"", report->diff.sha512);
    putc('}', file);
    if (layer)
        fprintf(file, ",\"entries\":%" PRIu64 ",\"paths\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"skipped\":%" PRIu64, layer->entries, layer->paths,
                layer->bytes, layer->skipped);
    if (layer && layer->manifest) {
        fputs(",\"manifest\":", file);
        report_string(file, layer->manifest, layer->manifest_size);
    }
    fputs("}\n", file);
}


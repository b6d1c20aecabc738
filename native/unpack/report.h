/* DIR/report: what was extracted, or why nothing was (docs/unpacker.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "layer/digest.h"
#include "layer/fault.h"
#include "unpack/layer.h"

struct Report {
    uint64_t compressed_size;
    struct DigestValues compressed;
    uint64_t diff_size;
    struct DigestValues diff; /* its sha512 is told only for an ACI */
    const struct Layer *layer; /* NULL: decompress */
};

/* A report_printer of a struct Report. */
void unpacked_print(FILE *file, const void *report);

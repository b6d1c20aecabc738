/* DIR/report: what was extracted, or why nothing was (docs/unpacker.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "unpack/digest.h"
#include "unpack/fault.h"
#include "unpack/layer.h"

struct Report {
    uint64_t compressed_size;
    struct DigestValues compressed;
    uint64_t diff_size;
    struct DigestValues diff; /* its sha512 is told only for an ACI */
    const struct Layer *layer; /* NULL: decompress */
};

/* Writes `report` in the directory by way of a temporary name, synced. Returns 0 or -errno. */
int report_write(int into, const struct Report *report, const struct Fault *fault);

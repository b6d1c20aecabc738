/* gzip, zstd, xz, bzip2 or none, told by the first bytes and taken off exactly once. */
#pragma once

#include "layer/fault.h"
#include "unpack/pipeline.h"
#include "unpack/source.h"

/* Decompresses all of `source` into `pipeline`. Several gzip members, zstd frames (skippable ones too), xz and bzip2
 * streams in a row are one stream, as their own tools have it; checksums are verified. Returns 0 or -errno with the
 * fault filled, or -ECANCELED without, when the reader gave up. */
int compression_decode(struct Source *source, struct Pipeline *pipeline, struct Fault *fault);

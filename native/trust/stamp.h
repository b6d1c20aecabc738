/*
 * A pod's trust stamp, pods/<uuid>/trust.json: under which generation its images were judged, and until when that is
 * good (docs/on-disk-format.md). src/pod/trust-stamp.ts writes it.
 */
#pragma once

#include <stdbool.h>

/* Whether the images of the pod in `directory` may run without being judged again. What cannot be read does not hold. */
bool trust_stamp_holds(const char *directory);

/* The same below another root and at another time, in seconds since the epoch. */
bool trust_stamp_holds_at(const char *directory, const char *root, long long now);

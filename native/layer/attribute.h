/* Extended attributes that belong to a layer (docs/unpacker.md, "Rules"). Everything else speaks to the host's security modules
 * or to overlayfs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "layer/digest.h"

bool attribute_kept(const char *name);

/* Whether a directory has the mark of an opaque one (docs/on-disk-format.md). */
bool attribute_opaque(int fd);

/* Where attributes are read: at a descriptor, or, if that is negative, at a name in the working directory. */
struct AttributeSource {
    int fd;
    const char *name;
};

typedef int attribute_visitor(void *context, const char *name, const unsigned char *value, size_t size);

/* Tells the kept ones, sorted by name. Returns their count, or -errno, or what the visitor returned if that was negative. */
int attributes_visit(const struct AttributeSource *source, attribute_visitor *visit, void *context);

/* The sha256 of names (NUL-terminated), sizes (in decimal, NUL-terminated) and values. Returns 1 if there are any, 0 if not,
 * or -errno. The stream must compute sha256. */
int attributes_digest(const struct AttributeSource *source, struct DigestStream *stream,
                      struct DigestValues *ret_values);

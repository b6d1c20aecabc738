/* What stat(2) and the extended attributes say, against a line of the list. */
#pragma once

#include <sys/stat.h>

#include "audit/audit.h"
#include "layer/attribute.h"
#include "layer/digest.h"

/* Type, device, mode, owner and time. Returns false if the type differs, and nothing else is worth comparing. */
bool stat_compare(struct Audit *audit, const char *path, const struct ListLine *line, const struct stat *st);

/* Extended attributes; `wanted` is NULL for none. Returns 0 or -errno. */
int attributes_compare(struct Audit *audit, const char *path, const char *wanted,
                       const struct AttributeSource *source, struct DigestStream *stream);

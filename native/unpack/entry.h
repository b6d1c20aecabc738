/* One entry of the archive becomes one name in the tree and one line of the list. */
#pragma once

#include "unpack/layer.h"

/* Extracts `entry` to the clean `path`, in the place of whatever an earlier entry left there. */
int entry_extract(struct Layer *layer, struct archive *archive, struct archive_entry *entry, const char *path);

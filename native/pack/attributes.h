/* What an entry of the archive carries besides its content: owner, mode, time, extended attributes, access control lists.
 * The reverse of unpack/attributes.h. */
#pragma once

#include <archive_entry.h>
#include <sys/stat.h>

#include "layer/fault.h"
#include "pack/options.h"

/* Owner, mode, type, time and device. */
void attributes_stat(struct archive_entry *entry, const struct stat *st, const struct PackOptions *options);

/* Extended attributes and lists of an open file or directory, as far as docs/packer.md keeps them. */
int attributes_of_fd(struct archive_entry *entry, int fd, const char *path, struct Fault *fault);

/* The same of what cannot be opened. Changes the working directory to `parent`, as no call reads an attribute relative
 * to a directory before Linux 6.13. */
int attributes_of_name(struct archive_entry *entry, int parent, const char *name, const char *path,
                       struct Fault *fault);

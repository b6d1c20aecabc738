/* POSIX access control lists: from libarchive's form to the kernel's extended attributes. */
#pragma once

#include <archive_entry.h>
#include <stddef.h>
#include <sys/types.h>

#include "layer/fault.h"

/* The entry's list of `type` (ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT) as system.posix_acl_* has it. Returns 1 with
 * a value to free, 0 if there is none. Refused: users and groups known by name only. */
int acl_read(struct archive_entry *entry, int type, const char *path, void **ret_value, size_t *ret_size,
             struct Fault *fault);

/* The mode stat(2) will show: libarchive keeps the owning group's permissions there, the kernel the list's mask. */
mode_t acl_mask(struct archive_entry *entry, mode_t mode);

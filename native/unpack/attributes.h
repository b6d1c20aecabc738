/* What an entry carries besides its content: owner, mode, times, extended attributes, access control lists. */
#pragma once

#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "layer/fault.h"

struct Attributes {
    struct archive_entry *entry; /* extended attributes and lists stay there */
    mode_t mode;                 /* permission and set-id bits, as stat(2) will show them */
    uid_t uid;
    gid_t gid;
    struct timespec time;
};

/* Reads and checks an entry's attributes. */
int attributes_read(struct archive_entry *entry, const char *path, struct Attributes *ret_attributes,
                    struct Fault *fault);

/* Gives a file or directory its attributes, times last. `inherits`: a default list above may have been handed on
 * and is taken away first; set when the entry itself brings one. */
int attributes_apply_fd(const struct Attributes *attributes, int fd, const char *path, bool *inherits,
                        struct Fault *fault);

/* The same for what cannot be opened: a symbolic link (whose mode is fixed), a device, a fifo. Changes the working
 * directory to `parent`, as no call sets an attribute relative to a directory before Linux 6.13. */
int attributes_apply_at(const struct Attributes *attributes, int parent, const char *path, bool *inherits,
                        struct Fault *fault);

/* Takes off what a default list above handed on to a new directory. */
void attributes_disinherit(int fd);

/* Takes all extended attributes off a directory that an earlier entry made. */
int attributes_clear(int fd, const char *path, struct Fault *fault);

/* Whether an entry has extended attributes or lists that are kept. */
bool attributes_brought(struct archive_entry *entry);

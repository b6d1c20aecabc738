/* Which paths are kept: a list, as appc's pathWhitelist means it. What lies above a path in the list is kept, too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "layer/fault.h"

struct Only {
    char *text;
    char **paths; /* sorted; NULL: all */
    size_t count;
};

/* Reads a list: one path a line, percent-encoded as in digest lists, without a leading slash. */
int only_read(struct Only *ret_only, int fd, struct Fault *fault);
void only_free(struct Only *only);

bool only_keeps(const struct Only *only, const char *path);

/* What a digest list (docs/unpacker.md) says a tree must be: its lines replayed, so that of each path only what the whole
 * archive made of it is left. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layer/fault.h"
#include "layer/list.h"

struct Expected {
    struct ListLine line;   /* a whiteout is type 'w' */
    const char *attributes; /* sha256, NULL: it has none */
    bool opaque;
    bool alive;             /* false: a later line made it void */
};

struct Expectations {
    char *text;              /* the list, in which all strings lie */
    struct ListLine *lines;  /* all of it, in its order */
    uint32_t *sorted;        /* lines by path, then by order */
    size_t line_count;
    struct Expected *paths;  /* one of each path, sorted */
    uint32_t *order;         /* alive ones in the list's order, which is the disk's */
    size_t path_count;
    size_t alive_count;
};

/* Reads a list. -EBADMSG with *ret_line telling where if it is damaged. */
int expectations_read(struct Expectations *ret_expectations, int fd, size_t *ret_line);
void expectations_free(struct Expectations *expectations);

/* What must be at `path`; NULL if nothing must be. */
const struct Expected *expectations_find(const struct Expectations *expectations, const char *path);

/* What the file that `link` names was when the link was made, and whether that is the file its target's path leads to now. */
const struct ListLine *expectations_origin(const struct Expectations *expectations, const struct ListLine *link,
                                           bool *ret_current);

/* The attributes that line brought, NULL if none. */
const char *expectations_attributes(const struct Expectations *expectations, const struct ListLine *line);

/* The digest list (docs/unpacker.md): one line per entry in tar order, written while extracting and read once more
 * at the end for what can only be done then (times of directories, whiteouts), so that memory stays small however
 * large the archive is. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define LIST_PATH_MAX 4097

struct ListLine {
    char type; /* one of f d l c b p h w o x n t (docs/unpacker.md) */
    mode_t mode;
    uint32_t uid;
    uint32_t gid;
    uint64_t size;
    struct timespec time;
    const char *digest; /* NULL: "-" */
    const char *target; /* of a hard link, in the digest's place */
    const char *path;
};

/* What the second reading needs of a line. */
struct ListItem {
    char type;
    struct timespec time;
    char path[LIST_PATH_MAX];
};

struct List {
    FILE *file;
    char *line;
    size_t line_size;
};

/* Creates `name` in the directory. Returns 0 or -errno. */
int list_open(struct List *ret_list, int directory, const char *name);
int list_write(struct List *list, const struct ListLine *line);
/* Writes the last line, after which the list may have been read. */
int list_finish(struct List *list, const struct ListLine *line);
/* Writes out what is buffered and goes back to the first line. */
int list_rewind(struct List *list);
/* Returns 1 with an item, 0 at the end, -errno. */
int list_read(struct List *list, struct ListItem *ret_item);
/* Takes a whole line, without its newline, apart in place: strings of `ret_line` lie in it. -EBADMSG if it is none. */
int list_parse(char *text, struct ListLine *ret_line);
/* A path as lists have it: percent-encoded, up to three times as long. */
void list_path_encode(const char *path, char *ret);
/* In place, since the decoded form is never longer. -EBADMSG for what list_path_encode() never writes: a lower-case
 * digit, a NUL. */
int list_path_decode(char *text);
void list_close(struct List *list);

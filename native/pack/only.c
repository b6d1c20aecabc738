#include "pack/only.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "layer/list.h"

#define LIST_MAX (256 * 1024 * 1024)

static int path_compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t lines_count(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count + 1;
}

static int paths_split(struct Only *only) {
    char *rest = only->text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!*line)
            continue;
        int r = list_path_decode(line);
        if (r < 0)
            return r;
        only->paths[only->count++] = line;
    }
    qsort(only->paths, only->count, sizeof(*only->paths), path_compare);
    return 0;
}

int only_read(struct Only *ret_only, int fd, struct Fault *fault) {
    struct Only only = { 0 };
    int r = io_read_all(fd, LIST_MAX, &only.text, NULL);
    if (r == 0) {
        only.paths = calloc(lines_count(only.text), sizeof(*only.paths));
        r = only.paths ? paths_split(&only) : -ENOMEM;
    }
    if (r < 0) {
        only_free(&only);
        return fault_system(fault, -r, "cannot read the list of paths");
    }
    *ret_only = only;
    return 0;
}

void only_free(struct Only *only) {
    free(only->text);
    free(only->paths);
    *only = (struct Only){ 0 };
}

/* The first path of the list that is not less. */
static size_t lower_bound(const struct Only *only, const char *path) {
    size_t low = 0, high = only->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(only->paths[middle], path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool only_keeps(const struct Only *only, const char *path) {
    if (!only->paths)
        return true;
    size_t at = lower_bound(only, path);
    if (at < only->count && strcmp(only->paths[at], path) == 0)
        return true;
    size_t length = strlen(path);
    /* Bytes below "/" sort between a directory and what is in it. */
    for (; at < only->count && strncmp(only->paths[at], path, length) == 0; at++)
        if (only->paths[at][length] == '/')
            return true;
    return false;
}

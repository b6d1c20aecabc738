#include "audit/expected.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "layer/beneath.h"

/* Two million entries of the longest paths would be more; no layer is that. */
#define LIST_MAX ((size_t)1 << 30)

static bool entry_is(char type) {
    return type && strchr("fdlcbph", type);
}

static size_t lines_count(const char *text) {
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static bool digest_fits(const struct ListLine *line) {
    bool wanted = line->type == 'f' || line->type == 'l' || line->type == 'x';
    return wanted == (line->digest != NULL) && (!line->digest || strlen(line->digest) == 64);
}

/* The last line says that the list is whole. */
static int lines_parse(struct Expectations *expectations, size_t *ret_line) {
    char *rest = expectations->text;
    for (size_t i = 0; i < expectations->line_count; i++) {
        struct ListLine *line = &expectations->lines[i];
        *ret_line = i + 1;
        bool last = i + 1 == expectations->line_count;
        if (list_parse(strsep(&rest, "\n"), line) < 0 || !strchr("fdlcbphwoxnt", line->type) ||
            (line->type == 't') != last || !digest_fits(line) || strlen(line->path) > BENEATH_PATH_MAX)
            return -EBADMSG;
    }
    return *rest ? -EBADMSG : 0;
}

/* Positions of lines in the list are positions in memory. */
static int line_compare(const void *a, const void *b, void *argument) {
    const struct ListLine *lines = argument;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    int order = strcmp(lines[left].path, lines[right].path);
    return order ? order : left < right ? -1 : left > right;
}

static struct Expected *path_find(const struct Expectations *expectations, const char *path) {
    size_t low = 0, high = expectations->path_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(expectations->paths[middle].line.path, path);
        if (order == 0)
            return &expectations->paths[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* One path while its lines are replayed. */
struct Replay {
    uint32_t last;    /* position of the last line that is an entry, plus one; 0: none */
    uint32_t voided;  /* of the last line after which nothing that was below it is left, plus one */
    bool hidden;      /* a whiteout */
    bool opaque;
};

static void line_replay(struct Replay *replay, struct Expected *expected, const struct ListLine *line, uint32_t at) {
    replay->hidden |= line->type == 'w';
    replay->opaque |= line->type == 'o';
    if (line->type == 'x')
        expected->attributes = line->digest;
    if (!entry_is(line->type) && line->type != 'n')
        return;
    expected->line = *line;
    expected->attributes = NULL;
    replay->last = line->type == 'n' ? 0 : at + 1;
    if (line->type != 'd')
        replay->voided = at + 1;
}

/* A parent sorts before what is in it, so its replay is done. */
static const struct Replay *parent_of(const struct Expectations *expectations, const struct Replay *replays,
                                      const char *path) {
    char parent[BENEATH_PATH_MAX + 1];
    if (strcmp(path, ".") == 0)
        return NULL;
    path_parent(path, parent);
    const struct Expected *found = path_find(expectations, parent);
    return found ? &replays[found - expectations->paths] : NULL;
}

/* What is void above is void below; a whiteout is made where nothing is, if its directory is there. */
static void path_settle(struct Expectations *expectations, struct Replay *replays, size_t index) {
    struct Expected *expected = &expectations->paths[index];
    struct Replay *replay = &replays[index];
    const struct Replay *parent = parent_of(expectations, replays, expected->line.path);
    uint32_t voided = parent ? parent->voided : 0;
    expected->alive = replay->last > voided;
    if (replay->voided < voided)
        replay->voided = voided;
    bool directory = expected->alive && expected->line.type == 'd';
    expected->opaque = directory && (replay->opaque || replay->hidden);
    if (!expected->alive && replay->hidden) {
        expected->line.type = 'w';
        expected->attributes = NULL;
    }
}

static void whiteouts_settle(struct Expectations *expectations) {
    for (size_t i = 0; i < expectations->path_count; i++) {
        struct Expected *expected = &expectations->paths[i];
        if (expected->alive || expected->line.type != 'w')
            continue;
        char parent[BENEATH_PATH_MAX + 1];
        path_parent(expected->line.path, parent);
        const struct Expected *directory = path_find(expectations, parent);
        expected->alive = directory && directory->alive && directory->line.type == 'd';
    }
}

static void lines_replay(struct Expectations *expectations, struct Replay *replays) {
    /* The last line is the totals, whose path is a number. */
    for (size_t i = 0; i + 1 < expectations->line_count; i++) {
        uint32_t at = expectations->sorted[i];
        const struct ListLine *line = &expectations->lines[at];
        size_t index = expectations->path_count;
        if (index == 0 || strcmp(expectations->paths[index - 1].line.path, line->path) != 0)
            expectations->paths[expectations->path_count++].line = *line;
        else
            index--;
        line_replay(&replays[index], &expectations->paths[index], line, at);
        /* A path's first line may be none that makes an entry: its type is only a hint then. */
    }
    for (size_t i = 0; i < expectations->path_count; i++)
        path_settle(expectations, replays, i);
    whiteouts_settle(expectations);
}

static int position_compare(const void *a, const void *b, void *argument) {
    const struct Expectations *expectations = argument;
    const struct Expected *left = &expectations->paths[*(const uint32_t *)a];
    const struct Expected *right = &expectations->paths[*(const uint32_t *)b];
    /* Strings lie in the list's text, in its order. */
    return left->line.path < right->line.path ? -1 : left->line.path > right->line.path;
}

static void alive_order(struct Expectations *expectations) {
    for (uint32_t i = 0; i < expectations->path_count; i++)
        if (expectations->paths[i].alive)
            expectations->order[expectations->alive_count++] = i;
    qsort_r(expectations->order, expectations->alive_count, sizeof(*expectations->order), position_compare,
            expectations);
}

static int expectations_make(struct Expectations *expectations, size_t *ret_line) {
    size_t count = expectations->line_count = lines_count(expectations->text);
    *ret_line = 1;
    if (count == 0 || count > UINT32_MAX - 1)
        return -EBADMSG;
    expectations->lines = calloc(count, sizeof(*expectations->lines));
    expectations->sorted = calloc(count, sizeof(*expectations->sorted));
    expectations->paths = calloc(count, sizeof(*expectations->paths));
    expectations->order = calloc(count, sizeof(*expectations->order));
    _cleanup_free_ struct Replay *replays = calloc(count, sizeof(*replays));
    if (!expectations->lines || !expectations->sorted || !expectations->paths || !expectations->order || !replays)
        return -ENOMEM;
    int r = lines_parse(expectations, ret_line);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i + 1 < count; i++)
        expectations->sorted[i] = i;
    qsort_r(expectations->sorted, count - 1, sizeof(*expectations->sorted), line_compare, expectations->lines);
    lines_replay(expectations, replays);
    alive_order(expectations);
    return 0;
}

int expectations_read(struct Expectations *ret_expectations, int fd, size_t *ret_line) {
    struct Expectations expectations = { 0 };
    *ret_line = 0;
    size_t size = 0;
    int r = io_read_all(fd, LIST_MAX, &expectations.text, &size);
    if (r == 0 && strlen(expectations.text) != size)
        r = -EBADMSG;
    if (r == 0)
        r = expectations_make(&expectations, ret_line);
    if (r < 0)
        expectations_free(&expectations);
    else
        *ret_expectations = expectations;
    return r;
}

void expectations_free(struct Expectations *expectations) {
    free(expectations->text);
    free(expectations->lines);
    free(expectations->sorted);
    free(expectations->paths);
    free(expectations->order);
    *expectations = (struct Expectations){ 0 };
}

const struct Expected *expectations_find(const struct Expectations *expectations, const char *path) {
    const struct Expected *found = path_find(expectations, path);
    return found && found->alive ? found : NULL;
}

/* The last entry of a path before a position of the list; NULL if there is none. */
static const struct ListLine *entry_before(const struct Expectations *expectations, const char *path,
                                           const struct ListLine *before) {
    size_t low = 0, high = expectations->line_count - 1;
    while (low < high) { /* the first line of a greater path, or of this one at or after `before` */
        size_t middle = low + (high - low) / 2;
        const struct ListLine *line = &expectations->lines[expectations->sorted[middle]];
        int order = strcmp(line->path, path);
        if (order < 0 || (order == 0 && line < before))
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0; low--) {
        const struct ListLine *line = &expectations->lines[expectations->sorted[low - 1]];
        if (strcmp(line->path, path) != 0)
            return NULL;
        if (entry_is(line->type))
            return line;
    }
    return NULL;
}

/* `link` may be a copy: its strings tell which line it is. */
static const struct ListLine *line_of(const struct Expectations *expectations, const struct ListLine *link) {
    size_t low = 0, high = expectations->line_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (expectations->lines[middle].path < link->path)
            low = middle + 1;
        else
            high = middle;
    }
    return &expectations->lines[low];
}

const struct ListLine *expectations_origin(const struct Expectations *expectations, const struct ListLine *link,
                                           bool *ret_current) {
    const struct ListLine *line = line_of(expectations, link);
    bool current = true;
    while (line && line->type == 'h') {
        const struct ListLine *target = entry_before(expectations, line->target, line);
        const struct Expected *now = expectations_find(expectations, line->target);
        current = current && target && now && now->line.path == target->path;
        line = target;
    }
    *ret_current = current;
    return line;
}

const char *expectations_attributes(const struct Expectations *expectations, const struct ListLine *line) {
    const struct ListLine *next = line + 1; /* the last one of the list is the totals */
    return next < expectations->lines + expectations->line_count && next->type == 'x' ? next->digest : NULL;
}

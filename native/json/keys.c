#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/parser.h"

/* Up to so many members, comparing each with each takes less than sorting them. */
#define FEW 24U

static const char *duplicate_among_few(const Json *members, size_t count);
static int duplicate_among_many(const Json *members, size_t count, const char **ret);
static int keys_compare(const void *left, const void *right);

int parser_check_keys(JsonParser *parser, const Json *members, size_t count) {
    const char *duplicate = NULL;
    if (count <= FEW)
        duplicate = duplicate_among_few(members, count);
    else if (duplicate_among_many(members, count, &duplicate) < 0)
        return -ENOMEM;
    return duplicate ? parser_fail(parser, duplicate, "the key \"%.64s\" is a duplicate", duplicate) : 0;
}

static const char *duplicate_among_few(const Json *members, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(members[i].key, members[j].key) == 0)
                return members[i].key;
    return NULL;
}

static int duplicate_among_many(const Json *members, size_t count, const char **ret) {
    const char **keys = calloc(count, sizeof *keys);
    if (!keys)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        keys[i] = members[i].key;
    qsort(keys, count, sizeof *keys, keys_compare);
    for (size_t i = 1; i < count && !*ret; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            *ret = keys[i];
    free(keys);
    return 0;
}

/* Equal ones in the order of the text, in which they lie in memory. */
static int keys_compare(const void *left, const void *right) {
    const char *a = *(const char *const *)left, *b = *(const char *const *)right;
    int order = strcmp(a, b);
    return order != 0 ? order : (a > b) - (a < b);
}

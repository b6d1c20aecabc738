/* A strict reader of JSON objects into structs, driven by tables: what a table does not name is an error, at any depth.
 * The key path is kept on the C stack, so that the one failure sentence can name it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/json.h"

/* What a plan owns: the parsed document, whose strings the plan borrows, and the arrays made beside it. */
typedef struct PlanMemory PlanMemory;
PlanMemory *plan_memory_new(Json *document); /* takes the document, also on failure (NULL) */
PlanMemory *plan_memory_free(PlanMemory *memory);

typedef struct KeyPath {
    const struct KeyPath *parent;
    const char *key; /* NULL: an array's element */
    size_t index;
} KeyPath;

typedef struct Reader {
    PlanMemory *memory;
    char **ret_sentence; /* the first failure's sentence */
} Reader;

/* Writes what `value` means to `target`; `detail` is the table row's. Returns 0 or -errno after reader_fail(). */
typedef int (*ValueReader)(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

typedef struct Member {
    const char *name;
    bool required;
    size_t offset; /* of the target in the struct */
    ValueReader read;
    const void *detail;
    size_t present; /* offset of a bool to set, 0: none */
} Member;

typedef struct ObjectDetail {
    const Member *members; /* ends with a NULL name */
} ObjectDetail;

typedef struct ArrayDetail {
    size_t count_offset; /* of the size_t, from the pointer's own place */
    size_t element_size;
    size_t max;
    ValueReader read;
    const void *detail;
} ArrayDetail;

typedef struct NumberDetail {
    int64_t min, max;
} NumberDetail;

typedef struct Word {
    const char *name; /* NULL ends the list */
    int value;
} Word;

/* Allocates zeroed memory that lives as long as the plan; NULL when there is none. */
void *reader_allocate(Reader *reader, size_t count, size_t size);

/* "<key path>: <sentence>"; returns -EBADMSG. */
int reader_fail(Reader *reader, const KeyPath *path, const char *sentence, ...) __attribute__((format(printf, 3, 4)));

int read_object(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_array(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_text(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_path(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_name(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_uuid(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_bool(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_u32(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_int(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
int read_u64(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
/* An int from a list of words. */
int read_word(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

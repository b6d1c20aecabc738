#include "plan/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/path.h"
#include "basic/text.h"

typedef struct Block {
    struct Block *next;
    max_align_t content[];
} Block;

struct PlanMemory {
    Json *document;
    Block *blocks;
};

PlanMemory *plan_memory_new(Json *document) {
    PlanMemory *memory = calloc(1, sizeof *memory);
    if (memory)
        memory->document = document;
    else
        json_free(document);
    return memory;
}

PlanMemory *plan_memory_free(PlanMemory *memory) {
    if (!memory)
        return NULL;
    while (memory->blocks) {
        Block *block = memory->blocks;
        memory->blocks = block->next;
        free(block);
    }
    json_free(memory->document);
    free(memory);
    return NULL;
}

void *reader_allocate(Reader *reader, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(bytes, sizeof(Block), &bytes))
        return NULL;
    Block *block = calloc(1, bytes);
    if (!block)
        return NULL;
    block->next = reader->memory->blocks;
    reader->memory->blocks = block;
    return block->content;
}

/* Appends the path in the form `linux.seccomp.syscalls[0].op`, cut if it does not fit. */
static size_t path_write(const KeyPath *path, char *buffer, size_t size) {
    if (!path)
        return 0;
    size_t used = path_write(path->parent, buffer, size);
    if (used >= size)
        return used;
    int n = path->key ? snprintf(buffer + used, size - used, "%s%s", used ? "." : "", path->key)
                      : snprintf(buffer + used, size - used, "[%zu]", path->index);
    return n < 0 ? used : used + (size_t)n;
}

int reader_fail(Reader *reader, const KeyPath *path, const char *sentence, ...) {
    char where[512] = "", what[512], raw[1100], clean[2048];
    (void)path_write(path, where, sizeof where);
    va_list arguments;
    va_start(arguments, sentence);
    (void)vsnprintf(what, sizeof what, sentence, arguments);
    va_end(arguments);
    (void)snprintf(raw, sizeof raw, "%s%s%s", where, where[0] ? ": " : "", what);
    text_printable(raw, clean, sizeof clean); /* keys and values are outside text */
    if (reader->ret_sentence && !*reader->ret_sentence)
        *reader->ret_sentence = strdup(clean);
    return -EBADMSG;
}

static const Member *member_find(const Member *members, const char *name) {
    for (; members->name; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

static int members_required(Reader *reader, const KeyPath *path, const Json *value, const Member *members) {
    for (; members->name; members++) {
        const KeyPath here = { .parent = path, .key = members->name };
        if (members->required && !json_member(value, members->name))
            return reader_fail(reader, &here, "missing");
    }
    return 0;
}

int read_object(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const Member *members = ((const ObjectDetail *)detail)->members;
    if (!json_is(value, JSON_OBJECT))
        return reader_fail(reader, path, "expected an object");
    for (size_t i = 0; i < json_count(value); i++) {
        const char *key;
        const Json *item = json_member_at(value, i, &key);
        const KeyPath here = { .parent = path, .key = key };
        const Member *member = member_find(members, key);
        if (!member)
            return reader_fail(reader, &here, "unknown key");
        int r = member->read(reader, &here, item, (char *)target + member->offset, member->detail);
        if (r < 0)
            return r;
        if (member->present)
            *(bool *)((char *)target + member->present) = true;
    }
    return members_required(reader, path, value, members);
}

int read_array(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const ArrayDetail *array = detail;
    if (!json_is(value, JSON_ARRAY))
        return reader_fail(reader, path, "expected an array");
    size_t count = json_count(value);
    if (count > array->max)
        return reader_fail(reader, path, "more than %zu entries", array->max);
    char *items = reader_allocate(reader, count ? count : 1, array->element_size);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const KeyPath here = { .parent = path, .index = i };
        int r = array->read(reader, &here, json_element(value, i), items + i * array->element_size, array->detail);
        if (r < 0)
            return r;
    }
    *(void **)target = items;
    *(size_t *)((char *)target + array->count_offset) = count;
    return 0;
}

int read_text(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    const char *text = json_text(value);
    if (!text)
        return reader_fail(reader, path, "expected text");
    *(const char **)target = text;
    return 0;
}

int read_path(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, detail);
    if (r < 0)
        return r;
    if (!path_is_safe(text))
        return reader_fail(reader, path, "expected an absolute path without . and ..");
    *(const char **)target = text;
    return 0;
}

int read_name(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, detail);
    if (r < 0)
        return r;
    size_t length = strlen(text);
    bool good = length > 0 && length <= 255 && text[0] != '.';
    for (const char *c = text; *c; c++)
        good = good && *c > ' ' && *c < 0x7f && *c != '/';
    if (!good)
        return reader_fail(reader, path,
                           "expected a name: 1 to 255 printable ASCII characters, no /, not beginning with a dot");
    *(const char **)target = text;
    return 0;
}

int read_uuid(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, detail);
    if (r < 0)
        return r;
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return reader_fail(reader, path, "expected 32 lower-case hexadecimal digits");
    memcpy(target, text, 33);
    return 0;
}

int read_bool(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    return json_bool(value, target) < 0 ? reader_fail(reader, path, "expected true or false") : 0;
}

static int number_read(Reader *reader, const KeyPath *path, const Json *value, const NumberDetail *range,
                       int64_t *ret) {
    int64_t number;
    if (json_integer(value, &number) < 0 || number < range->min || number > range->max)
        return reader_fail(reader, path, "expected a whole number from %lld to %lld", (long long)range->min,
                           (long long)range->max);
    *ret = number;
    return 0;
}

int read_u32(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    int64_t number;
    int r = number_read(reader, path, value, detail, &number);
    if (r >= 0)
        *(uint32_t *)target = (uint32_t)number;
    return r;
}

int read_int(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    int64_t number;
    int r = number_read(reader, path, value, detail, &number);
    if (r >= 0)
        *(int *)target = (int)number;
    return r;
}

int read_u64(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    int64_t number;
    int r = number_read(reader, path, value, detail, &number);
    if (r >= 0)
        *(uint64_t *)target = (uint64_t)number;
    return r;
}

int read_word(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, NULL);
    if (r < 0)
        return r;
    for (const Word *word = detail; word->name; word++)
        if (strcmp(word->name, text) == 0) {
            *(int *)target = word->value;
            return 0;
        }
    return reader_fail(reader, path, "unknown value \"%s\"", text);
}

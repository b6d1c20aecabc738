#include "layer/attribute.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include "basic/cleanup.h"

/* XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h. */
#define NAMES_MAX 65536
#define VALUE_MAX 65536

bool attribute_kept(const char *name) {
    if (strncmp(name, "user.", 5) == 0)
        return strncmp(name, "user.overlay.", 13) != 0;
    return strcmp(name, "security.capability") == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
           strcmp(name, "system.posix_acl_default") == 0;
}

bool attribute_opaque(int fd) {
    char value;
    return fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static ssize_t names_read(const struct AttributeSource *source, char *names, size_t size) {
    ssize_t n = source->fd >= 0 ? flistxattr(source->fd, names, size) : llistxattr(source->name, names, size);
    return n < 0 ? -errno : n;
}

static ssize_t value_read(const struct AttributeSource *source, const char *name, void *value) {
    ssize_t n = source->fd >= 0 ? fgetxattr(source->fd, name, value, VALUE_MAX)
                                : lgetxattr(source->name, name, value, VALUE_MAX);
    return n < 0 ? -errno : n;
}

static int name_compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* File systems tell names in an order of their own. */
static size_t names_sort(const char *names, size_t size, const char **ret_sorted) {
    size_t count = 0;
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (attribute_kept(name))
            ret_sorted[count++] = name;
    qsort(ret_sorted, count, sizeof(*ret_sorted), name_compare);
    return count;
}

static int names_visit(const struct AttributeSource *source, const char *const *names, size_t count,
                       attribute_visitor *visit, void *context) {
    _cleanup_free_ unsigned char *value = malloc(VALUE_MAX);
    if (!value)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        ssize_t n = value_read(source, names[i], value);
        int r = n < 0 ? (int)n : visit(context, names[i], value, (size_t)n);
        if (r < 0)
            return r;
    }
    return (int)count;
}

int attributes_visit(const struct AttributeSource *source, attribute_visitor *visit, void *context) {
    char few[1024]; /* most files have none or one */
    _cleanup_free_ char *many = NULL;
    char *names = few;
    ssize_t size = names_read(source, few, sizeof(few));
    if (size == -ERANGE) {
        names = many = malloc(NAMES_MAX);
        size = many ? names_read(source, many, NAMES_MAX) : -ENOMEM;
    }
    if (size <= 0)
        return size == -EOPNOTSUPP ? 0 : (int)size;
    _cleanup_free_ const char **sorted = calloc((size_t)size, sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    size_t count = names_sort(names, (size_t)size, sorted);
    return count == 0 ? 0 : names_visit(source, sorted, count, visit, context);
}

static int attribute_hash(void *context, const char *name, const unsigned char *value, size_t size) {
    struct DigestStream *stream = context;
    char length[24];
    int n = snprintf(length, sizeof(length), "%zu", size);
    int r = digest_update(stream, name, strlen(name) + 1);
    if (r == 0)
        r = digest_update(stream, length, (size_t)n + 1);
    return r == 0 ? digest_update(stream, value, size) : r;
}

int attributes_digest(const struct AttributeSource *source, struct DigestStream *stream,
                      struct DigestValues *ret_values) {
    int count = attributes_visit(source, attribute_hash, stream);
    if (count <= 0)
        return count;
    int r = digest_finish(stream, ret_values);
    return r < 0 ? r : 1;
}

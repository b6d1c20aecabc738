#include "pod.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/text.h"
#include "plan/claim.h"

#define UUID_DIGITS 32U

static int uuid_resolve(const char *state, const char *prefix, char **ret_directory);
static bool is_uuid(const char *text, size_t length);
static int names_compare(const void *left, const void *right);

int pod_find(const char *state, const char *what, char **ret_directory) {
    if (what[0] == '\0' || what[0] == '.' || strchr(what, '/'))
        return -ENOENT;
    int r = claim_read(state, what, ret_directory);
    return r == -ENOENT && is_uuid(what, strlen(what)) ? uuid_resolve(state, what, ret_directory) : r;
}

int pod_apps(const char *directory, char ***ret_names, size_t *ret_count) {
    _cleanup_free_ char *path = NULL;
    int r = text_format(&path, "%s/apps", directory);
    if (r < 0)
        return r;
    _cleanup_dir_ DIR *apps = opendir(path);
    if (!apps)
        return -errno;
    char **names = NULL;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(apps));) {
        if (entry->d_name[0] == '.')
            continue;
        char **grown = reallocarray(names, count + 1, sizeof *names);
        char *name = grown ? strdup(entry->d_name) : NULL;
        names = grown ? grown : names;
        if (!name) {
            pod_apps_free(names, count);
            return -ENOMEM;
        }
        names[count++] = name;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, names_compare);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

void pod_apps_free(char **names, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static int uuid_resolve(const char *state, const char *prefix, char **ret_directory) {
    _cleanup_free_ char *path = NULL, *found = NULL;
    int r = text_format(&path, "%s/pods", state);
    if (r < 0)
        return r;
    _cleanup_dir_ DIR *pods = opendir(path);
    if (!pods)
        return -errno;
    for (struct dirent *entry; (entry = readdir(pods));) {
        if (strlen(entry->d_name) != UUID_DIGITS || !is_uuid(entry->d_name, UUID_DIGITS) ||
            !text_starts_with(entry->d_name, prefix))
            continue;
        if (found)
            return -ENOTUNIQ;
        r = text_format(&found, "%s/%s", path, entry->d_name);
        if (r < 0)
            return r;
    }
    if (!found)
        return -ENOENT;
    *ret_directory = take_pointer(found);
    return 0;
}

static bool is_uuid(const char *text, size_t length) {
    return length > 0 && length <= UUID_DIGITS && strspn(text, "0123456789abcdef") == length;
}

static int names_compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

#include "generation.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/text.h"

#define FACTS_MAX 128U

static const char *const directories[] = {
    "/etc/gantry/trust.d",     "/etc/gantry/trustedkeys",
    "/run/gantry/trust.d",     "/run/gantry/trustedkeys",
    "/usr/lib/gantry/trust.d", "/usr/lib/gantry/trustedkeys",
};

static void bytes_add(Generation *generation, const char *bytes, size_t size);
static void facts_add(Generation *generation, char mark, const struct stat *facts);
static uint64_t nanoseconds(const struct timespec *time);
static int directory_add(Generation *generation, const char *path);
static int names_add(Generation *generation, const char *path, struct dirent **names, size_t count);
static int is_name(const struct dirent *entry);
static int names_compare(const struct dirent **left, const struct dirent **right);

void generation_start(Generation *generation) {
    generation->hash = (unsigned __int128)0x6c62272e07bb0142ULL << 64 | 0x62b821756295c58dULL;
}

void generation_add(Generation *generation, const char *path, const struct stat *entry, const struct stat *target) {
    bytes_add(generation, path, strlen(path) + 1);
    facts_add(generation, ' ', entry);
    if (S_ISLNK(entry->st_mode))
        facts_add(generation, '@', target);
}

int generation_add_tree(Generation *generation, const char *path) {
    struct stat entry, target;
    if (lstat(path, &entry) < 0)
        return errno == ENOENT ? 0 : -errno;
    bool found = S_ISLNK(entry.st_mode) && stat(path, &target) == 0;
    generation_add(generation, path, &entry, found ? &target : NULL);
    return S_ISDIR(entry.st_mode) ? directory_add(generation, path) : 0;
}

void generation_text(const Generation *generation, char ret[static GENERATION_DIGITS + 1]) {
    (void)snprintf(ret, GENERATION_DIGITS + 1, "%016" PRIx64 "%016" PRIx64, (uint64_t)(generation->hash >> 64),
                   (uint64_t)generation->hash);
}

int generation_read(const char *root, char ret[static GENERATION_DIGITS + 1]) {
    Generation generation;
    generation_start(&generation);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        _cleanup_free_ char *path = NULL;
        int r = text_format(&path, "%s%s", root, directories[i]);
        if (r >= 0)
            r = generation_add_tree(&generation, path);
        if (r < 0)
            return r;
    }
    generation_text(&generation, ret);
    return 0;
}

static void bytes_add(Generation *generation, const char *bytes, size_t size) {
    static const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;
    for (size_t i = 0; i < size; i++)
        generation->hash = (generation->hash ^ (unsigned char)bytes[i]) * prime;
}

/* The change time, too: a modification time can be set back, and a copy over a file usually does. */
static void facts_add(Generation *generation, char mark, const struct stat *facts) {
    char text[FACTS_MAX];
    int size = facts ? snprintf(text, sizeof text, "%c%ju %jd %" PRIu64 " %" PRIu64 "\n", mark, (uintmax_t)facts->st_ino,
                                (intmax_t)facts->st_size, nanoseconds(&facts->st_mtim), nanoseconds(&facts->st_ctim))
                     : snprintf(text, sizeof text, "%c\n", mark);
    bytes_add(generation, text, (size_t)size);
}

static uint64_t nanoseconds(const struct timespec *time) {
    return (uint64_t)time->tv_sec * 1000000000U + (uint64_t)time->tv_nsec;
}

static int directory_add(Generation *generation, const char *path) {
    struct dirent **names;
    int count = scandir(path, &names, is_name, names_compare);
    if (count < 0)
        return -errno;
    int r = names_add(generation, path, names, (size_t)count);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return r;
}

static int names_add(Generation *generation, const char *path, struct dirent **names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *below = NULL;
        int r = text_format(&below, "%s/%s", path, names[i]->d_name);
        if (r >= 0)
            r = generation_add_tree(generation, below);
        if (r < 0)
            return r;
    }
    return 0;
}

static int is_name(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* By bytes: no locale has a say. */
static int names_compare(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

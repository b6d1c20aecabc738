#include "basic/directory.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_own(const struct dirent *item) {
    return strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0;
}

const struct dirent *directory_next(DIR *directory) {
    const struct dirent *item;
    do {
        errno = 0; /* only by errno is the end told from a failure (readdir(3)) */
        item = readdir(directory);
    } while (item && is_own(item));
    return item;
}

/* What is in a directory. */
#pragma once

#include <dirent.h>

/* The next name but "." and ".."; NULL at the end, with errno 0, and on failure. */
const struct dirent *directory_next(DIR *directory);

/* Opens a directory in another one for reading, no symbolic link followed. Returns 0 or -errno. */
int directory_open(int parent, const char *name, DIR **ret);

/* Removes a file, or a directory with all in it; nothing there is fine. */
int entry_remove(int parent, const char *name);

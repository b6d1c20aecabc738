/* What is in a directory. */
#pragma once

#include <dirent.h>

/* The next name but "." and ".."; NULL at the end, with errno 0, and on failure. */
const struct dirent *directory_next(DIR *directory);

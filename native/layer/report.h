/* DIR/report: one JSON document by which a program tells the store what it did, or why it did nothing. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "layer/fault.h"

/* Prints the whole document of a success, with a newline at its end. */
typedef void report_printer(FILE *file, const void *report);

/* Writes `report` in the directory by way of a temporary name, synced: what `print` makes of it, or, if there is a fault,
 * `{"version":1,"ok":false,"kind":…,"text":…}`. Returns 0 or -errno. */
int report_write(int into, report_printer *print, const void *report, const struct Fault *fault);

/* `text`, which is UTF-8, as a JSON string. */
void report_string(FILE *file, const char *text, size_t size);

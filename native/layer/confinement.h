/* What a process that handles layers gives up before it reads the first byte of anything nobody has vetted. */
#pragma once

#include <stddef.h>

#include "layer/fault.h"

struct Confinement {
    const unsigned *capabilities; /* to keep, as far as the unit granted them */
    size_t capability_count;
    const int *calls; /* system calls beyond those that reading files and writing to open ones takes */
    size_t call_count;
};

/* Of a program that reads trees and writes to its own directory only. */
extern const struct Confinement confinement_of_readers;

/* Makes the open directory `root` the root (a negative one: stays where it is), keeps only those capabilities, bounds
 * memory, and leaves only those system calls. One-way, for this thread and those it starts later. */
int confinement_enter(int root, const struct Confinement *confinement, struct Fault *fault);

/* What this process gives up before it reads the first byte. */
#pragma once

#include "unpack/fault.h"

/* Makes the open directory `into` the root, keeps the capabilities extraction needs, bounds memory, and leaves only
 * the system calls extraction makes. One-way, for this thread and those it starts later. */
int confinement_enter(int into, struct Fault *fault);

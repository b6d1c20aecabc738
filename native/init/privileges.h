/* What pid 1 of a pod gives up. */
#pragma once

#include "namespace/init.h"

/* Keeps only what signalling and journaling in an app's name need. Returns INIT_STANDS, or the failed step, and errno. */
InitStep privileges_drop(void);

/* A whole tree, depth first, names in the order of their bytes. */
#pragma once

#include "pack/entry.h"

/* Packs the root and everything below it. */
int walk_pack(struct Pack *pack);

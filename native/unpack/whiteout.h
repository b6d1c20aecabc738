/* The deletions of a layer: `.wh.NAME` and `.wh..wh..opq` (OCI image specification, layer.md, "Whiteouts"), turned
 * into overlayfs's character device 0:0 and user.overlay.opaque. Both hide lower layers only, whatever their order
 * in the archive: they are listed when met and made when everything else is in place. */
#pragma once

#include "layer/fault.h"
#include "layer/list.h"
#include "unpack/tree.h"

enum WhiteoutKind {
    WHITEOUT_NONE,     /* an ordinary entry */
    WHITEOUT_NAME,     /* hides one name */
    WHITEOUT_OPAQUE,   /* hides all of its directory */
    WHITEOUT_METADATA, /* aufs's own bookkeeping, which no layer means to contain */
};

/* Sorts a clean path. `ret_hidden` (TREE_PATH_MAX + 1 bytes) tells the name that is hidden, or the directory that is
 * opaque. Refuses a bare ".wh.". */
int whiteout_read(const char *path, enum WhiteoutKind *ret_kind, char *ret_hidden, struct Fault *fault);

/* Makes a listed whiteout (`w`) or opaque directory (`o`). What has meanwhile become pointless is left out. */
int whiteout_make(struct Tree *tree, const struct ListItem *item, struct Fault *fault);

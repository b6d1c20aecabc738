/* The two top-level names of an App Container Image (appc specification, "Image Layout"): `manifest` and `rootfs`. */
#pragma once

#include "unpack/layer.h"

/* Takes the manifest, or extracts what lies below rootfs; refuses everything else. */
int aci_entry(struct Layer *layer, struct archive *archive, struct archive_entry *entry, const char *path);

/* Takes `rootfs/` off a clean hard link target, in place. */
int aci_link(char *target, struct Fault *fault);

/* Refuses an archive without one of the two names. */
int aci_finish(struct Layer *layer);

/* Mounts that exist before they have a place. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "stage1/launch.h"

/* A file system's parameter; without value it is a flag. The list ends with a NULL key. */
typedef struct FsParameter {
    const char *key, *value;
} FsParameter;

/* Makes a detached mount of a new file system. Returns the descriptor or -errno. */
int filesystem_make(const char *type, const FsParameter *parameters, uint64_t attributes);

/* Puts a detached mount on a path of the app, made if missing. */
int mount_attach(const Launch *launch, int tree, const char *path, bool directory, Failure *failure);

/* MOUNT_ATTR_ of the plan's options. */
uint64_t mount_attributes(const MountPlan *plan);

/* volume.c: `bind`. dev.c: `dev`. */
int volume_mount(const Launch *launch, const MountPlan *plan, Failure *failure);
int dev_mount(const Launch *launch, const MountPlan *plan, Failure *failure);

/* The command line of gantry-pack (docs/packer.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum PackVerb {
    PACK_LAYER,  /* one tree as an OCI layer, its whiteouts as .wh. files */
    PACK_ROOTFS, /* all trees as one, whiteouts obeyed */
    PACK_ACI,    /* the same below rootfs/, behind a manifest */
};

enum PackCompression {
    PACK_PLAIN,
    PACK_GZIP,
    PACK_ZSTD,
};

struct PackOptions {
    enum PackVerb verb;
    enum PackCompression compression;
    const char *into;
    const char *manifest;
    const char *only;  /* a list of the paths to keep, NULL: all */
    bool owner_given;  /* every entry belongs to uid and gid */
    uint32_t uid;
    uint32_t gid;
    bool as_caller;    /* no chroot: whoever runs it may have no privilege to give up */
    char **trees;      /* lowest first */
    size_t tree_count;
};

/* Returns 0, or -EINVAL after writing one line about the mistake to `errors`. */
int pack_options_parse(int argc, char **argv, FILE *errors, struct PackOptions *ret_options);

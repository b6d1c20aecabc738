#include "unpack/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "unpack/aci.h"
#include "unpack/entry.h"
#include "unpack/whiteout.h"

static la_ssize_t layer_read(struct archive *archive, void *userdata, const void **ret_bytes) {
    ssize_t n = pipeline_read(userdata, ret_bytes);
    if (n < 0)
        archive_set_error(archive, (int)-n, "the archive cannot be decompressed");
    return n < 0 ? ARCHIVE_FATAL : n;
}

static int layer_open(struct Layer *layer, int into, const struct Options *options, struct Fault *fault) {
    layer->options = options;
    layer->fault = fault;
    layer->tree.root = layer->tree.parent = layer->tree.removal.trash = -1;
    int r = digest_open(&layer->content, DIGEST_SHA256);
    if (r < 0)
        return fault_system(fault, -r, "cannot compute digests");
    r = list_open(&layer->list, into, "digests");
    if (r < 0)
        return fault_system(fault, -r, "cannot create the digest list");
    r = tree_open(&layer->tree, into, "tree", &layer->list, fault);
    if (r < 0)
        return r;
    layer->tree.replaces = options->verb != VERB_ACI;
    layer->tree.max_created = options->max_entries;
    return 0;
}

static struct archive *tar_open(struct Pipeline *pipeline) {
    struct archive *archive = archive_read_new();
    if (!archive)
        return NULL;
    if (archive_read_support_format_gnutar(archive) == ARCHIVE_OK) /* reads ustar and pax, too */
        (void)archive_read_open(archive, pipeline, NULL, layer_read, NULL);
    return archive;
}

/* In the C locale, where this process stays, libarchive keeps a pax header's name byte for byte, but says each time
 * that it cannot be converted. In a UTF-8 locale it would be silent and rename: it normalizes to NFC. */
static bool warning_harmless(const char *text) {
    return text && strstr(text, "converted");
}

/* Returns 1 with an entry, 0 at the archive's end. */
static int header_read(struct Layer *layer, struct archive *archive, struct archive_entry **ret_entry) {
    int status = archive_read_next_header(archive, ret_entry);
    const char *text = archive_error_string(archive);
    if (status == ARCHIVE_EOF)
        return 0;
    if (status == ARCHIVE_OK || (status == ARCHIVE_WARN && warning_harmless(text)))
        return 1;
    if (layer->entries == 0)
        return fault_image(layer->fault, "the archive is no tar archive, or compressed in an unknown way: %s",
                             text ? text : "it is damaged");
    return fault_image(layer->fault, "the archive is damaged after %" PRIu64 " entries: %s", layer->entries,
                         text ? text : "bad header");
}

static int whiteout_list(struct Layer *layer, enum WhiteoutKind kind, const char *entry, const char *hidden) {
    int parent; /* whatever whiteouts say, their directory is part of the layer */
    int r = tree_parent(&layer->tree, entry, &parent);
    if (r < 0)
        return r;
    const struct ListLine line = { .type = kind == WHITEOUT_OPAQUE ? 'o' : 'w', .path = hidden };
    r = list_write(&layer->list, &line);
    return r < 0 ? fault_system(layer->fault, -r, "cannot list %s", QUOTED(entry)) : 0;
}

static int layer_entry(struct Layer *layer, struct archive *archive, struct archive_entry *entry, const char *path) {
    char hidden[TREE_PATH_MAX + 1];
    enum WhiteoutKind kind;
    int r = whiteout_read(path, &kind, hidden, layer->fault);
    if (r < 0)
        return r;
    if (kind == WHITEOUT_NONE)
        return entry_extract(layer, archive, entry, path);
    if (kind != WHITEOUT_METADATA)
        return whiteout_list(layer, kind, path, hidden);
    layer->skipped++;
    return 0;
}

static int entry_dispatch(struct Layer *layer, struct archive *archive, struct archive_entry *entry) {
    const char *raw = archive_entry_pathname(entry);
    char path[TREE_PATH_MAX + 1];
    if (!raw || !*raw)
        return fault_image(layer->fault, "entry %" PRIu64 " of the archive has no name", layer->entries);
    int r = path_clean(raw, "path", path, layer->fault);
    if (r < 0)
        return r;
    return layer->options->verb == VERB_ACI ? aci_entry(layer, archive, entry, path)
                                            : layer_entry(layer, archive, entry, path);
}

static int entries_extract(struct Layer *layer, struct archive *archive) {
    for (;;) {
        struct archive_entry *entry;
        int r = header_read(layer, archive, &entry);
        if (r <= 0)
            return r;
        if (++layer->entries + layer->tree.created > layer->options->max_entries)
            return fault_image(layer->fault, "the archive has more than %" PRIu64 " entries",
                                 layer->options->max_entries);
        r = entry_dispatch(layer, archive, entry);
        if (r < 0)
            return r;
    }
}

/* A root nobody described is like any other directory that was only implied. */
static int root_settle(struct Layer *layer) {
    if (layer->root_seen)
        return 0;
    const struct ListLine line = { .type = 'd', .mode = 0755, .path = "." };
    int r = list_write(&layer->list, &line);
    return r < 0 ? fault_system(layer->fault, -r, "cannot list the root directory") : 0;
}

static int directory_settle(struct Layer *layer, const struct ListItem *item) {
    const struct timespec times[2] = { item->time, item->time };
    _cleanup_fd_ int fd = tree_find(&layer->tree, item->path, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0; /* a later entry replaced it */
    if (fd < 0 || futimens(fd, times) < 0)
        return fault_system(layer->fault, fd < 0 ? -fd : errno, "cannot set the times of %s", QUOTED(item->path));
    return 0;
}

/* Reads the list from its start and finishes the entries of some types. */
static int list_settle(struct Layer *layer, const char *types) {
    struct ListItem item;
    int r = list_rewind(&layer->list);
    while (r == 0 && (r = list_read(&layer->list, &item)) > 0) {
        if (!strchr(types, item.type))
            r = 0;
        else if (item.type == 'd')
            r = directory_settle(layer, &item);
        else
            r = whiteout_make(&layer->tree, &item, layer->fault);
    }
    return r < 0 ? fault_system(layer->fault, -r, "cannot read the digest list") : 0;
}

/* What the tree amounts to, as the last line of the list: one without it is torn. */
static int totals_list(struct Layer *layer) {
    const struct Tree *tree = &layer->tree;
    char paths[24];
    layer->paths = tree->paths - tree->removal.paths;
    layer->bytes -= tree->removal.bytes;
    (void)snprintf(paths, sizeof(paths), "%" PRIu64, layer->paths);
    const struct ListLine line = { .type = 't', .size = layer->bytes, .path = paths };
    int r = list_finish(&layer->list, &line);
    return r < 0 ? fault_system(layer->fault, -r, "cannot write the digest list") : 0;
}

/* Whiteouts first: making them changes their directories' times. */
static int layer_settle(struct Layer *layer) {
    int r = root_settle(layer);
    if (r == 0)
        r = list_settle(layer, "wo");
    if (r == 0)
        r = list_settle(layer, "d");
    return r == 0 ? totals_list(layer) : r;
}

/* What follows the end marker is part of the diff id. */
static int pipeline_drain(struct Pipeline *pipeline) {
    const void *block;
    ssize_t n;
    while ((n = pipeline_read(pipeline, &block)) > 0)
        ;
    return (int)n;
}

int layer_extract(struct Layer *layer, int into, const struct Options *options, struct Pipeline *pipeline,
                  struct Fault *fault) {
    int r = layer_open(layer, into, options, fault);
    if (r < 0)
        return r;
    struct archive *archive = tar_open(pipeline);
    if (!archive)
        return fault_system(fault, ENOMEM, "cannot read the archive");
    r = entries_extract(layer, archive);
    if (r == 0 && options->verb == VERB_ACI)
        r = aci_finish(layer);
    archive_read_free(archive);
    if (r == 0)
        r = pipeline_drain(pipeline);
    return r == 0 ? layer_settle(layer) : r;
}

void layer_close(struct Layer *layer) {
    tree_close(&layer->tree);
    list_close(&layer->list);
    digest_close(&layer->content);
    free(layer->manifest);
    layer->manifest = NULL;
}

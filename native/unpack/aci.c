#include "unpack/aci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/text.h"
#include "unpack/entry.h"

#define ROOT "rootfs"
#define MANIFEST_MAX (1024 * 1024)

static int manifest_read(struct Layer *layer, struct archive *archive, struct archive_entry *entry) {
    la_int64_t size = archive_entry_size(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
        return fault_image(layer->fault, "\"manifest\" is not a regular file");
    if (layer->manifest)
        return fault_image(layer->fault, "\"manifest\" is in the archive twice");
    if (size > MANIFEST_MAX)
        return fault_image(layer->fault, "\"manifest\" has more than %d bytes", MANIFEST_MAX);
    layer->manifest = calloc(1, (size_t)size + 1);
    if (!layer->manifest)
        return fault_system(layer->fault, ENOMEM, "cannot read \"manifest\"");
    la_ssize_t n = archive_read_data(archive, layer->manifest, (size_t)size);
    if (n != size)
        return fault_image(layer->fault, "the archive is damaged in \"manifest\"");
    layer->manifest_size = (size_t)n;
    /* The report is JSON: what is no UTF-8 cannot be passed on (and is no JSON, either). */
    bool text = strlen(layer->manifest) == layer->manifest_size && text_is_utf8(layer->manifest);
    return text ? 0 : fault_image(layer->fault, "\"manifest\" is not UTF-8 text");
}

int aci_entry(struct Layer *layer, struct archive *archive, struct archive_entry *entry, const char *path) {
    if (archive_entry_pathname(entry)[0] == '/')
        return fault_image(layer->fault, "the path %s is absolute", QUOTED(archive_entry_pathname(entry)));
    if (strcmp(path, ".") == 0) /* the reference reader tolerates it */
        return 0;
    if (strcmp(path, "manifest") == 0)
        return manifest_read(layer, archive, entry);
    size_t length = strlen(ROOT);
    if (strncmp(path, ROOT, length) != 0 || (path[length] && path[length] != '/'))
        return fault_image(layer->fault, "%s is neither \"manifest\" nor below \"rootfs\"", QUOTED(path));
    layer->rootfs_seen = true;
    if (path[length])
        return entry_extract(layer, archive, entry, path + length + 1);
    if (archive_entry_filetype(entry) != AE_IFDIR || archive_entry_hardlink(entry))
        return fault_image(layer->fault, "\"rootfs\" is not a directory");
    return entry_extract(layer, archive, entry, ".");
}

int aci_link(char *target, struct Fault *fault) {
    size_t length = strlen(ROOT);
    if (strncmp(target, ROOT "/", length + 1) != 0)
        return fault_image(fault, "the hard link target %s leaves \"rootfs\"", QUOTED(target));
    memmove(target, target + length + 1, strlen(target) - length);
    return 0;
}

int aci_finish(struct Layer *layer) {
    if (!layer->manifest)
        return fault_image(layer->fault, "the archive has no \"manifest\"");
    if (!layer->rootfs_seen)
        return fault_image(layer->fault, "the archive has no \"rootfs\"");
    return 0;
}

#include "unpack/aci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unpack/entry.h"

#define ROOT "rootfs"
#define MANIFEST_MAX (1024 * 1024)

/* RFC 3629: the report is JSON, so a manifest that is no UTF-8 cannot be passed on (and is no JSON, either). */
static bool utf8_valid(const unsigned char *at, const unsigned char *end) {
    while (at < end) {
        unsigned char lead = *at++;
        if (lead < 0x80 && lead != 0)
            continue;
        int more = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0;
        if (more == 0 || end - at < more)
            return false;
        unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (*at < low || *at > high)
            return false;
        for (at++; --more > 0; at++)
            if ((*at & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static int manifest_read(struct Layer *layer, struct archive *archive, struct archive_entry *entry) {
    la_int64_t size = archive_entry_size(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
        return failure_image(layer->failure, "\"manifest\" is not a regular file");
    if (layer->manifest)
        return failure_image(layer->failure, "\"manifest\" is in the archive twice");
    if (size > MANIFEST_MAX)
        return failure_image(layer->failure, "\"manifest\" has more than %d bytes", MANIFEST_MAX);
    layer->manifest = calloc(1, (size_t)size + 1);
    if (!layer->manifest)
        return failure_system(layer->failure, ENOMEM, "cannot read \"manifest\"");
    la_ssize_t n = archive_read_data(archive, layer->manifest, (size_t)size);
    if (n != size)
        return failure_image(layer->failure, "the archive is damaged in \"manifest\"");
    layer->manifest_size = (size_t)n;
    const unsigned char *bytes = (const unsigned char *)layer->manifest;
    return utf8_valid(bytes, bytes + n) ? 0 : failure_image(layer->failure, "\"manifest\" is not UTF-8 text");
}

int aci_entry(struct Layer *layer, struct archive *archive, struct archive_entry *entry, const char *path) {
    if (archive_entry_pathname(entry)[0] == '/')
        return failure_image(layer->failure, "the path %s is absolute", QUOTED(archive_entry_pathname(entry)));
    if (strcmp(path, ".") == 0) /* the reference reader tolerates it */
        return 0;
    if (strcmp(path, "manifest") == 0)
        return manifest_read(layer, archive, entry);
    size_t length = strlen(ROOT);
    if (strncmp(path, ROOT, length) != 0 || (path[length] && path[length] != '/'))
        return failure_image(layer->failure, "%s is neither \"manifest\" nor below \"rootfs\"", QUOTED(path));
    layer->rootfs_seen = true;
    if (path[length])
        return entry_extract(layer, archive, entry, path + length + 1);
    if (archive_entry_filetype(entry) != AE_IFDIR || archive_entry_hardlink(entry))
        return failure_image(layer->failure, "\"rootfs\" is not a directory");
    return entry_extract(layer, archive, entry, ".");
}

int aci_link(char *target, struct Failure *failure) {
    size_t length = strlen(ROOT);
    if (strncmp(target, ROOT "/", length + 1) != 0)
        return failure_image(failure, "the hard link target %s leaves \"rootfs\"", QUOTED(target));
    memmove(target, target + length + 1, strlen(target) - length);
    return 0;
}

int aci_finish(struct Layer *layer) {
    if (!layer->manifest)
        return failure_image(layer->failure, "the archive has no \"manifest\"");
    if (!layer->rootfs_seen)
        return failure_image(layer->failure, "the archive has no \"rootfs\"");
    return 0;
}

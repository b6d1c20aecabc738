#include "plan/mount.h"

#include <string.h>

#include "basic/path.h"
#include "basic/text.h"
#include "plan/plan.h"

static const Word type_words[] = {
    { "proc", MOUNT_PROC },     { "sysfs", MOUNT_SYSFS },   { "tmpfs", MOUNT_TMPFS }, { "devpts", MOUNT_DEVPTS },
    { "mqueue", MOUNT_MQUEUE }, { "cgroup", MOUNT_CGROUP }, { "bind", MOUNT_BIND },   { "dev", MOUNT_DEV },
    { 0 },
};

/* `rw`, `bind` and `rprivate` say what is so anyway. */
static const Word option_words[] = {
    { "ro", MOUNT_OPTION_RO },         { "rw", 0 },
    { "nosuid", MOUNT_OPTION_NOSUID }, { "nodev", MOUNT_OPTION_NODEV },
    { "noexec", MOUNT_OPTION_NOEXEC }, { "bind", 0 },
    { "rbind", MOUNT_OPTION_RBIND },   { "rprivate", 0 },
    { "idmap", MOUNT_OPTION_IDMAP },   { "copy", MOUNT_OPTION_COPY },
    { 0 },
};

static int mode_parse(const char *text, uint32_t *ret) {
    uint32_t mode = 0;
    size_t length = strlen(text);
    if (length < 3 || length > 4 || strspn(text, "01234567") != length)
        return -1;
    for (; *text; text++)
        mode = mode * 8 + (uint32_t)(*text - '0');
    *ret = mode;
    return 0;
}

static int read_option(Reader *reader, const KeyPath *path, const Json *value, MountPlan *mount) {
    const char *text;
    int r = read_text(reader, path, value, &text, NULL);
    if (r < 0)
        return r;
    if (text_starts_with(text, "size=")) {
        mount->options |= MOUNT_OPTION_SIZE;
        return text_to_number(text + 5, INT64_MAX, &mount->size) < 0
                   ? reader_fail(reader, path, "\"%s\" is no size", text)
                   : 0;
    }
    if (text_starts_with(text, "mode=")) {
        mount->options |= MOUNT_OPTION_MODE;
        return mode_parse(text + 5, &mount->mode) < 0 ? reader_fail(reader, path, "\"%s\" is no mode", text) : 0;
    }
    int option = 0;
    r = read_word(reader, path, value, &option, option_words);
    mount->options |= (unsigned)option;
    return r;
}

static int read_options(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    MountPlan *mount = (MountPlan *)((char *)target - offsetof(MountPlan, options));
    if (!json_is(value, JSON_ARRAY))
        return reader_fail(reader, path, "expected an array");
    for (size_t i = 0; i < json_count(value); i++) {
        const KeyPath here = { .parent = path, .index = i };
        int r = read_option(reader, &here, json_element(value, i), mount);
        if (r < 0)
            return r;
    }
    return 0;
}

static const Member mount_members[] = {
    { "destination", true, offsetof(MountPlan, destination), read_path, NULL, 0 },
    { "type", true, offsetof(MountPlan, type), read_word, type_words, 0 },
    { "source", true, offsetof(MountPlan, source), read_text, NULL, 0 },
    { "options", true, offsetof(MountPlan, options), read_options, NULL, 0 },
    { 0 },
};
static const ObjectDetail mount_object = { mount_members };

/* Which options go with which type: an option without effect would be a promise that is not kept. */
static unsigned options_of(MountType type) {
    const unsigned flags = MOUNT_OPTION_RO | MOUNT_OPTION_NOSUID | MOUNT_OPTION_NODEV | MOUNT_OPTION_NOEXEC;
    if (type == MOUNT_BIND)
        return flags | MOUNT_OPTION_RBIND | MOUNT_OPTION_IDMAP | MOUNT_OPTION_COPY;
    if (type == MOUNT_TMPFS)
        return flags | MOUNT_OPTION_SIZE | MOUNT_OPTION_MODE;
    if (type == MOUNT_DEV) /* has to be filled first, with nodes that work */
        return MOUNT_OPTION_NOSUID | MOUNT_OPTION_NOEXEC | MOUNT_OPTION_SIZE | MOUNT_OPTION_MODE;
    return type == MOUNT_DEVPTS ? flags | MOUNT_OPTION_MODE : flags;
}

int read_mount(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    MountPlan *mount = target;
    int r = read_object(reader, path, value, mount, &mount_object);
    if (r < 0)
        return r;
    const KeyPath destination = { .parent = path, .key = "destination" }, source = { .parent = path, .key = "source" },
                  options = { .parent = path, .key = "options" };
    if (mount->destination[strspn(mount->destination, "/")] == 0)
        return reader_fail(reader, &destination, "the root directory cannot be mounted over");
    if (mount->type == MOUNT_BIND && !path_is_safe(mount->source))
        return reader_fail(reader, &source, "expected an absolute path without . and ..");
    if (mount->options & ~options_of(mount->type))
        return reader_fail(reader, &options, "an option that does not go with the type");
    return 0;
}

#include "plan/userns.h"

#include <string.h>
#include <sys/un.h>

#include "plan/plan.h"

static const Word mode_words[] = { { "pod", USERNS_POD }, { "host", USERNS_HOST }, { 0 } };
/* A base below 65536 would map the pod's ids on ids that the host itself uses. */
static const NumberDetail base_range = { 65536, UINT32_MAX };
static const NumberDetail size_range = { 1, UINT32_MAX };

typedef struct UsernsValue {
    UsernsPlan plan;
    bool has_base, has_size;
} UsernsValue;

static const Member userns_members[] = {
    { "mode", true, offsetof(UsernsValue, plan.mode), read_word, mode_words, 0 },
    { "base", false, offsetof(UsernsValue, plan.base), read_u32, &base_range, offsetof(UsernsValue, has_base) },
    { "size", false, offsetof(UsernsValue, plan.size), read_u32, &size_range, offsetof(UsernsValue, has_size) },
    { 0 },
};
static const ObjectDetail userns_object = { userns_members };

int read_userns(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    (void)detail;
    UsernsValue userns = { 0 };
    int r = read_object(reader, path, value, &userns, &userns_object);
    if (r < 0)
        return r;
    const KeyPath base = { .parent = path, .key = "base" }, size = { .parent = path, .key = "size" };
    bool pod = userns.plan.mode == USERNS_POD;
    if (userns.has_base != pod)
        return reader_fail(reader, &base, pod ? "missing" : "only allowed with mode \"pod\"");
    if (userns.has_size != pod)
        return reader_fail(reader, &size, pod ? "missing" : "only allowed with mode \"pod\"");
    /* (uid_t)-1 means "no change" to the kernel and must stay outside of every range. */
    if (pod && (uint64_t)userns.plan.base + userns.plan.size > UINT32_MAX)
        return reader_fail(reader, &size, "the range ends beyond id %u", UINT32_MAX - 1);
    *(UsernsPlan *)target = userns.plan;
    return 0;
}

int read_socket_path(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_path(reader, path, value, &text, detail);
    if (r < 0)
        return r;
    if (strlen(text) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return reader_fail(reader, path, "too long for a socket");
    *(const char **)target = text;
    return 0;
}

int read_hostname(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail) {
    const char *text;
    int r = read_text(reader, path, value, &text, detail);
    if (r < 0)
        return r;
    size_t length = strlen(text);
    if (length == 0 || length > 64 ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != length)
        return reader_fail(reader, path, "expected a host name of 1 to 64 letters, digits, '-' and '.'");
    *(const char **)target = text;
    return 0;
}

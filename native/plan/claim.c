#include "plan/claim.h"

#include <errno.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"

#define UUID_DIGITS 32U

bool claim_name_valid(const char *name) {
    return *name && *name != '-' && strlen(name) <= 200 && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

int claim_read(const char *state, const char *name, char **ret_directory) {
    static const char beside[] = "../pods/";
    _cleanup_free_ char *link = NULL, *target = NULL;
    int r = text_format(&link, "%s/names/%s", state, name);
    if (r >= 0)
        r = link_read(link, &target);
    if (r < 0)
        return r == -EINVAL || r == -ENAMETOOLONG || r == -ENOTDIR ? -ENOENT : r;
    if (!text_starts_with(target, beside))
        return -ENOENT;
    const char *uuid = target + strlen(beside);
    if (strlen(uuid) != UUID_DIGITS || strspn(uuid, "0123456789abcdef") != UUID_DIGITS)
        return -ENOENT;
    return text_format(ret_directory, "%s/pods/%s", state, uuid);
}

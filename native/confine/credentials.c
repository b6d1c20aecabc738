#include "confine/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "basic/path.h"
#include "basic/text.h"
#include "confine/database.h"

/* What a resolution works on. */
typedef struct Resolution {
    const LaunchPlan *plan;
    int root_fd;
    Database users, groups;
    UserEntry entry; /* of the user, when `known` */
    bool known, by_name;
    Credentials result;
} Resolution;

static void resolution_done(Resolution *resolution) {
    database_done(&resolution->users);
    database_done(&resolution->groups);
    credentials_done(&resolution->result);
}

void credentials_done(Credentials *credentials) {
    free(credentials->groups);
    free(credentials->home);
    *credentials = (Credentials){ 0 };
}

/* "/path" of appc: the owner of a file of the image. The image's ids are shifted by the pod's base for us, who look
 * at its id-mapped mount from outside. */
static int owner_resolve(const Resolution *resolution, const char *path, bool group, uint32_t *ret, Failure *failure) {
    const UsernsPlan *userns = &resolution->plan->userns;
    int status = group ? EXIT_STATUS_GROUP : EXIT_STATUS_USER;
    _cleanup_fd_ int fd = path_open(resolution->root_fd, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) < 0)
        return failure_set(failure, status, fd < 0 ? -fd : errno, "owner of %s", path);
    uint32_t id = group ? file.st_gid : file.st_uid;
    if (userns->mode == USERNS_POD && (id < userns->base || id - userns->base >= userns->size))
        return failure_say(failure, status, ESRCH, "owner of %s: its id has no place in the pod", path);
    *ret = userns->mode == USERNS_POD ? id - userns->base : id;
    return 0;
}

static int id_check(const Resolution *resolution, uint32_t id, int status, const char *what, Failure *failure) {
    const UsernsPlan *userns = &resolution->plan->userns;
    if (userns->mode == USERNS_POD && id >= userns->size)
        return failure_say(failure, status, ERANGE, "%s: %u is outside of the pod's %u ids", what, id, userns->size);
    return 0;
}

static int user_resolve(Resolution *resolution, const char *user, Failure *failure) {
    Credentials *result = &resolution->result;
    uint64_t number = 0;
    if (resolution->plan->user_rules == USER_RULES_APPC && user[0] == '/')
        return owner_resolve(resolution, user, false, &result->uid, failure);
    if (*user && database_find_user(&resolution->users, user, 0, &resolution->entry)) {
        resolution->by_name = resolution->known = true;
        result->uid = resolution->entry.uid;
        return 0;
    }
    /* No user at all is root, an OCI convention. */
    if (*user && text_to_number(user, UINT32_MAX - 1, &number) < 0)
        return failure_say(failure, EXIT_STATUS_USER, ESRCH, "user \"%s\": not in the image's /etc/passwd", user);
    result->uid = (uid_t)number;
    return 0;
}

static int group_resolve(Resolution *resolution, const char *group, Failure *failure) {
    Credentials *result = &resolution->result;
    GroupEntry entry;
    uint64_t number = 0;
    if (resolution->plan->user_rules == USER_RULES_APPC && group[0] == '/')
        return owner_resolve(resolution, group, true, &result->gid, failure);
    if (*group && database_find_group(&resolution->groups, group, &entry)) {
        result->gid = entry.gid;
        return 0;
    }
    if (*group && text_to_number(group, UINT32_MAX - 1, &number) < 0)
        return failure_say(failure, EXIT_STATUS_GROUP, ESRCH, "group \"%s\": not in the image's /etc/group", group);
    /* Without a group: the user's own of passwd, else 0. */
    result->gid = *group ? (gid_t)number : resolution->known ? resolution->entry.gid : 0;
    return 0;
}

/* Docker's `user[:group]`; appc has both apart. */
static int names_resolve(Resolution *resolution, Failure *failure) {
    const LaunchPlan *plan = resolution->plan;
    _cleanup_free_ char *user = strdup(plan->user);
    if (!user)
        return failure_set(failure, EXIT_STATUS_USER, ENOMEM, "user");
    const char *group = plan->group;
    char *colon = plan->user_rules == USER_RULES_OCI ? strchr(user, ':') : NULL;
    if (colon) {
        *colon = 0;
        group = colon + 1;
    }
    int r = user_resolve(resolution, user, failure);
    if (r < 0)
        return r;
    if (!resolution->known)
        resolution->known = database_find_user(&resolution->users, NULL, resolution->result.uid, &resolution->entry);
    r = group_resolve(resolution, group, failure);
    if (r < 0 || plan->user_rules != USER_RULES_OCI || !resolution->by_name || *group)
        return r;
    r = database_collect_groups(&resolution->groups, resolution->entry.name, &resolution->result.groups,
                                &resolution->result.n_groups);
    return r < 0 ? failure_set(failure, EXIT_STATUS_GROUP, -r, "groups of \"%s\"", user) : 0;
}

static int groups_add(Credentials *result, const gid_t *groups, size_t count, Failure *failure) {
    if (count == 0)
        return 0;
    gid_t *longer = realloc(result->groups, (result->n_groups + count) * sizeof *longer);
    if (!longer)
        return failure_set(failure, EXIT_STATUS_GROUP, ENOMEM, "supplementary groups");
    memcpy(longer + result->n_groups, groups, count * sizeof *longer);
    result->groups = longer;
    result->n_groups += count;
    return 0;
}

static int ids_check(const Resolution *resolution, Failure *failure) {
    const Credentials *result = &resolution->result;
    int r = id_check(resolution, result->uid, EXIT_STATUS_USER, "user", failure);
    if (r >= 0)
        r = id_check(resolution, result->gid, EXIT_STATUS_GROUP, "group", failure);
    for (size_t i = 0; r >= 0 && i < result->n_groups; i++)
        r = id_check(resolution, result->groups[i], EXIT_STATUS_GROUP, "supplementary group", failure);
    return r;
}

static int databases_read(Resolution *resolution, Failure *failure) {
    int r = database_read(resolution->root_fd, "/etc/passwd", &resolution->users);
    if (r < 0)
        return failure_set(failure, EXIT_STATUS_USER, -r, "the image's /etc/passwd");
    r = database_read(resolution->root_fd, "/etc/group", &resolution->groups);
    return r < 0 ? failure_set(failure, EXIT_STATUS_GROUP, -r, "the image's /etc/group") : 0;
}

static int home_set(Resolution *resolution, Failure *failure) {
    Slice home = resolution->known ? resolution->entry.home : (Slice){ 0 };
    resolution->result.home = home.length && home.text[0] == '/' ? strndup(home.text, home.length) : strdup("/");
    return resolution->result.home ? 0 : failure_set(failure, EXIT_STATUS_USER, ENOMEM, "home");
}

static int resolution_run(Resolution *resolution, Failure *failure) {
    const UserPlan *user = &resolution->plan->process.user;
    int r = databases_read(resolution, failure);
    if (r < 0)
        return r;
    if (resolution->plan->has_user) {
        r = names_resolve(resolution, failure);
        /* The primary group among them, too: a setgid program must not shed it (CVE-2022-36109). */
        if (r >= 0)
            r = groups_add(&resolution->result, &resolution->result.gid, 1, failure);
    } else {
        resolution->result.uid = user->uid;
        resolution->result.gid = user->gid;
        resolution->known = database_find_user(&resolution->users, NULL, user->uid, &resolution->entry);
    }
    if (r < 0 || (r = groups_add(&resolution->result, user->additional_gids, user->n_additional_gids, failure)) < 0 ||
        (r = ids_check(resolution, failure)) < 0)
        return r;
    return home_set(resolution, failure);
}

int credentials_resolve(const LaunchPlan *plan, int root_fd, Credentials *ret, Failure *failure) {
    cleanup(resolution_done) Resolution resolution = { .plan = plan, .root_fd = root_fd };
    int r = resolution_run(&resolution, failure);
    if (r < 0)
        return r;
    *ret = resolution.result;
    resolution.result = (Credentials){ 0 };
    return 0;
}

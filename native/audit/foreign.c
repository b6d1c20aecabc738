#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "audit/audit.h"
#include "basic/cleanup.h"
#include "basic/directory.h"
#include "layer/beneath.h"

/* One path while the tree is walked: as deep as a path can be, no deeper. */
struct Walk {
    struct Audit *audit;
    char path[BENEATH_PATH_MAX + 1];
    size_t length;
};

static int directory_walk(struct Walk *walk);

static int name_look(struct Walk *walk, const struct dirent *item) {
    struct Audit *audit = walk->audit;
    size_t before = walk->length, size = strlen(item->d_name);
    if (before + 1 + size > BENEATH_PATH_MAX) {
        finding_add(audit->findings, "added", walk->path, NULL, item->d_name);
        return 0;
    }
    if (before > 0)
        walk->path[walk->length++] = '/';
    memcpy(walk->path + walk->length, item->d_name, size + 1);
    walk->length += size;
    const struct Expected *expected = expectations_find(audit->expectations, walk->path);
    if (!expected)
        finding_add(audit->findings, "added", walk->path, NULL, NULL);
    int r = expected && expected->line.type == 'd' ? directory_walk(walk) : 0;
    walk->path[walk->length = before] = '\0';
    return r;
}

static int directory_walk(struct Walk *walk) {
    _cleanup_fd_ int fd = beneath_open(walk->audit->tree, walk->length > 0 ? walk->path : ".",
                                       O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
    if (fd < 0) /* told already by whoever looked for it */
        return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? fd : 0;
    _cleanup_dir_ DIR *directory = fdopendir(fd);
    if (!directory)
        return -errno;
    (void)fd_take(&fd);
    for (const struct dirent *item; (item = directory_next(directory));) {
        int r = name_look(walk, item);
        if (r < 0)
            return r;
    }
    return -errno;
}

int audit_foreign(struct Audit *audit) {
    struct Walk walk = { .audit = audit };
    int r = directory_walk(&walk);
    return r < 0 ? fault_system(audit->fault, -r, "cannot walk through the tree") : 0;
}

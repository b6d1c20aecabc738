#include "basic/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool path_is_safe(const char *path) {
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return false;
    for (const char *part = path; *part;) {
        part += strspn(part, "/");
        size_t length = strcspn(part, "/");
        if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
    }
    return true;
}

int path_open(int directory_fd, const char *path, uint64_t flags, uint32_t mode, uint64_t resolve) {
    struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
    long fd = syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

#include "plan/document.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"

enum { PLAN_SIZE_MAX = 1 << 20 };

static int file_check(int fd, char **ret_sentence) {
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    const char *wrong = !S_ISREG(status.st_mode)                 ? "not a regular file"
                        : status.st_uid != 0                     ? "not owned by root"
                        : (status.st_mode & (S_IWGRP | S_IWOTH)) ? "writable by others than root"
                                                                 : NULL;
    if (!wrong)
        return 0;
    (void)text_format(ret_sentence, "%s", wrong);
    return -EPERM;
}

int document_read(const char *path, char **ret_text, size_t *ret_size, char **ret_sentence) {
    /* Nothing but a regular file may be opened with effect, hence NONBLOCK and NOCTTY. */
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int r = fd < 0 ? -errno : file_check(fd, ret_sentence);
    if (r >= 0)
        r = io_read_all(fd, PLAN_SIZE_MAX, ret_text, ret_size);
    if (r < 0 && !*ret_sentence)
        (void)text_format(ret_sentence, "%s", strerror(-r));
    return r;
}

void sentence_prefix(const char *path, char **sentence) {
    char *longer = NULL;
    if (*sentence && text_format(&longer, "%s: %s", path, *sentence) == 0) {
        free(*sentence);
        *sentence = longer;
    }
}

#include "basic/boot.h"

#include <ctype.h>
#include <fcntl.h>
#include <time.h>

#include "basic/cleanup.h"
#include "basic/io.h"

int boot_id_read(char ret[static 33]) {
    _cleanup_free_ char *text = NULL;
    int r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL);
    if (r < 0)
        return r;
    char id[33];
    int used = 0;
    for (const char *from = text; *from && *from != '\n'; from++) {
        if (*from == '-')
            continue;
        if (used == 32 || !isxdigit((unsigned char)*from))
            return -EBADMSG;
        id[used++] = *from;
    }
    if (used != 32)
        return -EBADMSG;
    id[32] = 0;
    for (int i = 0; i <= 32; i++)
        ret[i] = id[i];
    return 0;
}

uint64_t realtime_usec(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

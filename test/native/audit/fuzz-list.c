/* libFuzzer target, and with plan's fuzz-replay.c an ordinary test: whatever the bytes of a digest list, reading ends, and what
 * is expected of the paths it names can be asked for. To fuzz:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -std=gnu17 -Inative test/native/audit/fuzz-list.c \
 *     native/audit/expected.c native/layer/{beneath,list}.c native/basic/[a-z]*.c -o fuzz
 *   ./fuzz -max_len=4096 CORPUS test/native/audit/corpus
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/expected.h"
#include "basic/cleanup.h"
#include "basic/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expectations_check(const struct Expectations *expectations) {
    if (expectations->alive_count > expectations->path_count)
        abort();
    for (size_t i = 0; i < expectations->path_count; i++) {
        const struct Expected *expected = &expectations->paths[i];
        if (expectations_find(expectations, expected->line.path) != (expected->alive ? expected : NULL))
            abort();
        bool current;
        if (expected->alive && expected->line.type == 'h')
            (void)expectations_origin(expectations, &expected->line, &current);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_fd_ int fd = memfd_create("list", MFD_CLOEXEC);
    if (fd < 0 || io_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    struct Expectations expectations;
    size_t line;
    int r = expectations_read(&expectations, fd, &line);
    if (r < 0 && r != -EBADMSG)
        abort();
    if (r < 0)
        return 0;
    expectations_check(&expectations);
    expectations_free(&expectations);
    return 0;
}

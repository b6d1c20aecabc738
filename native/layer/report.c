#include "layer/report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/cleanup.h"

void report_string(FILE *file, const char *text, size_t size) {
    putc('"', file);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\')
            fprintf(file, "\\%c", byte);
        else if (byte < 0x20)
            fprintf(file, "\\u%04x", byte);
        else
            putc(byte, file);
    }
    putc('"', file);
}

static void fault_print(FILE *file, const struct Fault *fault) {
    fprintf(file, "{\"version\":1,\"ok\":false,\"kind\":\"%s\",\"text\":", fault_kind_name(fault->kind));
    report_string(file, fault->text, strlen(fault->text));
    fputs("}\n", file);
}

int report_write(int into, report_printer *print, const void *report, const struct Fault *fault) {
    _cleanup_fd_ int fd = openat(into, ".report", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    FILE *file = fdopen(fd, "w");
    if (!file)
        return -errno;
    int raw = fd_take(&fd);
    if (fault->kind == FAULT_NONE)
        print(file, report);
    else
        fault_print(file, fault);
    int r = fflush(file) != 0 || ferror(file) || fsync(raw) < 0 ? -errno : 0;
    (void)fclose(file);
    if (r == 0 && (renameat(into, ".report", into, "report") < 0 || fsync(into) < 0))
        r = -errno;
    if (r < 0)
        (void)unlinkat(into, ".report", 0);
    return r;
}

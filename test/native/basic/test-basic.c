/* Text, numbers, paths, files: what everything else stands on. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "basic/boot.h"
#include "basic/cgroup.h"
#include "basic/cleanup.h"
#include "basic/failure.h"
#include "basic/directory.h"
#include "basic/io.h"
#include "basic/notify.h"
#include "basic/path.h"
#include "basic/text.h"

static void check_printable(const char *raw, size_t size, const char *wanted) {
    char text[64] = "untouched";
    text_printable(raw, text, size);
    CHECK(strcmp(text, wanted) == 0, "\"%s\" is not \"%s\"", text, wanted);
}

static void check_text(void) {
    check_printable("plain", 64, "plain");
    check_printable("a\033[31m\nb", 64, "a\\x1b[31m\\x0ab");
    check_printable("gr\303\274n \342\202\254 \360\237\230\200", 64, "gr\303\274n \342\202\254 \360\237\230\200");
    check_printable("\377\300\200", 64, "\\xff\\xc0\\x80");               /* no UTF-8, overlong */
    check_printable("\302\233x", 64, "\\xc2\\x9bx");                       /* C1: CSI */
    check_printable("\342\200\256x", 64, "\\xe2\\x80\\xaex");               /* right-to-left override */
    check_printable("\355\240\200", 64, "\\xed\\xa0\\x80");                /* surrogate */
    check_printable("\342\202", 64, "\\xe2\\x82");                         /* cut sequence */
    check_printable("abcdef", 4, "abc");
    check_printable("a\n", 4, "a");
    check_printable("", 1, "");
}

static void check_number(const char *text, uint64_t max, int wanted, uint64_t value) {
    uint64_t number = 0;
    int r = text_to_number(text, max, &number);
    CHECK(r == wanted && number == value, "\"%s\": %d, %llu", text, r, (unsigned long long)number);
}

static void check_numbers(void) {
    check_number("0", 10, 0, 0);
    check_number("10", 10, 0, 10);
    check_number("11", 10, -ERANGE, 0);
    check_number("18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
    check_number("18446744073709551616", UINT64_MAX, -ERANGE, 0);
    for (const char *const *text = (const char *const[]){ "", "-1", "+1", " 1", "1 ", "0x1", "1e3", NULL }; *text;
         text++)
        check_number(*text, 100, -EINVAL, 0);
}

static void check_paths(void) {
    static const char *const good[] = { "/", "/a", "/a/b", "//a//b/", "/..a", "/a.", "/...", NULL };
    static const char *const bad[] = { "", "a", "./a", "/.", "/..", "/a/../b", "/a/.", "/a/..", "//./", NULL };
    for (const char *const *path = good; *path; path++)
        CHECK(path_is_safe(*path), "%s", *path);
    for (const char *const *path = bad; *path; path++)
        CHECK(!path_is_safe(*path), "%s", *path);
    _cleanup_free_ char *long_path = malloc(5000);
    memset(long_path, '/', 4999);
    long_path[4999] = 0;
    CHECK(!path_is_safe(long_path), "a path of 4999 bytes");
}

static void check_files(void) {
    char directory[] = "/tmp/gantry-test-basic-XXXXXX", deep[64];
    CHECK(mkdtemp(directory), "mkdtemp");
    (void)snprintf(deep, sizeof deep, "%s/a/b/c", directory);
    CHECK(directory_make(deep) == 0 && directory_make(deep) == 0, "%s", deep);
    _cleanup_fd_ int fd = open(deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    CHECK(file_replace(fd, "fact", "first", 0600, true) == 0 && file_replace(fd, "fact", "second", 0600, false) == 0,
          "replace");
    CHECK(file_read(fd, "fact", 6, &text, &size) == 0 && size == 6 && strcmp(text, "second") == 0, "read");
    char *other = NULL;
    CHECK(file_read(fd, "fact", 5, &other, NULL) == -EFBIG && !other, "too big");
    CHECK(file_read(fd, "none", 5, &other, NULL) == -ENOENT, "missing");
    CHECK(symlinkat("/etc/hostname", fd, "out") == 0, "symlink");
    CHECK(path_open(fd, "out", O_RDONLY, 0, RESOLVE_IN_ROOT) == -ENOENT, "a link led out");
    CHECK(path_open(fd, "out", O_RDONLY, 0, RESOLVE_NO_SYMLINKS) == -ELOOP, "a link was followed");
    (void)unlinkat(fd, "out", 0);
    CHECK(unlinkat(fd, "fact", 0) == 0, "unlink");
    for (char *slash; strlen(deep) >= strlen(directory); *slash = 0) {
        CHECK(rmdir(deep) == 0, "%s: something was left: %s", deep, strerror(errno));
        slash = strrchr(deep, '/');
    }
}

/* A whole read from a place leaves the position, one from the position goes on, and a pipe is read in its pieces. */
static void check_reads(void) {
    char text[8] = "";
    int ends[2];
    _cleanup_fd_ int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(io_write_all(file, "abcdef", 6) == 0, "write");
    CHECK(io_read_at(file, text, 3, 2) == 3 && memcmp(text, "cde", 3) == 0, "at 2: %.3s", text);
    CHECK(io_read_at(file, text, 8, 4) == 2, "to the end");
    CHECK(lseek(file, 1, SEEK_SET) == 1, "seek");
    CHECK(io_read(file, text, 2) == 2 && memcmp(text, "bc", 2) == 0, "at the position: %.2s", text);
    CHECK(io_read_at(file, text, 8, IO_CURRENT) == 3 && memcmp(text, "def", 3) == 0, "going on: %.3s", text);
    CHECK(io_read_at(-1, text, 1, 0) == -EBADF, "no file");
    CHECK(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    pid_t writer = fork();
    if (writer == 0) {
        for (const char *at = "pieces"; *at; at++)
            (void)!write(ends[1], at, 1);
        _exit(0);
    }
    close(ends[1]);
    CHECK(io_read(ends[0], text, 8) == 6 && memcmp(text, "pieces", 6) == 0, "a pipe: %.6s", text);
    close(ends[0]);
    waitpid(writer, NULL, 0);
}

static void check_removal(void) {
    char directory[] = "/tmp/gantry-test-basic-XXXXXX", outside[64], link[64];
    CHECK(mkdtemp(directory), "mkdtemp");
    (void)snprintf(outside, sizeof outside, "%s/outside/kept", directory);
    (void)snprintf(link, sizeof link, "%s/tree/a/link", directory);
    CHECK(directory_make(outside) == 0, "%s", outside);
    *strrchr(link, '/') = 0;
    CHECK(directory_make(link) == 0, "%s", link);
    link[strlen(link)] = '/';
    CHECK(symlink("../../outside", link) == 0, "symlink");
    _cleanup_fd_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *followed = NULL;
    CHECK(directory_open(fd, "tree/a/link", &followed) == -ENOTDIR && !followed, "a link was followed");
    CHECK(entry_remove(fd, "tree") == 0 && entry_remove(fd, "tree") == 0, "a tree, and none");
    CHECK(faccessat(fd, "tree", F_OK, 0) < 0 && access(outside, F_OK) == 0, "what a link leads to");
    CHECK(entry_remove(AT_FDCWD, directory) == 0 && access(directory, F_OK) < 0, "all of it");
}

static void check_notify(void) {
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0gantry-test-notify" };
    char name[sizeof address.sun_path], buffer[256] = "";
    int length = snprintf(name, sizeof name, "@gantry-test-notify-%d", (int)getpid()), fd = -1;
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    _cleanup_fd_ int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + (size_t)length)) == 0, "bind");
    (void)unsetenv("NOTIFY_SOCKET");
    CHECK(notify_connect(&fd) == -ENOENT && fd == -1, "without the variable");
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    CHECK(notify_connect(&fd) == -EINVAL, "a relative name");
    (void)setenv("NOTIFY_SOCKET", name, 1);
    CHECK(notify_connect(&fd) == 0 && !getenv("NOTIFY_SOCKET"), "connect");
    Failure failure = { .step = "exec" };
    CHECK(failure_set(&failure, EXIT_STATUS_EXEC, ENOENT, "/a\n%s", "b") == -ENOENT, "failure");
    CHECK(notify_failure(fd, &failure) == 0, "send");
    CHECK(recv(server, buffer, sizeof buffer - 1, 0) > 0, "receive");
    /* The backslash is doubled, since systemd takes one for an escape. */
    CHECK(strcmp(buffer, "STATUS=exec: /a\\\\x0ab: No such file or directory\nERRNO=2") == 0, "%s", buffer);
    CHECK(notify_barrier(fd, 10) == -ETIMEDOUT, "a barrier that nobody answers");
    fd_close(&fd);
}

static void check_cgroups(void) {
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ char *unit = NULL;
    char *text = NULL;
    CHECK(cgroup_of(0, &path) == 0 && path[0] == '/', "own control group");
    CHECK(cgroup_of(0x3fffffff, &text) == -ESRCH, "a pid that cannot be");
    CHECK(cgroup_unit("/a.slice/b.service", &unit) == 0 && strcmp(unit, "b.service") == 0, "unit");
    CHECK(cgroup_unit("/", &text) == -ENODATA, "the root is no unit");
    CHECK(cgroup_sibling("/a.slice/b.service", "c.service", &text) == 0 && strcmp(text, "/a.slice/c.service") == 0,
          "sibling");
    free(text);
    int fd;
    CHECK(cgroup_pin_init(path, getpid(), &fd) == -ESRCH, "a process that is no pod's init");
}

int main(void) {
    char boot[33];
    check_text();
    check_numbers();
    check_paths();
    check_files();
    check_reads();
    check_removal();
    check_notify();
    check_cgroups();
    CHECK(boot_id_read(boot) == 0 && strspn(boot, "0123456789abcdef") == 32, "boot id");
    CHECK(realtime_usec() > UINT64_C(1700000000000000), "clock");
    return checks_failed != 0;
}

/* The app of the start-up measurements: writes the monotonic time of its start, in nanoseconds, into the file it is
   given. Linked statically, so that no loader runs before main. */

#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    if (argc != 2)
        return 2;
    int64_t nanoseconds = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return 1;
    /* One write of eight bytes: whoever polls the file sees none or all of them. */
    return write(fd, &nanoseconds, sizeof nanoseconds) == sizeof nanoseconds ? 0 : 1;
}

#include "loss.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void loss_note(Loss *loss, int fd, int result) {
    if (result < 0 && result != -EAGAIN && result != -EPIPE && loss->error == 0)
        *loss = (Loss){ fd, -result };
}

int loss_tell(const Loss *loss, int status) {
    if (loss->error == 0)
        return status;
    fprintf(stderr, "gantry: standard %s: %s\n", loss->fd == STDERR_FILENO ? "error" : "output", strerror(loss->error));
    return status ? status : 125;
}

int loss_of_stdout(int status, int own) {
    errno = EIO; /* of an earlier write the stream remembers only that it failed */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "gantry: standard output: %s\n", strerror(errno));
    return status ? status : own;
}

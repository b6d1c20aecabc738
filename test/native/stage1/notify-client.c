/* An app that notifies: notify-client MESSAGE... [-- PROGRAM ARGS...]. Each message is one datagram to $NOTIFY_SOCKET,
 * "barrier" is BARRIER=1 awaited; \n in a message is a new line. Exits 1 at the first failure. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "basic/notify.h"

static void lines_unescape(char *text) {
    for (char *mark; (mark = strstr(text, "\\n"));) {
        *mark = '\n';
        memmove(mark + 1, mark + 2, strlen(mark + 2) + 1);
    }
}

int main(int argc, char **argv) {
    int fd, i;
    if (notify_connect(&fd) < 0)
        return 1;
    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        lines_unescape(argv[i]);
        int r = strcmp(argv[i], "barrier") == 0 ? notify_barrier(fd, 60000) : notify_send(fd, argv[i]);
        if (r < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
            return 1;
        }
    }
    if (i + 1 < argc)
        (void)execvp(argv[i + 1], argv + i + 1);
    return 0;
}

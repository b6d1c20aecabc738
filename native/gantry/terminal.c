#include "terminal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

int terminal_raw(Terminal *terminal) {
    struct termios raw;
    if (terminal->raw)
        return 0;
    if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
        return -errno;
    raw = terminal->before;
    cfmakeraw(&raw);
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
        return -errno;
    terminal->raw = true;
    return 0;
}

void terminal_restore(Terminal *terminal) {
    if (terminal->raw)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    terminal->raw = false;
}

int terminal_size(uint16_t *ret_rows, uint16_t *ret_columns) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return -errno;
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
    return 0;
}

/* The caller's terminal. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

typedef struct Terminal {
    bool raw;
    struct termios before;
} Terminal;

/* Puts stdin into raw mode; -ENOTTY if it is no terminal. */
int terminal_raw(Terminal *terminal);

/* Puts it back; does nothing if it never was raw. */
void terminal_restore(Terminal *terminal);

/* Rows and columns of the terminal on stdout or stdin. */
int terminal_size(uint16_t *ret_rows, uint16_t *ret_columns);

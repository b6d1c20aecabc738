/* What should have been said on the front's own stdout or stderr, and could not be. */
#pragma once

typedef struct Loss {
    int fd;
    int error; /* positive errno of the first; 0: nothing is lost */
} Loss;

/* Remembers what writing to `fd` came to, 0 or -errno. That it must wait, or that nobody reads any more, is no loss. */
void loss_note(Loss *loss, int fd, int result);

/* Says what is lost, if anything is. Returns `status`, or then 125 in place of 0. */
int loss_tell(const Loss *loss, int status);

/* The same for what was printed with stdio: returns `status`, or `own` in place of 0. */
int loss_of_stdout(int status, int own);

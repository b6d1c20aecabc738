/* Prints "<real uid> <effective uid>". busybox gives up what a setuid bit gave it before it does anything. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    printf("%u %u\n", getuid(), geteuid());
    return 0;
}

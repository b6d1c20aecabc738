#include "basic/process.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t process_clone(uint64_t flags, int exit_signal) {
    struct clone_args arguments = { .flags = flags, .exit_signal = (uint64_t)exit_signal };
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid < 0 ? -errno : (pid_t)pid;
}

#include "confine/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(number) (UINT64_C(1) << (number))

/* A kernel older than the plan's writer may lack the newest capabilities; nobody can hold those. */
static uint64_t capability_known(void) {
    int last = CAP_LAST_CAP;
    while (last > 0 && prctl(PR_CAPBSET_READ, last, 0, 0, 0) < 0)
        last--;
    while (last < 62 && prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0) >= 0)
        last++;
    return BIT(last + 1) - 1;
}

int capability_bound(uint64_t mask, Failure *failure) {
    uint64_t known = capability_known();
    for (int number = 0; number < 64 && (known & BIT(number)); number++)
        if (!(mask & BIT(number)) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
            return failure_set(failure, EXIT_STATUS_CAPABILITIES, errno, "bounding set, capability %d", number);
    return 0;
}

static int ambient_set(uint64_t mask, Failure *failure) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return failure_set(failure, EXIT_STATUS_CAPABILITIES, errno, "ambient set");
    for (int number = 0; number < 64; number++)
        if ((mask & BIT(number)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0)
            return failure_set(failure, EXIT_STATUS_CAPABILITIES, errno, "ambient set, capability %d", number);
    return 0;
}

int capability_set(const CapabilityPlan *sets, bool privileged, Failure *failure) {
    uint64_t known = capability_known(), admin = privileged ? BIT(CAP_SYS_ADMIN) : 0;
    uint64_t effective = (sets->effective & known) | admin, permitted = (sets->permitted & known) | admin;
    uint64_t inheritable = sets->inheritable & known;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = {
        { (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
        { (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
    };
    if (syscall(SYS_capset, &header, data) < 0)
        return failure_set(failure, EXIT_STATUS_CAPABILITIES, errno, "capability sets");
    return ambient_set(sets->ambient & known, failure);
}

int capability_raise(void) {
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (int half = 0; half < 2; half++)
        data[half].effective = data[half].permitted;
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

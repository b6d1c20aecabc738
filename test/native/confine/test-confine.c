/* User databases as images write them, and filters as the kernel runs them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "confine/confine.h"
#include "confine/program.h"

static char root_path[] = "/tmp/gantry-test-confine-XXXXXX";
static int root = -1;

static void file_put(const char *name, const char *text) {
    _cleanup_fd_ int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && io_write_all(fd, text, strlen(text)) == 0, "%s: %s", name, strerror(errno));
}

static LaunchPlan plan_of(UserRules rules, const char *user, const char *group) {
    return (LaunchPlan){
        .has_user = true,
        .user_rules = rules,
        .user = user,
        .group = group,
        .userns = { .mode = USERNS_POD, .base = 65536, .size = 65536 },
    };
}

static void check_user(UserRules rules, const char *user, const char *group, uid_t uid, gid_t gid, size_t groups,
                       const char *home) {
    LaunchPlan plan = plan_of(rules, user, group);
    Credentials found = { 0 };
    Failure failure = { 0 };
    int r = credentials_resolve(&plan, root, &found, &failure);
    CHECK(r == 0, "%s:%s: %s", user, group, failure.text);
    if (r < 0)
        return;
    CHECK(found.uid == uid && found.gid == gid && found.n_groups == groups && strcmp(found.home, home) == 0,
          "%s:%s: uid %u gid %u, %zu groups, home %s", user, group, found.uid, found.gid, found.n_groups, found.home);
    credentials_done(&found);
}

static void check_no_user(UserRules rules, const char *user, const char *group, int status, const char *words) {
    LaunchPlan plan = plan_of(rules, user, group);
    Credentials found = { 0 };
    Failure failure = { 0 };
    int r = credentials_resolve(&plan, root, &found, &failure);
    CHECK(r < 0 && failure.status == status && strstr(failure.text, words), "%s:%s: %d, status %d, \"%s\"", user, group,
          r, failure.status, failure.text);
    if (r >= 0)
        credentials_done(&found);
}

static void check_users(void) {
    check_user(USER_RULES_OCI, "", "", 0, 0, 1, "/"); /* no database at all */
    check_no_user(USER_RULES_OCI, "www", "", EXIT_STATUS_USER, "user \"www\"");
    file_put("etc/passwd",
             "# comment\n\n:x:1:1::/:\nbroken\nshort:x:7:8\nnumber:x:x:1::/:\nwww:x:33:34::/srv/www:/bin/sh\n"
             "www:x:1:1::/second:\nrelative:x:40:40::srv:\n500:x:501:502::/five:\nhuge:x:4294967295:0::/"
             ":\nlast:x:60:61::/last");
    file_put("etc/group", "root:x:0:\nweb:x:34:\nlog:x:4:other,www\nno:x:9:wwwx,xwww\nbad:x::www\nend:x:77:www");
    check_user(USER_RULES_OCI, "www", "", 33, 34, 3, "/srv/www"); /* 34, 4, 77 */
    check_user(USER_RULES_APPC, "www", "web", 33, 34, 1, "/srv/www");
    check_user(USER_RULES_OCI, "short", "", 7, 8, 1, "/");
    check_user(USER_RULES_OCI, "relative", "", 40, 40, 1, "/");
    check_user(USER_RULES_OCI, "last", "", 60, 61, 1, "/last");
    check_user(USER_RULES_OCI, "500", "", 501, 502, 1, "/five"); /* a name wins over the number */
    check_user(USER_RULES_OCI, "33:", "", 33, 34, 1, "/srv/www");
    check_user(USER_RULES_OCI, "33:77", "", 33, 77, 1, "/srv/www");
    check_no_user(USER_RULES_OCI, "huge", "", EXIT_STATUS_USER, "user \"huge\"");
    check_no_user(USER_RULES_OCI, "number", "", EXIT_STATUS_USER, "user \"number\"");
    check_no_user(USER_RULES_OCI, "a\033b", "", EXIT_STATUS_USER, "a\\x1bb");
    check_no_user(USER_RULES_OCI, "www:bad", "", EXIT_STATUS_GROUP, "group \"bad\"");
    check_no_user(USER_RULES_OCI, "65536", "", EXIT_STATUS_USER, "outside of the pod's");
    check_no_user(USER_RULES_OCI, "0:70000", "", EXIT_STATUS_GROUP, "outside of the pod's");
    check_no_user(USER_RULES_APPC, "/none", "0", EXIT_STATUS_USER, "owner of /none");
    check_no_user(USER_RULES_APPC, "/etc", "0", EXIT_STATUS_USER, "no place in the pod"); /* owned by the host's root */
    CHECK(fchownat(root, "etc/group", 65536 + 33, 65536 + 34, 0) == 0, "chown");
    check_user(USER_RULES_APPC, "/etc/group", "/etc/group", 33, 34, 1, "/srv/www");
}

/* The image may put anything where a database is looked for. */
static void check_strange_databases(void) {
    (void)unlinkat(root, "etc/passwd", 0);
    CHECK(symlinkat("/../../../../usr/lib/os-release", root, "etc/passwd") == 0, "symlink to the host");
    check_user(USER_RULES_OCI, "0", "", 0, 0, 1, "/");
    (void)unlinkat(root, "etc/passwd", 0);
    CHECK(symlinkat("passwd", root, "etc/passwd") == 0, "symlink to itself");
    check_no_user(USER_RULES_OCI, "0", "", EXIT_STATUS_USER, "the image's /etc/passwd");
    (void)unlinkat(root, "etc/passwd", 0);
    CHECK(mkfifoat(root, "etc/passwd", 0644) == 0, "fifo");
    check_no_user(USER_RULES_OCI, "0", "", EXIT_STATUS_USER, "the image's /etc/passwd");
    (void)unlinkat(root, "etc/passwd", 0);
    CHECK(mkdirat(root, "etc/passwd", 0755) == 0, "directory");
    check_no_user(USER_RULES_OCI, "0", "", EXIT_STATUS_USER, "the image's /etc/passwd");
    (void)unlinkat(root, "etc/passwd", AT_REMOVEDIR);
    _cleanup_fd_ int large = openat(root, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CHECK(ftruncate(large, 100 << 20) == 0, "truncate");
    check_no_user(USER_RULES_OCI, "0", "", EXIT_STATUS_USER, "File too large");
    (void)unlinkat(root, "etc/passwd", 0);
}

static void check_environment(void) {
    const char *given[] = { "A=1", "TERM=x", "HOMER=y" };
    TextList list = { given, 3 };
    char **environment = environment_make(&list, "/home/www", &(TextList){ (const char *[]){ "TERM=linux", "B=2" }, 2 });
    const char *wanted[] = { "A=1", "HOMER=y", "HOME=/home/www", "TERM=linux", "B=2" };
    for (size_t i = 0; i < 5; i++)
        CHECK(environment[i] && strcmp(environment[i], wanted[i]) == 0, "%zu: %s", i,
              environment[i] ? environment[i] : "(end)");
    CHECK(!environment[5], "too long");
    environment_free(environment);
    const char *home[] = { "HOME=/own" };
    environment = environment_make(&(TextList){ home, 1 }, "/other", &(TextList){});
    CHECK(strcmp(environment[0], "HOME=/own") == 0 && !environment[1], "HOME of its own");
    environment_free(environment);
}

/* Runs `body` in a child under the plan's filter; it returns 0 when all is well. */
static void check_filtered(const char *name, LaunchPlan *plan, int (*body)(void)) {
    SeccompFilter filter;
    Failure failure = { 0 };
    int r = seccomp_filter_make(plan, &filter, &failure), status = -1;
    CHECK(r == 0, "%s: %s", name, failure.text);
    if (r < 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        _exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_filter_install(&filter, &failure) < 0 ? 100
                                                                                                          : body());
    (void)waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: wait status %x", name, status);
    seccomp_filter_done(&filter);
}

#define WORKS(call)                                                                                            \
    do {                                                                                                       \
        if ((call) < 0)                                                                                        \
            return __LINE__ % 99 + 1;                                                                          \
    } while (0)

static int default_body(void) {
    WORKS(socket(AF_UNIX, SOCK_STREAM, 0));
    WORKS(getpid());
    EXPECT(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
    EXPECT(socket(AF_ALG, SOCK_SEQPACKET, 0), EAFNOSUPPORT);
    EXPECT(unshare(CLONE_NEWNS), EPERM);
    EXPECT(unshare(CLONE_NEWUSER), EPERM);
    EXPECT(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
    EXPECT(syscall(SYS_bpf, 0, 0, 0), EPERM);
    EXPECT(syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0), ENOSYS);
    EXPECT(syscall(SYS_clone3, 0, 0), ENOSYS);
    EXPECT(syscall(SYS_io_uring_setup, 1, 0), ENOSYS);
    EXPECT(syscall(4242, 0), ENOSYS); /* a call of the future */
    EXPECT(personality(ADDR_NO_RANDOMIZE), ENOSYS);
    WORKS(personality(0xffffffff));
    pid_t pid = fork();
    WORKS(pid);
    if (pid == 0)
        _exit(0);
    WORKS(waitpid(pid, NULL, 0));
    return 0;
}

static int no_chroot_body(void) {
    EXPECT(chroot("/"), EPERM);
    return default_body();
}

static int chroot_body(void) {
    WORKS(chroot("/"));
    return default_body();
}

static int admin_body(void) {
    EXPECT(unshare(-1), EINVAL); /* the kernel's own answer: it got through */
    EXPECT(syscall(SYS_clone3, 0, 0), EINVAL);
    EXPECT(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
    return 0;
}

static void check_filters(void) {
    LaunchPlan plan = { .seccomp = SECCOMP_PLAN_DEFAULT };
    check_filtered("default without capabilities", &plan, no_chroot_body);
    plan.process.capabilities.bounding = UINT64_C(1) << CAP_SYS_CHROOT | UINT64_C(1) << CAP_KILL;
    check_filtered("default with CAP_SYS_CHROOT", &plan, chroot_body);
    plan.process.capabilities.bounding = UINT64_C(1) << CAP_SYS_ADMIN;
    check_filtered("default with CAP_SYS_ADMIN", &plan, admin_body);
}

int main(void) {
    if (geteuid() != 0)
        return 77; /* skipped: owners of files are what this is about */
    CHECK(mkdtemp(root_path), "mkdtemp");
    root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(mkdirat(root, "etc", 0755) == 0, "etc");
    check_users();
    check_strange_databases();
    check_environment();
    check_filters();
    (void)unlinkat(root, "etc/group", 0);
    (void)unlinkat(root, "etc", AT_REMOVEDIR);
    (void)rmdir(root_path);
    return checks_failed != 0;
}

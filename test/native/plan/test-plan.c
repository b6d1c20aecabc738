/* Replays the golden plans (test/golden/plans): each valid one is read, each invalid one is refused with the text its
 * .error file has. Argument: that directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "plan/plan.h"

static int plan_parse(const char *name, const char *text, size_t size, char **ret_sentence) {
    if (text_starts_with(name, "sandbox-")) {
        _cleanup_sandbox_plan_ SandboxPlan *plan = NULL;
        return sandbox_plan_parse(text, size, &plan, ret_sentence);
    }
    _cleanup_launch_plan_ LaunchPlan *plan = NULL;
    return launch_plan_parse(text, size, &plan, ret_sentence);
}

static void check_valid(int directory, const char *name) {
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ char *sentence = NULL;
    size_t size;
    CHECK(file_read(directory, name, 1 << 20, &text, &size) == 0, "%s: unreadable", name);
    CHECK(plan_parse(name, text, size, &sentence) == 0, "%s: refused: %s", name, sentence ? sentence : "(no sentence)");
}

static void check_invalid(int directory, const char *name) {
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ char *wanted = NULL;
    _cleanup_free_ char *sentence = NULL;
    char error[256];
    size_t size;
    (void)snprintf(error, sizeof error, "%.*s.error", (int)(strlen(name) - strlen(".json")), name);
    if (file_read(directory, name, 1 << 20, &text, &size) < 0 || file_read(directory, error, 4096, &wanted, NULL) < 0) {
        CHECK(false, "%s: unreadable", name);
        return;
    }
    wanted[strcspn(wanted, "\n")] = 0;
    CHECK(plan_parse(name, text, size, &sentence) == -EBADMSG, "%s: accepted", name);
    CHECK(sentence && strstr(sentence, wanted), "%s: \"%s\" is not in \"%s\"", name, wanted, sentence ? sentence : "");
}

static unsigned replay(const char *root, const char *kind, void (*check)(int, const char *)) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", root, kind);
    _cleanup_dir_ DIR *directory = opendir(path);
    unsigned count = 0;
    CHECK(directory, "%s: %s", path, strerror(errno));
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!text_ends_with(entry->d_name, ".json"))
            continue;
        check(dirfd(directory), entry->d_name);
        count++;
    }
    return count;
}

/* What a plan says arrives in the struct. */
static void check_values(const char *root) {
    char path[4096];
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ char *sentence = NULL;
    _cleanup_launch_plan_ LaunchPlan *plan = NULL;
    size_t size;
    (void)snprintf(path, sizeof path, "%s/valid/launch-full.json", root);
    CHECK(file_read(AT_FDCWD, path, 1 << 20, &text, &size) == 0, "%s", path);
    CHECK(launch_plan_parse(text, size, &plan, &sentence) == 0, "%s", sentence ? sentence : "");
    if (!plan)
        return;
    CHECK(strcmp(plan->app, "front") == 0 && strcmp(plan->pod, "web") == 0, "names");
    CHECK(plan->userns.base == 1879048192 && plan->userns.size == 65536, "userns");
    CHECK(plan->process.args.count == 3 && strcmp(plan->process.args.items[2], "60") == 0, "args");
    CHECK(plan->process.capabilities.bounding == 1U << 5 && plan->process.capabilities.effective == 0, "capabilities");
    CHECK(plan->process.n_rlimits == 1 && plan->process.rlimits[0].hard == 524288, "rlimits");
    CHECK(plan->process.no_new_privileges && plan->process.has_oom_score_adj, "flags");
    CHECK(plan->process.user.umask == 022, "umask");
    CHECK(plan->n_mounts == 3 && plan->mounts[1].type == MOUNT_BIND, "mounts");
    CHECK(plan->mounts[1].options ==
              (MOUNT_OPTION_RBIND | MOUNT_OPTION_NOSUID | MOUNT_OPTION_NODEV | MOUNT_OPTION_IDMAP),
          "options");
    CHECK(plan->mounts[2].options & MOUNT_OPTION_COPY, "copy");
    CHECK(plan->has_user && plan->user_rules == USER_RULES_OCI && strcmp(plan->user, "www-data") == 0, "user");
}

static void write_file(const char *path, const char *text, mode_t mode) {
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && io_write_all(fd, text, strlen(text)) == 0 && fchmod(fd, mode) == 0, "%s: %s", path,
          strerror(errno));
}

static void check_load(const char *path, int wanted, const char *words) {
    _cleanup_launch_plan_ LaunchPlan *plan = NULL;
    _cleanup_free_ char *sentence = NULL;
    int r = launch_plan_load(path, &plan, &sentence);
    CHECK(r == wanted, "%s: %d, not %d", path, r, wanted);
    CHECK(sentence && strstr(sentence, path) && strstr(sentence, words), "%s: %s", path,
          sentence ? sentence : "(none)");
}

/* Only root's own regular file of a bounded size is read. */
static void check_files(void) {
    char directory[] = "/tmp/gantry-test-plan-XXXXXX", path[64], other[64];
    CHECK(mkdtemp(directory), "mkdtemp");
    (void)snprintf(path, sizeof path, "%s/plan.json", directory);
    (void)snprintf(other, sizeof other, "%s/other", directory);
    write_file(path, "{}", 0600);
    check_load(path, -EBADMSG, "missing");
    write_file(path, "{}", 0620);
    check_load(path, -EPERM, "writable");
    write_file(path, "{}", 0602);
    check_load(path, -EPERM, "writable");
    write_file(path, "{}", 0600);
    CHECK(geteuid() != 0 || chown(path, 1, 0) == 0, "chown");
    if (geteuid() == 0)
        check_load(path, -EPERM, "not owned by root");
    (void)unlink(path);
    CHECK(symlink("/etc/hostname", path) == 0, "symlink");
    check_load(path, -ELOOP, strerror(ELOOP));
    (void)unlink(path);
    CHECK(mkfifo(path, 0600) == 0, "mkfifo");
    check_load(path, -EPERM, "regular");
    (void)unlink(path);
    check_load(path, -ENOENT, strerror(ENOENT));
    char *large = malloc((1 << 20) + 2);
    memset(large, ' ', (1 << 20) + 1);
    large[(1 << 20) + 1] = 0;
    write_file(path, large, 0600);
    check_load(path, -EFBIG, strerror(EFBIG));
    free(large);
    (void)unlink(path);
    (void)rmdir(directory);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    CHECK(replay(argv[1], "valid", check_valid) >= 8, "too few valid plans");
    CHECK(replay(argv[1], "invalid", check_invalid) >= 60, "too few invalid plans");
    check_values(argv[1]);
    check_files();
    return checks_failed != 0;
}

#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/path.h"
#include "basic/text.h"
#include "confine/confine.h"
#include "confine/executable.h"
#include "enter.h"
#include "pod.h"
#include "session.h"
#include "target.h"
#include "units.h"

#define TTY_GROUP 5U /* as stage1 mounts devpts */
#define TERM_MAX 64

typedef struct Exec {
    const char *pod;
    const char *app;
    const char *user;
    bool interactive;
    bool terminal;
    bool auto_terminal; /* neither -i nor -t was given */
    TextList command;
    char *directory;
    LaunchPlan *plan;
    UnitSet units;
    Target target;
    Confinement confinement;
    Session session;
} Exec;

enum { STATUS_USAGE = 2, STATUS_NOT_RUNNING = 3, STATUS_ABSENT = 4, STATUS_ACCESS = 6, STATUS_OWN = 125 };

static int arguments_read(Exec *exec, char **arguments);
static int option_read(Exec *exec, char ***at);
static int pod_choose(Exec *exec, const char *state);
static int app_choose(Exec *exec);
static int apps_tell(const Exec *exec, char **names, size_t count);
static int plan_read(Exec *exec);
static int app_join(Exec *exec);
static int terminal_open(const Exec *exec, int *ret_master, int *ret_slave, Failure *failure);
static int multiplexer_open(int root);
static int failure_tell(const Exec *exec, const Failure *failure);
static int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void exec_done(Exec *exec);

int exec_verb(const char *state, char **arguments, char **argv) {
    static const char *shell[] = { "/bin/sh" };
    Exec exec = {
        .auto_terminal = true,
        .command = { .items = shell, .count = 1 },
        .target = { .pidfd = -1, .root = -1, .userns = -1, .unified = -1 },
        .confinement = { .userns_fd = -1 },
        .session = { .child = { -1, -1, -1 }, .master = -1, .input = -1, .output = { -1, -1 } },
    };
    int status = arguments_read(&exec, arguments);
    if (!status && geteuid() != 0)
        status = complain(STATUS_ACCESS, "exec needs root; sudo gantry exec …");
    if (!status)
        status = pod_choose(&exec, state);
    if (!status)
        status = plan_read(&exec);
    if (!status && exec.plan->userns.mode == USERNS_HOST) {
        int r = executable_protect("gantry (read-only)", argv);
        if (r < 0)
            status = complain(STATUS_OWN, "executing a read-only /proc/self/exe: %s", strerror(-r));
    }
    if (!status)
        status = app_join(&exec);
    exec_done(&exec);
    return status;
}

static int arguments_read(Exec *exec, char **arguments) {
    char **at = arguments;
    while (*at && (*at)[0] == '-') {
        if (strcmp(*at, "--") == 0) {
            at++;
            break;
        }
        int status = option_read(exec, &at);
        if (status)
            return status;
    }
    if (!*at)
        return complain(STATUS_USAGE, "exec: which pod? gantry exec [--app=NAME] POD [COMMAND [ARG…]]");
    exec->pod = *at++;
    if (*at && strcmp(*at, "--") == 0)
        at++;
    size_t count = 0;
    while (at[count])
        count++;
    if (count > 0)
        exec->command = (TextList){ .items = (const char **)at, .count = count };
    if (exec->auto_terminal)
        exec->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    return 0;
}

static int option_read(Exec *exec, char ***at) {
    char *word = *(*at)++;
    const struct {
        const char *name;
        const char **value;
    } valued[] = { { "--app", &exec->app }, { "--user", &exec->user } };
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++) {
        size_t length = strlen(valued[i].name);
        if (strncmp(word, valued[i].name, length) != 0 || (word[length] != '=' && word[length] != '\0'))
            continue;
        *valued[i].value = word[length] == '=' ? word + length + 1 : **at;
        if (!*valued[i].value)
            return complain(STATUS_USAGE, "exec: %s needs a value", word);
        *at += word[length] == '\0';
        return 0;
    }
    bool letters = word[1] != '-' && word[1] != '\0' && word[1 + strspn(word + 1, "it")] == '\0';
    exec->interactive |= strcmp(word, "--interactive") == 0 || (letters && strchr(word, 'i'));
    exec->terminal |= strcmp(word, "--tty") == 0 || (letters && strchr(word, 't'));
    if (!letters && strcmp(word, "--interactive") != 0 && strcmp(word, "--tty") != 0)
        return complain(STATUS_USAGE, "exec: unknown option \"%s\"", word);
    exec->auto_terminal = false;
    return 0;
}

static int pod_choose(Exec *exec, const char *state) {
    int r = pod_find(state, exec->pod, &exec->directory);
    if (r == -ENOENT)
        return complain(STATUS_ABSENT, "no such pod: \"%s\"", exec->pod);
    if (r == -ENOTUNIQ)
        return complain(STATUS_USAGE, "several pods begin with \"%s\"; give more digits", exec->pod);
    if (r < 0)
        return complain(STATUS_OWN, "%s: %s", state, strerror(-r));
    return app_choose(exec);
}

static int app_choose(Exec *exec) {
    char **names = NULL;
    size_t count = 0;
    int status = 0, r = pod_apps(exec->directory, &names, &count);
    if (r < 0)
        return complain(STATUS_OWN, "%s/apps: %s", exec->directory, strerror(-r));
    bool found = !exec->app && count == 1;
    for (size_t i = 0; exec->app && i < count; i++)
        found = found || strcmp(names[i], exec->app) == 0;
    if (!exec->app && count > 1)
        status = apps_tell(exec, names, count);
    else if (!found)
        status = complain(STATUS_ABSENT, "pod \"%s\" has no app \"%s\"", exec->pod, exec->app ? exec->app : "");
    else if (!exec->app && !(exec->app = strdup(names[0])))
        status = complain(STATUS_OWN, "%s", strerror(ENOMEM));
    pod_apps_free(names, count);
    return status;
}

static int apps_tell(const Exec *exec, char **names, size_t count) {
    fprintf(stderr, "gantry: pod \"%s\" has several apps:", exec->pod);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", names[i]);
    fputs("; choose one with --app=NAME\n", stderr);
    return STATUS_USAGE;
}

static int plan_read(Exec *exec) {
    _cleanup_free_ char *path = NULL, *sentence = NULL;
    int r = text_format(&path, "%s/apps/%s/plan.json", exec->directory, exec->app);
    if (r >= 0)
        r = launch_plan_load(path, &exec->plan, &sentence);
    if (r >= 0)
        r = unit_set_load(exec->directory, &exec->units, &sentence);
    if (r < 0)
        return complain(STATUS_OWN, "%s", sentence ? sentence : strerror(-r));
    if (!exec->user)
        return 0;
    exec->plan->has_user = true;
    exec->plan->user_rules = USER_RULES_OCI;
    exec->plan->user = exec->user;
    exec->plan->group = "";
    return 0;
}

static const char *app_unit(const Exec *exec) {
    for (size_t i = 0; i < exec->units.n_apps; i++)
        if (strcmp(exec->units.apps[i].name, exec->app) == 0)
            return exec->units.apps[i].unit;
    return "";
}

static int app_join(Exec *exec) {
    Failure failure = { 0 };
    char term[TERM_MAX] = "TERM=xterm";
    _cleanup_fd_ int slave = -1;
    pid_t pid;
    const char *own_term = getenv("TERM");
    if (own_term && strlen(own_term) < TERM_MAX - strlen("TERM="))
        (void)snprintf(term, sizeof term, "TERM=%s", own_term);
    int r = target_find(exec->plan, app_unit(exec), &exec->target, &failure);
    if (r < 0 && failure.error == ESRCH)
        return complain(STATUS_NOT_RUNNING, "pod \"%s\", app \"%s\": not running", exec->pod, exec->app);
    (void)prctl(PR_SET_DUMPABLE, 0); /* inherited by the process that enters; nothing in the pod may look into it */
    if (r >= 0)
        r = keyring_join(&failure);
    if (r >= 0)
        r = oom_score_set(&exec->plan->process, &failure);
    if (r >= 0)
        r = confinement_prepare(exec->plan, exec->target.root, exec->target.userns, &exec->confinement, &failure);
    if (r >= 0 && exec->terminal)
        r = terminal_open(exec, &exec->session.master, &slave, &failure);
    if (r >= 0) {
        const SessionOptions options = {
            .master = exec->session.master,
            .terminal = slave,
            .interactive = exec->interactive,
            .shared_ids = exec->plan->userns.mode == USERNS_HOST,
        };
        r = session_open(&options, &exec->session);
        if (r < 0)
            (void)failure_set(&failure, 0, -r, "standard streams");
    }
    if (r < 0)
        return failure_tell(exec, &failure);
    fd_close(&slave);
    Enter enter = {
        .plan = exec->plan,
        .target = &exec->target,
        .confinement = &exec->confinement,
        .command = &exec->command,
        .term = exec->terminal ? term : NULL,
        .stdio = { exec->session.child[0], exec->session.child[1], exec->session.child[2] },
        .terminal = exec->terminal,
    };
    r = enter_start(&enter, &pid, &failure);
    session_started(&exec->session);
    return r < 0 ? failure_tell(exec, &failure) : session_run(&exec->session, pid);
}

/* A pty of the app's own devpts, owned by the user the command runs as. */
static int terminal_open(const Exec *exec, int *ret_master, int *ret_slave, Failure *failure) {
    uid_t base = exec->plan->userns.base;
    int unlocked = 0;
    _cleanup_fd_ int master = multiplexer_open(exec->target.root);
    if (master < 0)
        return failure_set(failure, 0, -master, "/dev/pts/ptmx of the app");
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
        return failure_set(failure, 0, errno, "terminal");
    _cleanup_fd_ int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || fchown(slave, base + exec->confinement.credentials.uid, base + TTY_GROUP) < 0 ||
        fchmod(slave, 0620) < 0)
        return failure_set(failure, 0, errno, "terminal");
    *ret_master = fd_take(&master);
    *ret_slave = fd_take(&slave);
    return 0;
}

/* The app may have put anything there: looked at before it is opened for more than looking. */
static int multiplexer_open(int root) {
    char path[64];
    struct stat node;
    struct statfs where;
    _cleanup_fd_ int found = path_open(root, "/dev/pts/ptmx", O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (found < 0)
        return found;
    if (fstat(found, &node) < 0 || fstatfs(found, &where) < 0)
        return -errno;
    if (where.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(node.st_mode) || node.st_rdev != makedev(5, 2))
        return -ENODEV;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", found);
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* As shells tell it: 127 for a missing program, 126 for one that can't be executed. */
static int failure_tell(const Exec *exec, const Failure *failure) {
    int status = STATUS_OWN;
    if (failure->status == EXIT_STATUS_EXEC)
        status = failure->error == ENOENT ? 127 : 126;
    return complain(status, "pod \"%s\", app \"%s\": %s", exec->pod, exec->app, failure->text);
}

static int complain(int status, const char *format, ...) {
    char raw[2048], text[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    text_printable(raw, text, sizeof text);
    fprintf(stderr, "gantry: %s\n", text);
    return status;
}

static void exec_done(Exec *exec) {
    session_done(&exec->session);
    fd_close(&exec->session.master);
    confinement_done(&exec->confinement);
    target_done(&exec->target);
    unit_set_done(&exec->units);
    exec->plan = launch_plan_free(exec->plan);
    free(exec->directory);
}

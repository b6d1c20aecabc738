/*
 * gantry-record: what an app's or a pod's end leaves on disk, as the unit's ExecStopPost= (systemd.service(5) gives
 * the facts in $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS). docs/launch-plan.md, "Exit facts".
 *
 *   gantry-record app APP STATUS_DIRECTORY SOCKET [UNIT]
 *   gantry-record pod POD_DIRECTORY [FAILURE_FILE]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/notify.h"
#include "basic/text.h"
#include "drain.h"
#include "fact.h"

#define SENTENCE_MAX 4096

static int app_record(char **arguments, const char *unit);
static int pod_record(const char *directory, const char *failure);
static void failure_tell(const char *path);
static int complain(const char *directory, const char *name, int error);
static int unit_stop(const char *unit);

int main(int argc, char **argv) {
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "app") == 0)
        return app_record(argv + 2, argv[5]);
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "pod") == 0)
        return pod_record(argv[2], argv[3]);
    fputs("Usage: gantry-record app APP STATUS_DIRECTORY SOCKET [UNIT]\n"
          "       gantry-record pod POD_DIRECTORY [FAILURE_FILE]\n", stderr);
    return 64;
}

/* The fact first: whatever happens to the output, the status is on disk before anybody hears of the end. */
static int app_record(char **arguments, const char *unit) {
    const char *app = arguments[0], *directory = arguments[1], *socket = arguments[2];
    Fact fact;
    fact_read(&fact);
    int r = fact_write_exit(directory, &fact);
    int status = r < 0 ? complain(directory, "exit", r) : 0;
    r = drain_app(socket, app, STDOUT_FILENO, STDERR_FILENO);
    if (r < 0 && r != -ENOENT && r != -ECONNREFUSED) /* those: the sandbox is gone, and what it held with it */
        status = complain(socket, app, r);
    if (unit && strcmp(fact.result, "success") != 0)
        return unit_stop(unit);
    return status;
}

static int pod_record(const char *directory, const char *failure) {
    Fact fact;
    fact_read(&fact);
    if (failure && strcmp(fact.result, "exit-code") == 0)
        failure_tell(failure);
    int r = fact_write_ended(directory, &fact);
    /* An installed pod that could not be prepared has no directory, and nothing has ended. */
    return r < 0 && r != -ENOENT ? complain(directory, "ended", r) : 0;
}

/* Why an installed pod has failed, in the journal and as the unit's status. Absent, when its start has told. */
static void failure_tell(const char *path) {
    _cleanup_free_ char *sentence = NULL, *text = NULL;
    _cleanup_fd_ int notify = -1;
    size_t size;
    if (file_read(AT_FDCWD, path, SENTENCE_MAX, &sentence, &size) < 0)
        return;
    fprintf(stderr, "gantry: %s\n", sentence);
    if (text_format(&text, "STATUS=%s", sentence) >= 0 && notify_connect(&notify) >= 0 && notify_send(notify, text) >= 0)
        (void)notify_barrier(notify, NOTIFY_BARRIER_MS); /* else PID 1 may look at this process's end first */
}

static int complain(const char *directory, const char *name, int error) {
    fprintf(stderr, "gantry-record: %s: %s: %s\n", directory, name, strerror(-error));
    return 1;
}

/*
 * A failed app ends its pod. Through systemctl, because only this rare path needs the bus and its libraries; without
 * waiting, because the pod's stop waits for this very process.
 */
static int unit_stop(const char *unit) {
    const char *suffix = strrchr(unit, '.');
    /* An installed pod's: while others of its apps start, its own start reports the failure, and a stop would cancel that. */
    const char *mode = suffix && strcmp(suffix, ".slice") == 0 ? "--job-mode=fail" : "--job-mode=replace";
    execl("/usr/bin/systemctl", "systemctl", "--no-block", mode, "stop", "--", unit, NULL);
    fprintf(stderr, "gantry-record: stopping %s: systemctl: %s\n", unit, strerror(errno));
    return 1;
}

/*
 * gantry-record: what an app's or a pod's end leaves on disk, as the unit's ExecStopPost= (systemd.service(5) gives
 * the facts in $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS). docs/launch-plan.md, "Exit facts".
 *
 *   gantry-record app APP STATUS_DIRECTORY SOCKET [POD_UNIT]
 *   gantry-record pod POD_DIRECTORY
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drain.h"
#include "fact.h"

static int app_record(char **arguments, const char *pod_unit);
static int pod_record(const char *directory);
static int complain(const char *directory, const char *name, int error);
static int pod_stop(const char *unit);

int main(int argc, char **argv) {
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "app") == 0)
        return app_record(argv + 2, argv[5]);
    if (argc == 3 && strcmp(argv[1], "pod") == 0)
        return pod_record(argv[2]);
    fputs("Usage: gantry-record app APP STATUS_DIRECTORY SOCKET [POD_UNIT]\n"
          "       gantry-record pod POD_DIRECTORY\n", stderr);
    return 64;
}

/* The fact first: whatever happens to the output, the status is on disk before anybody hears of the end. */
static int app_record(char **arguments, const char *pod_unit) {
    const char *app = arguments[0], *directory = arguments[1], *socket = arguments[2];
    Fact fact;
    fact_read(&fact);
    int r = fact_write_exit(directory, &fact);
    int status = r < 0 ? complain(directory, "exit", r) : 0;
    r = drain_app(socket, app, STDOUT_FILENO, STDERR_FILENO);
    if (r < 0 && r != -ENOENT && r != -ECONNREFUSED) /* those: the sandbox is gone, and what it held with it */
        status = complain(socket, app, r);
    if (pod_unit && strcmp(fact.result, "success") != 0)
        return pod_stop(pod_unit);
    return status;
}

static int pod_record(const char *directory) {
    Fact fact;
    fact_read(&fact);
    int r = fact_write_ended(directory, &fact);
    /* An installed pod that could not be prepared has no directory, and nothing has ended. */
    return r < 0 && r != -ENOENT ? complain(directory, "ended", r) : 0;
}

static int complain(const char *directory, const char *name, int error) {
    fprintf(stderr, "gantry-record: %s: %s: %s\n", directory, name, strerror(-error));
    return 1;
}

/*
 * A failed app ends its pod. Through systemctl, because only this rare path needs the bus and its libraries; without
 * waiting, because the pod's stop waits for this very process.
 */
static int pod_stop(const char *unit) {
    /* While an installed pod starts, its own start reports the failure; a stop would cancel it without a word. */
    const char *mode = strncmp(unit, "gantry@", strlen("gantry@")) == 0 ? "--job-mode=fail" : "--job-mode=replace";
    execl("/usr/bin/systemctl", "systemctl", "--no-block", mode, "stop", "--", unit, NULL);
    fprintf(stderr, "gantry-record: stopping %s: systemctl: %s\n", unit, strerror(errno));
    return 1;
}

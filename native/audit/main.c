/* gantry-audit: a layer tree against its digest list (docs/auditor.md). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "basic/cleanup.h"
#include "layer/confinement.h"
#include "layer/report.h"

struct Auditor {
    const char *into_path;
    const char *list_path;
    const char *tree_path;
    int into;
    int list;
    struct Expectations expectations;
    struct Findings findings;
    struct Audit audit;
    struct Fault fault;
};

static int usage(void) {
    fputs("gantry-audit: usage: gantry-audit --into=DIR --list=FILE TREE\n", stderr);
    return -EINVAL;
}

static int options_parse(int argc, char **argv, struct Auditor *auditor) {
    static const struct option known[] = {
        { "into", required_argument, NULL, 'i' }, /* the only directory that is written */
        { "list", required_argument, NULL, 'l' }, /* the tree's digest list */
        { NULL, 0, NULL, 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'i')
            auditor->into_path = optarg;
        else if (option == 'l')
            auditor->list_path = optarg;
        else
            return usage();
    }
    if (argc - optind != 1 || !auditor->into_path || !auditor->list_path)
        return usage();
    auditor->tree_path = argv[optind];
    return 0;
}

static int places_open(struct Auditor *auditor) {
    auditor->list = open(auditor->list_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (auditor->list < 0)
        return fault_system(&auditor->fault, errno, "cannot open the digest list");
    auditor->audit.tree = open(auditor->tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (auditor->audit.tree < 0)
        return fault_system(&auditor->fault, errno, "cannot open the tree");
    return 0;
}

/* Directories are open along the path that is walked. */
static void descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* with fewer, only the deepest trees fail */
}

static unsigned jobs_count(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 4 ? 4 : (unsigned)count;
}

/* A damaged list is a difference like others: nothing can be said of the tree then. */
static int list_read_whole(struct Auditor *auditor) {
    size_t line;
    int r = expectations_read(&auditor->expectations, auditor->list, &line);
    if (r != -EBADMSG && r != -EFBIG)
        return r < 0 ? fault_system(&auditor->fault, -r, "cannot read the digest list") : 1;
    char place[48];
    (void)snprintf(place, sizeof(place), "line %zu", line);
    finding_add(&auditor->findings, "list", ".", NULL, place);
    return 0;
}

static int auditor_run(struct Auditor *auditor) {
    auditor->audit.expectations = &auditor->expectations;
    auditor->audit.findings = &auditor->findings;
    auditor->audit.fault = &auditor->fault;
    int r = places_open(auditor);
    descriptors_raise();
    if (r == 0)
        r = confinement_enter(auditor->into, &confinement_of_readers, &auditor->fault);
    if (r == 0)
        r = list_read_whole(auditor);
    if (r <= 0)
        return r;
    r = audit_expected(&auditor->audit, jobs_count());
    return r < 0 ? r : audit_foreign(&auditor->audit);
}

static void audited_print(FILE *file, const void *argument) {
    struct Auditor *auditor = (struct Auditor *)argument; /* findings are sorted in place */
    fprintf(file, "{\"version\":1,\"ok\":true,\"paths\":%" PRIuFAST64 ",\"bytes\":%" PRIuFAST64 ",\"disk\":%" PRIuFAST64,
            auditor->audit.paths, auditor->audit.bytes, auditor->audit.disk);
    fprintf(file, ",\"differences\":%" PRIu64 ",\"findings\":", auditor->findings.count);
    findings_print(&auditor->findings, file);
    fputs("}\n", file);
}

static int auditor_report(struct Auditor *auditor, int r) {
    if (r < 0 && auditor->fault.kind == FAULT_NONE)
        (void)fault_system(&auditor->fault, -r, "cannot compare the tree");
    int written = report_write(auditor->into, audited_print, auditor, &auditor->fault);
    if (written < 0)
        fprintf(stderr, "gantry-audit: cannot write the report: %s\n", strerror(-written));
    if (auditor->fault.kind != FAULT_NONE)
        fprintf(stderr, "gantry-audit: %s\n", auditor->fault.text);
    return written < 0 || auditor->fault.kind != FAULT_NONE ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    static struct Auditor auditor = { .findings.lock = PTHREAD_MUTEX_INITIALIZER };
    if (options_parse(argc, argv, &auditor) < 0)
        return 2; /* DESIGN 7: usage */
    auditor.into = open(auditor.into_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (auditor.into < 0) {
        fprintf(stderr, "gantry-audit: cannot open %s: %s\n", QUOTED(auditor.into_path), strerror(errno));
        return EXIT_FAILURE;
    }
    int status = auditor_report(&auditor, auditor_run(&auditor));
    findings_free(&auditor.findings);
    expectations_free(&auditor.expectations);
    return status;
}

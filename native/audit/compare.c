#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/attribute.h"
#include "audit/audit.h"
#include "basic/cleanup.h"
#include "layer/beneath.h"

#define BLOCK (256 * 1024)
/* Paths that a thread takes at a time. */
#define SHARE 16
#define JOBS_MAX 16

struct Worker {
    struct Audit *audit;
    struct DigestStream digest;
    unsigned char *block;
    pthread_t thread;
    int result;
};

static int path_find(const struct Audit *audit, const char *path, int flags) {
    return beneath_open(audit->tree, path, flags, RESOLVE_NO_XDEV);
}

/* What cannot be read is a difference, too: a disk that fails is what an audit is for. */
static void unreadable_add(struct Audit *audit, const char *path, int error) {
    bool missing = error == ENOENT || error == ENOTDIR || error == ELOOP;
    finding_add(audit->findings, missing ? "missing" : "unreadable", path, NULL, missing ? NULL : strerror(error));
}

static int content_hash(struct Worker *worker, int fd, uint64_t *ret_size, struct DigestValues *ret_values) {
    uint64_t size = 0;
    for (;;) {
        ssize_t n = read(fd, worker->block, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;
            (void)digest_finish(&worker->digest, ret_values); /* starts over */
            return -error;
        }
        if (n == 0)
            break;
        size += (uint64_t)n;
        int r = digest_update(&worker->digest, worker->block, (size_t)n);
        if (r < 0)
            return r;
    }
    *ret_size = size;
    return digest_finish(&worker->digest, ret_values);
}

/* The size is told only where it differs: then the content does, of course. */
static int content_compare(struct Worker *worker, const char *path, const struct ListLine *line, int fd) {
    struct DigestValues values;
    uint64_t size;
    int r = content_hash(worker, fd, &size, &values);
    if (r < 0)
        return r;
    atomic_fetch_add(&worker->audit->bytes, size);
    if (strcmp(values.sha256, line->digest) != 0)
        finding_add(worker->audit->findings, "content", path, line->digest, values.sha256);
    return 0;
}

static void opaque_compare(struct Audit *audit, const struct Expected *expected, int fd) {
    bool found = attribute_opaque(fd);
    if (found != expected->opaque)
        finding_add(audit->findings, "opaque", expected->line.path, expected->opaque ? "yes" : "no", found ? "yes" : "no");
}

/* A file or directory that is open. */
static int open_compare(struct Worker *worker, const char *path, const struct ListLine *line, const char *attributes,
                        int fd) {
    const struct AttributeSource source = { .fd = fd };
    int r = line->type == 'f' ? content_compare(worker, path, line, fd) : 0;
    return r < 0 ? r : attributes_compare(worker->audit, path, attributes, &source, &worker->digest);
}

static int file_compare(struct Worker *worker, const char *path, const struct ListLine *line, const char *attributes) {
    struct Audit *audit = worker->audit;
    /* What it is, is known before it is opened: opening a device may do something. */
    _cleanup_fd_ int place = path_find(audit, path, O_PATH);
    struct stat st;
    if (place < 0 || fstat(place, &st) < 0)
        return place < 0 ? place : -errno;
    atomic_fetch_add(&audit->paths, 1);
    atomic_fetch_add(&audit->disk, (uint64_t)st.st_blocks * 512);
    if (!stat_compare(audit, path, line, &st))
        return 0;
    _cleanup_fd_ int fd = path_find(audit, path, O_RDONLY | O_NONBLOCK);
    return fd < 0 ? fd : open_compare(worker, path, line, attributes, fd);
}

static int directory_compare(struct Worker *worker, const struct Expected *expected) {
    int r = file_compare(worker, expected->line.path, &expected->line, expected->attributes);
    if (r < 0)
        return r;
    _cleanup_fd_ int fd = path_find(worker->audit, expected->line.path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) /* else the type was found to differ */
        opaque_compare(worker->audit, expected, fd);
    return 0;
}

static int link_read(struct Worker *worker, const struct ListLine *line, int directory) {
    char target[BENEATH_PATH_MAX + 1];
    struct DigestValues values;
    ssize_t n = readlinkat(directory, path_name(line->path), target, sizeof(target));
    if (n < 0)
        return -errno;
    int r = digest_update(&worker->digest, target, (size_t)n);
    if (r == 0)
        r = digest_finish(&worker->digest, &values);
    if (r == 0 && strcmp(values.sha256, line->digest) != 0)
        finding_add(worker->audit->findings, "target", line->path, line->digest, values.sha256);
    return r;
}

/* What cannot be opened: a link, device, fifo or whiteout. Attributes are read by name in the working directory, which all
 * threads share: one of them does these. */
static int node_compare(struct Worker *worker, const struct Expected *expected) {
    const struct ListLine *line = &expected->line;
    char parent[BENEATH_PATH_MAX + 1];
    struct stat st;
    path_parent(line->path, parent);
    _cleanup_fd_ int directory = path_find(worker->audit, parent, O_RDONLY | O_DIRECTORY);
    if (directory < 0 || fstatat(directory, path_name(line->path), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return directory < 0 ? directory : -errno;
    atomic_fetch_add(&worker->audit->paths, 1);
    atomic_fetch_add(&worker->audit->disk, (uint64_t)st.st_blocks * 512);
    if (!stat_compare(worker->audit, line->path, line, &st) || line->type == 'w')
        return 0;
    int r = line->type == 'l' ? link_read(worker, line, directory) : 0;
    if (r < 0 || fchdir(directory) < 0)
        return r < 0 ? r : -errno;
    const struct AttributeSource source = { .fd = -1, .name = path_name(line->path) };
    return attributes_compare(worker->audit, line->path, expected->attributes, &source, &worker->digest);
}

static bool same_file(const struct Audit *audit, const char *a, const char *b) {
    struct stat left, right;
    _cleanup_fd_ int first = path_find(audit, a, O_PATH);
    _cleanup_fd_ int second = path_find(audit, b, O_PATH);
    return first >= 0 && second >= 0 && fstat(first, &left) == 0 && fstat(second, &right) == 0 &&
           left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* Another name of a file that is looked at under its first one, or, if that was replaced later, the last place where the
 * file is left. */
static int name_compare(struct Worker *worker, const struct Expected *expected) {
    struct Audit *audit = worker->audit;
    const struct ListLine *line = &expected->line;
    _cleanup_fd_ int place = path_find(audit, line->path, O_PATH);
    if (place < 0)
        return place;
    bool current;
    const struct ListLine *origin = expectations_origin(audit->expectations, line, &current);
    if (!origin || (current && same_file(audit, line->path, line->target))) {
        atomic_fetch_add(&audit->paths, 1);
        return 0;
    }
    if (current) {
        atomic_fetch_add(&audit->paths, 1);
        finding_add(audit->findings, "link", line->path, NULL, NULL);
        return 0;
    }
    if (origin->type == 'f')
        return file_compare(worker, line->path, origin, expectations_attributes(audit->expectations, origin));
    struct Expected copy = { .line = *origin, .attributes = expectations_attributes(audit->expectations, origin) };
    copy.line.path = line->path;
    return node_compare(worker, &copy);
}

/* Files and directories are anybody's; the rest is quickly looked at and left to the first thread. */
static bool expected_shared(const struct Expected *expected) {
    return expected->line.type == 'f' || expected->line.type == 'd';
}

static int expected_compare(struct Worker *worker, const struct Expected *expected) {
    switch (expected->line.type) {
    case 'f':
        return file_compare(worker, expected->line.path, &expected->line, expected->attributes);
    case 'd':
        return directory_compare(worker, expected);
    case 'h':
        return name_compare(worker, expected);
    default:
        return node_compare(worker, expected);
    }
}

/* -ENOMEM and the like are ours, not the tree's. */
static int result_sort(struct Audit *audit, const struct Expected *expected, int r) {
    if (r >= 0 || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
        return r;
    unreadable_add(audit, expected->line.path, -r);
    return 0;
}

static int share_compare(struct Worker *worker, size_t first, bool shared) {
    const struct Expectations *expectations = worker->audit->expectations;
    for (size_t i = first; i < first + SHARE && i < expectations->alive_count; i++) {
        const struct Expected *expected = &expectations->paths[expectations->order[i]];
        int r = expected_shared(expected) == shared ? expected_compare(worker, expected) : 0;
        r = result_sort(worker->audit, expected, r);
        if (r < 0)
            return r;
    }
    return 0;
}

static void *worker_run(void *argument) {
    struct Worker *worker = argument;
    size_t count = worker->audit->expectations->alive_count;
    for (size_t first; worker->result == 0 && (first = atomic_fetch_add(&worker->audit->next, SHARE)) < count;)
        worker->result = share_compare(worker, first, true);
    return NULL;
}

static int worker_open(struct Worker *worker, struct Audit *audit) {
    worker->audit = audit;
    worker->block = malloc(BLOCK);
    return worker->block ? digest_open(&worker->digest, DIGEST_SHA256) : -ENOMEM;
}

static void worker_close(struct Worker *worker) {
    digest_close(&worker->digest);
    free(worker->block);
}

static int workers_run(struct Worker *workers, unsigned jobs) {
    unsigned started = 1;
    for (; started < jobs; started++)
        if (pthread_create(&workers[started].thread, NULL, worker_run, &workers[started]) != 0)
            break; /* fewer threads do the same */
    (void)worker_run(&workers[0]);
    int r = workers[0].result;
    for (unsigned i = 1; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        r = r < 0 ? r : workers[i].result;
    }
    size_t count = workers[0].audit->expectations->alive_count;
    for (size_t first = 0; r == 0 && first < count; first += SHARE)
        r = share_compare(&workers[0], first, false);
    return r;
}

int audit_expected(struct Audit *audit, unsigned jobs) {
    struct Worker workers[JOBS_MAX] = { 0 };
    jobs = jobs < JOBS_MAX ? jobs : JOBS_MAX;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < jobs; i++)
        r = worker_open(&workers[i], audit);
    if (r == 0)
        r = workers_run(workers, jobs);
    for (unsigned i = 0; i < jobs; i++)
        worker_close(&workers[i]);
    return r < 0 ? fault_system(audit->fault, -r, "cannot compare the tree") : 0;
}

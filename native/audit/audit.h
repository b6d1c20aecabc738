/* A tree against its list: what is there as it must be, and nothing else. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "audit/expected.h"
#include "audit/finding.h"
#include "layer/fault.h"

struct Audit {
    int tree;
    const struct Expectations *expectations;
    struct Findings *findings;
    struct Fault *fault;
    atomic_size_t next;     /* the next path nobody has taken */
    atomic_uint_fast64_t bytes; /* of files, each once */
    atomic_uint_fast64_t disk;  /* that the file system has given to the tree */
    atomic_uint_fast64_t paths; /* found */
};

/* Looks at every path that must be there, files by `jobs` threads. Returns 0 whatever is found, or -errno. */
int audit_expected(struct Audit *audit, unsigned jobs);

/* Looks for what must not be there. */
int audit_foreign(struct Audit *audit);

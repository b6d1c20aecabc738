/* Why an archive was refused: a kind of src/base/errors.ts and one printable sentence. The first failure wins. */
#pragma once

enum FailureKind {
    FAILURE_NONE,
    FAILURE_BAD_IMAGE,
    FAILURE_DIGEST_MISMATCH,
    FAILURE_STORE_FULL,
    FAILURE_INTERNAL,
};

struct Failure {
    enum FailureKind kind;
    char text[1024];
};

/* A path as a sentence shows it: in double quotes, everything but printable ASCII as \xHH, cut at the buffer's end. */
struct Quoted {
    char text[320];
};

#define QUOTED(string) quoted_fill(&(struct Quoted){ 0 }, (string))

const char *quoted_fill(struct Quoted *buffer, const char *string);

/* The archive breaks a rule of docs/unpacker.md. Returns -EBADMSG. */
int failure_image(struct Failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The archive is not the one that was described. Returns -EBADMSG. */
int failure_digest(struct Failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The system refused: ": " and the text of `error` (a positive errno) are appended; a full disk is StoreFull,
 * everything else Internal. Returns -error. */
int failure_system(struct Failure *failure, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The name of a kind in src/base/errors.ts. */
const char *failure_kind_name(enum FailureKind kind);

/* Why an archive was refused: a kind of src/base/errors.ts and one printable sentence. The first failure wins. */
#pragma once

enum FaultKind {
    FAULT_NONE,
    FAULT_BAD_IMAGE,
    FAULT_DIGEST_MISMATCH,
    FAULT_STORE_FULL,
    FAULT_INTERNAL,
};

struct Fault {
    enum FaultKind kind;
    char text[1024];
};

/* A path as a sentence shows it: printable, in double quotes, cut at the buffer's end. */
struct Quoted {
    char text[320];
};

#define QUOTED(string) quoted_fill(&(struct Quoted){ 0 }, (string))

const char *quoted_fill(struct Quoted *buffer, const char *string);

/* The archive breaks a rule of docs/unpacker.md. Returns -EBADMSG. */
int fault_image(struct Fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The archive is not the one that was described. Returns -EBADMSG. */
int fault_digest(struct Fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The system refused: ": " and the text of `error` (a positive errno) are appended; a full disk is StoreFull,
 * everything else Internal. Returns -error. */
int fault_system(struct Fault *fault, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The name of a kind in src/base/errors.ts. */
const char *fault_kind_name(enum FaultKind kind);

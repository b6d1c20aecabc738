/* Names from an archive: what path_clean() makes of them, and how whiteout_read() sorts them. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "unpack/tree.h"
#include "unpack/whiteout.h"

static const struct {
    const char *raw;
    const char *clean; /* NULL: refused */
    const char *parent;
} names[] = {
    { "a", "a", "." },          { "a/b", "a/b", "a" },           { "/a//b/./c/", "a/b/c", "a/b" }, { "./", ".", "." },
    { "/", ".", "." },          { "././.", ".", "." },           { "...", "...", "." },            { "..a/b..", "..a/b..", "..a" },
    { "..", NULL, NULL },       { "a/..", NULL, NULL },          { "a/../b", NULL, NULL },         { "/../a", NULL, NULL },
    { ".a/.b", ".a/.b", ".a" }, { "\xff\n/x", "\xff\n/x", "\xff\n" },
};

static const struct {
    const char *path;
    enum WhiteoutKind kind;
    const char *hidden; /* NULL: nothing */
    bool refused;
} whiteouts[] = {
    { "a/.wh.b", WHITEOUT_NAME, "a/b", false },
    { ".wh.b", WHITEOUT_NAME, "b", false },
    { ".wh..b", WHITEOUT_NAME, ".b", false },
    { ".wh..wh.b", WHITEOUT_NAME, ".wh.b", false },
    { "a/.wh..wh..opq", WHITEOUT_OPAQUE, "a", false },
    { ".wh..wh..opq", WHITEOUT_OPAQUE, ".", false },
    { "a/.wh..wh.plnk", WHITEOUT_NAME, "a/.wh.plnk", false },
    { ".wh..wh.plnk/1.2", WHITEOUT_METADATA, NULL, false },
    { ".wh..wh.plnkx", WHITEOUT_NAME, ".wh.plnkx", false },
    { "a.wh.b", WHITEOUT_NONE, NULL, false },
    { ".whx", WHITEOUT_NONE, NULL, false },
    { "a/.wh.", WHITEOUT_NONE, NULL, true },
    { ".wh..", WHITEOUT_NONE, NULL, true },
    { ".wh...", WHITEOUT_NONE, NULL, true },
};

static int failures;

static void fail(const char *name, const char *got) {
    fprintf(stderr, "%s: got %s\n", name, got);
    failures++;
}

static void name_check(size_t i) {
    char clean[TREE_PATH_MAX + 1] = "", parent[TREE_PATH_MAX + 1];
    struct Fault fault = { 0 };
    int r = path_clean(names[i].raw, "path", clean, &fault);
    if ((r < 0) != !names[i].clean || (r < 0) != (fault.kind == FAULT_BAD_IMAGE))
        fail(names[i].raw, r < 0 ? fault.text : clean);
    if (r < 0 || !names[i].clean)
        return;
    if (strcmp(clean, names[i].clean) != 0)
        fail(names[i].raw, clean);
    path_parent(clean, parent);
    if (strcmp(parent, names[i].parent) != 0)
        fail(names[i].raw, parent);
}

static void whiteout_check(size_t i) {
    char hidden[TREE_PATH_MAX + 1] = "";
    enum WhiteoutKind kind = WHITEOUT_NONE;
    struct Fault fault = { 0 };
    int r = whiteout_read(whiteouts[i].path, &kind, hidden, &fault);
    if ((r < 0) != whiteouts[i].refused || kind != whiteouts[i].kind)
        fail(whiteouts[i].path, r < 0 ? fault.text : "another kind");
    if (whiteouts[i].hidden && strcmp(hidden, whiteouts[i].hidden) != 0)
        fail(whiteouts[i].path, hidden);
}

int main(void) {
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        name_check(i);
    for (size_t i = 0; i < sizeof(whiteouts) / sizeof(*whiteouts); i++)
        whiteout_check(i);
    return failures > 0;
}

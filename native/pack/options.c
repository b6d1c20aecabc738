#include "pack/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "basic/text.h"

enum {
    OPTION_INTO = 256,
    OPTION_COMPRESSION,
    OPTION_MANIFEST,
    OPTION_ONLY,
    OPTION_OWNER,
    OPTION_AS_CALLER,
};

static const struct option known_options[] = {
    { "into", required_argument, NULL, OPTION_INTO },               /* the only directory that is written */
    { "compression", required_argument, NULL, OPTION_COMPRESSION }, /* none, gzip or zstd */
    { "manifest", required_argument, NULL, OPTION_MANIFEST },       /* an ACI's */
    { "only", required_argument, NULL, OPTION_ONLY },               /* a list of the paths to keep */
    { "owner", required_argument, NULL, OPTION_OWNER },             /* UID:GID of every entry */
    { "as-caller", no_argument, NULL, OPTION_AS_CALLER },           /* stay in the caller's root directory */
    { NULL, 0, NULL, 0 },
};

static int word_find(const char *text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return (int)i;
    return -EINVAL;
}

static int compression_parse(const char *text, enum PackCompression *ret_compression) {
    static const char *const words[] = { "none", "gzip", "zstd" };
    int found = word_find(text, words, 3);
    if (found >= 0)
        *ret_compression = (enum PackCompression)found;
    return found < 0 ? found : 0;
}

static int verb_parse(const char *text, enum PackVerb *ret_verb) {
    static const char *const words[] = { "layer", "rootfs", "aci" };
    int found = word_find(text, words, 3);
    if (found >= 0)
        *ret_verb = (enum PackVerb)found;
    return found < 0 ? found : 0;
}

static int owner_parse(const char *text, struct PackOptions *options) {
    char user[16] = { 0 };
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(user))
        return -EINVAL;
    memcpy(user, text, (size_t)(colon - text));
    uint64_t uid, gid;
    /* The last number means "unchanged" to chown(2). */
    if (text_to_number(user, UINT32_MAX - 1, &uid) < 0 || text_to_number(colon + 1, UINT32_MAX - 1, &gid) < 0)
        return -EINVAL;
    options->owner_given = true;
    options->uid = (uint32_t)uid;
    options->gid = (uint32_t)gid;
    return 0;
}

static int text_take(const char *text, const char **ret_text) {
    *ret_text = text;
    return *text ? 0 : -EINVAL;
}

static int option_apply(int option, const char *value, struct PackOptions *options) {
    switch (option) {
    case OPTION_INTO:
        return text_take(value, &options->into);
    case OPTION_COMPRESSION:
        return compression_parse(value, &options->compression);
    case OPTION_MANIFEST:
        return text_take(value, &options->manifest);
    case OPTION_ONLY:
        return text_take(value, &options->only);
    case OPTION_OWNER:
        return owner_parse(value, options);
    case OPTION_AS_CALLER:
        options->as_caller = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static int usage(FILE *errors, const char *mistake, const char *object) {
    fprintf(errors, "gantry-pack: %s%s; usage: gantry-pack layer|rootfs|aci --into=DIR [options] TREE…\n", mistake,
            object);
    return -EINVAL;
}

static int options_check(const struct PackOptions *options, FILE *errors) {
    if (!options->into)
        return usage(errors, "--into is missing", "");
    if (options->tree_count == 0)
        return usage(errors, "no tree is named", "");
    if (options->verb == PACK_LAYER && options->tree_count > 1)
        return usage(errors, "a layer is one tree", "");
    if ((options->verb == PACK_ACI) != (options->manifest != NULL))
        return usage(errors, "--manifest belongs to aci, and aci needs it", "");
    return 0;
}

int pack_options_parse(int argc, char **argv, FILE *errors, struct PackOptions *ret_options) {
    struct PackOptions options = { 0 };
    opterr = 0;
    for (int option, index = 0; (option = getopt_long(argc, argv, "", known_options, &index)) != -1;) {
        if (option == '?')
            return usage(errors, "unknown or incomplete option ", argv[optind - 1]);
        if (option_apply(option, optarg, &options) < 0)
            return usage(errors, "bad value for --", known_options[index].name);
    }
    if (optind == argc || verb_parse(argv[optind], &options.verb) < 0)
        return usage(errors, "a verb is needed", "");
    options.trees = argv + optind + 1;
    options.tree_count = (size_t)(argc - optind - 1);
    int r = options_check(&options, errors);
    if (r == 0)
        *ret_options = options;
    return r;
}

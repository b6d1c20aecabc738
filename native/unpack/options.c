#include "unpack/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "basic/text.h"

enum {
    OPTION_INTO = 256,
    OPTION_OFFSET,
    OPTION_LENGTH,
    OPTION_EXPECT_SIZE,
    OPTION_EXPECT_DIGEST,
    OPTION_EXPECT_DIFF,
    OPTION_MAX_BYTES,
    OPTION_MAX_ENTRIES,
    OPTION_WAIT,
};

static const struct option known_options[] = {
    { "into", required_argument, NULL, OPTION_INTO },                   /* the only directory that is written */
    { "offset", required_argument, NULL, OPTION_OFFSET },               /* where the archive starts in a file */
    { "length", required_argument, NULL, OPTION_LENGTH },               /* how long it is there */
    { "expect-size", required_argument, NULL, OPTION_EXPECT_SIZE },     /* compressed bytes */
    { "expect-digest", required_argument, NULL, OPTION_EXPECT_DIGEST }, /* of the compressed bytes */
    { "expect-diff", required_argument, NULL, OPTION_EXPECT_DIFF },     /* of the uncompressed tar */
    { "max-bytes", required_argument, NULL, OPTION_MAX_BYTES },         /* of the tar, and of all files together */
    { "max-entries", required_argument, NULL, OPTION_MAX_ENTRIES },     /* of the tar, implied parents included */
    { "wait", no_argument, NULL, OPTION_WAIT },                         /* the archive is described later */
    { NULL, 0, NULL, 0 },
};

/* The most words that describe an archive. */
#define WORDS_MAX 16

/* File offsets are signed. */
static int number_parse(const char *text, uint64_t *ret_number) {
    return text_to_number(text, INT64_MAX, ret_number);
}

static int expectation_parse(const char *text, struct Expectation *ret_expectation) {
    static const enum DigestAlgorithm algorithms[] = { DIGEST_SHA256, DIGEST_SHA512 };
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
        const char *name = digest_name(algorithms[i]);
        size_t digits = algorithms[i] == DIGEST_SHA256 ? 64 : 128;
        if (strncmp(text, name, strlen(name)) != 0 || text[strlen(name)] != ':')
            continue;
        const char *hex = text + strlen(name) + 1;
        if (strlen(hex) != digits || strspn(hex, "0123456789abcdef") != digits)
            return -EINVAL;
        ret_expectation->algorithm = algorithms[i];
        memcpy(ret_expectation->hex, hex, digits + 1);
        return 0;
    }
    return -EINVAL;
}

static int verb_parse(const char *text, enum Verb *ret_verb) {
    static const struct {
        const char *name;
        enum Verb verb;
    } verbs[] = { { "layer", VERB_LAYER }, { "aci", VERB_ACI }, { "decompress", VERB_DECOMPRESS } };
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        if (strcmp(text, verbs[i].name) == 0) {
            *ret_verb = verbs[i].verb;
            return 0;
        }
    return -EINVAL;
}

static int option_apply(int option, const char *value, struct Options *options) {
    switch (option) {
    case OPTION_INTO:
        options->into = value;
        return *value ? 0 : -EINVAL;
    case OPTION_OFFSET:
        return number_parse(value, &options->offset);
    case OPTION_LENGTH:
        return number_parse(value, &options->length);
    case OPTION_EXPECT_SIZE:
        return number_parse(value, &options->expected_size);
    case OPTION_EXPECT_DIGEST:
        return expectation_parse(value, &options->expected_digest);
    case OPTION_EXPECT_DIFF:
        return expectation_parse(value, &options->expected_diff);
    case OPTION_MAX_BYTES:
        return number_parse(value, &options->max_bytes);
    case OPTION_MAX_ENTRIES:
        return number_parse(value, &options->max_entries);
    case OPTION_WAIT:
        options->wait = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static int usage(FILE *errors, const char *mistake, const char *object) {
    fprintf(errors, "gantry-unpack: %s%s; usage: gantry-unpack layer|aci|decompress --into=DIR [options] <ARCHIVE\n",
            mistake, object);
    return -EINVAL;
}

static int words_parse(int argc, char **argv, FILE *errors, struct Options *options) {
    opterr = 0;
    optind = 0; /* glibc: start over, words are parsed more than once */
    for (int option, index = 0; (option = getopt_long(argc, argv, "", known_options, &index)) != -1;) {
        if (option == '?')
            return usage(errors, "unknown or incomplete option ", argv[optind - 1]);
        if (option_apply(option, optarg, options) < 0)
            return usage(errors, "bad value for --", known_options[index].name);
    }
    return 0;
}

int options_parse(int argc, char **argv, FILE *errors, struct Options *ret_options) {
    struct Options options = {
        .length = OPTION_UNSET,
        .expected_size = OPTION_UNSET,
        .max_bytes = UINT64_C(64) << 30,
        .max_entries = 2000000,
    };
    int r = words_parse(argc, argv, errors, &options);
    if (r < 0)
        return r;
    if (argc - optind != 1 || verb_parse(argv[optind], &options.verb) < 0)
        return usage(errors, "exactly one verb is needed", "");
    if (!options.into)
        return usage(errors, "--into is missing", "");
    *ret_options = options;
    return 0;
}

int options_complete(char *text, FILE *errors, struct Options *options) {
    char *words[WORDS_MAX] = { "gantry-unpack" };
    int count = 1;
    for (char *rest = text, *word; (word = strsep(&rest, "\n"));) {
        if (!*word)
            continue;
        if (count == WORDS_MAX - 1)
            return usage(errors, "too many options describe the archive", "");
        words[count++] = word;
    }
    struct Options complete = *options;
    int r = words_parse(count, words, errors, &complete);
    if (r < 0)
        return r;
    if (optind < count || complete.into != options->into)
        return usage(errors, "this does not describe an archive: ", words[count - 1]);
    *options = complete;
    return 0;
}

/* RFC 8259, 7: strings, decoded where they stand, for no escape is shorter than what it means. */
#include <string.h>

#include "basic/text.h"
#include "json/parser.h"

static int escape_read(JsonParser *parser, char **to);
static int unicode_read(JsonParser *parser, char **to);
static bool hexadecimal_read(const char *digits, uint32_t *ret);
static void utf8_write(uint32_t code, char **to);

int parser_read_string(JsonParser *parser, const char **ret) {
    char *begin = ++parser->at, *to = begin;
    unsigned char seen = 0;
    while (*parser->at != '"') {
        unsigned char c = (unsigned char)*parser->at;
        if (c < ' ')
            return parser_fail(parser, parser->at, "a control character in a string");
        if (c == '\\') {
            int r = escape_read(parser, &to);
            if (r < 0)
                return r;
            continue;
        }
        seen |= c;
        *to++ = (char)c;
        parser->at++;
    }
    *to = '\0';
    parser->at++;
    if (seen >= 0x80 && !text_is_utf8(begin)) /* what escapes add is UTF-8 and completes no broken sequence */
        return parser_fail(parser, begin, "a string that is no UTF-8");
    *ret = begin;
    return 0;
}

static int escape_read(JsonParser *parser, char **to) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char letter = *++parser->at;
    const char *known = letter ? strchr(letters, letter) : NULL;
    if (letter == 'u')
        return unicode_read(parser, to);
    if (!known)
        return parser_fail(parser, parser->at, "an unknown escape in a string");
    *(*to)++ = meanings[known - letters];
    parser->at++;
    return 0;
}

/* Stands at the u. */
static int unicode_read(JsonParser *parser, char **to) {
    char *begin = parser->at;
    uint32_t code, low;
    if (!hexadecimal_read(begin + 1, &code))
        return parser_fail(parser, begin, "expected four hexadecimal digits behind \\u");
    if (code == 0)
        return parser_fail(parser, begin, "\\u0000 in a string");
    parser->at += 5;
    if (code >= 0xd800 && code <= 0xdfff) {
        if (code >= 0xdc00 || !text_starts_with(parser->at, "\\u") || !hexadecimal_read(parser->at + 2, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return parser_fail(parser, begin, "half a surrogate pair in a string");
        parser->at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    utf8_write(code, to);
    return 0;
}

/* Four digits; the NUL behind the text is none. */
static bool hexadecimal_read(const char *digits, uint32_t *ret) {
    uint32_t number = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        number = number << 4 | (uint32_t)digit;
    }
    *ret = number;
    return true;
}

static void utf8_write(uint32_t code, char **to) {
    unsigned tails = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = { 0, 0xc0, 0xe0, 0xf0 };
    *(*to)++ = (char)(leads[tails] | code >> 6 * tails);
    while (tails-- > 0)
        *(*to)++ = (char)(0x80 | (code >> 6 * tails & 0x3f));
}

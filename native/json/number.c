/* RFC 8259, 6. */
#include "json/parser.h"

static int real_read(JsonParser *parser, bool *ret);
static bool digits_take(JsonParser *parser);

int parser_read_number(JsonParser *parser, Json *ret) {
    char *begin = parser->at;
    bool negative = *begin == '-', beyond = false, real = false;
    int64_t number = 0;
    char *digit = parser->at += negative;
    if (!digits_take(parser))
        return parser_fail(parser, parser->at, "expected a digit");
    if (*digit == '0' && parser->at > digit + 1)
        return parser_fail(parser, begin, "a number that begins with 0");
    for (; digit < parser->at; digit++)
        beyond |= __builtin_mul_overflow(number, 10, &number) ||
                  (negative ? __builtin_sub_overflow(number, *digit - '0', &number)
                            : __builtin_add_overflow(number, *digit - '0', &number));
    int r = real_read(parser, &real);
    if (r < 0)
        return r;
    if (beyond && !real)
        return parser_fail(parser, begin, "a whole number beyond 64 bits");
    ret->kind = real ? JSON_REAL : JSON_INTEGER;
    ret->integer = real ? 0 : number;
    return 0;
}

/* A fraction and an exponent, if there are any: their digits must be right and mean nothing here. */
static int real_read(JsonParser *parser, bool *ret) {
    if (*parser->at == '.') {
        *ret = true;
        parser->at++;
        if (!digits_take(parser))
            return parser_fail(parser, parser->at, "expected a digit");
    }
    if (*parser->at == 'e' || *parser->at == 'E') {
        *ret = true;
        parser->at++;
        parser->at += *parser->at == '+' || *parser->at == '-';
        if (!digits_take(parser))
            return parser_fail(parser, parser->at, "expected a digit");
    }
    return 0;
}

static bool digits_take(JsonParser *parser) {
    char *begin = parser->at;
    while (*parser->at >= '0' && *parser->at <= '9')
        parser->at++;
    return parser->at > begin;
}

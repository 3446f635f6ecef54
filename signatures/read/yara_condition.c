#include "signatures/read/yara.h"

#include <string.h>

#define YARA_DEPTH_MAX 128u

/* An operand: what its being true requires, and what it is. */
struct yara_value {
    struct expression *required;
    enum { YARA_OTHER, YARA_COUNT_OF, YARA_CONSTANT } kind;
    uint64_t number;
};

static struct yara_value yara_arithmetic(struct yara *yara);

/* The strings that a token names, as children. */
static unsigned yara_named(struct yara *yara, const struct yara_token *token,
                           struct expression **children, unsigned max)
{
    size_t length = token->length - (token->kind == YARA_STRING_SET ? 2 : 1);
    unsigned count = 0;

    for (unsigned i = 0; i < yara->string_count && count < max; i++) {
        struct yara_string *string = &yara->strings[i];

        if (string->length < length || memcmp(string->name, token->start + 1, length) != 0 ||
            (token->kind != YARA_STRING_SET && string->length != length))
            continue;
        string->referenced = true;
        children[count++] = string->required;
    }
    yara->plain = yara->plain && count > 0;
    return count;
}

/* One string; of several with the same name, any. */
static struct expression *yara_one(struct yara *yara, const struct yara_token *token)
{
    struct expression *children[YARA_STRINGS_MAX];
    unsigned count;

    if (token->length == 1) {
        /* The string a loop is at. */
        yara->plain = false;
        return yara_true(yara);
    }
    count = yara_named(yara, token, children, YARA_STRINGS_MAX);
    return count > 0 ? expression_or(yara->arena, children, count) : yara_true(yara);
}

/* them, ($a, $b*). */
static unsigned yara_set(struct yara *yara, struct expression **children, unsigned max)
{
    unsigned count = 0;

    if (yara_is(&yara->token, "them")) {
        struct yara_token all = {.kind = YARA_STRING_SET, .start = "$*", .length = 2};

        count = yara_named(yara, &all, children, max);
        yara_advance(yara);
        return count;
    }
    yara_expect(yara, "(");
    do {
        if (yara->token.kind != YARA_STRING && yara->token.kind != YARA_STRING_SET) {
            yara_give_up(yara, YARA_UNKNOWN);
            return 0;
        }
        count += yara_named(yara, &yara->token, children + count, max - count);
        yara_advance(yara);
    } while (yara_eat(yara, ","));
    yara_expect(yara, ")");
    return count;
}

/* `least` of a set: of any n - least + 1 of its n strings, one. */
static struct expression *yara_of(struct yara *yara, bool all, uint64_t least)
{
    struct expression *children[4 * YARA_STRINGS_MAX];
    struct expression *rows[4 * YARA_STRINGS_MAX];
    unsigned count = yara_set(yara, children, 4 * YARA_STRINGS_MAX);

    if (all)
        least = count;
    /* A full array: more may have been named. */
    if (count == 0 || count == 4 * YARA_STRINGS_MAX || least == 0 || least > count)
        return yara_true(yara);
    for (uint64_t i = 0; i < least; i++)
        rows[i] = expression_or(yara->arena, children + i, (unsigned)(count - least + 1));
    return expression_and(yara->arena, rows, (unsigned)least);
}

/* (a..b), (a, b, ...): numbers. */
static void yara_numbers(struct yara *yara)
{
    yara_expect(yara, "(");
    (void)yara_arithmetic(yara);
    while (yara->fate == YARA_TAKEN && (yara_eat(yara, ",") || yara_eat(yara, "."))) {
        (void)yara_eat(yara, ".");
        (void)yara_arithmetic(yara);
    }
    yara_expect(yara, ")");
}

/* for x of set : (...), for x i in numbers : (...): what the loop requires is not looked into. */
static struct expression *yara_for(struct yara *yara)
{
    struct expression *ignored[4 * YARA_STRINGS_MAX];

    yara->plain = false;
    if (!yara_eat(yara, "all") && !yara_eat(yara, "any"))
        (void)yara_arithmetic(yara);
    if (yara_eat(yara, "of")) {
        (void)yara_set(yara, ignored, 4 * YARA_STRINGS_MAX);
    } else {
        if (yara->token.kind != YARA_WORD)
            yara_give_up(yara, YARA_UNKNOWN);
        yara_advance(yara);
        yara_expect(yara, "in");
        if (yara->token.kind == YARA_WORD)
            /* Not numbers in parentheses: what only modules have. */
            yara_give_up(yara, YARA_REFUSED);
        yara_numbers(yara);
    }
    yara_expect(yara, ":");
    yara_expect(yara, "(");
    if (yara->fate == YARA_TAKEN)
        (void)yara_or(yara);
    yara_expect(yara, ")");
    return yara_true(yara);
}

/* $a, $a at x, $a in (x..y). */
static struct expression *yara_string_found(struct yara *yara)
{
    struct expression *required = yara_one(yara, &yara->token);

    yara_advance(yara);
    if (yara_eat(yara, "at"))
        (void)yara_arithmetic(yara);
    else if (yara_eat(yara, "in"))
        yara_numbers(yara);
    return required;
}

/* A name: of a rule or loop, or of a module or function that libclamav does not have. */
static void yara_name(struct yara *yara)
{
    struct yara_scan scan;
    struct yara_token after;

    yara->plain = false;
    yara_advance(yara);
    scan = yara->scan;
    yara_next(&scan, &after);
    if (yara_is(&yara->token, "(") || yara_is(&yara->token, "[") ||
        (yara_is(&yara->token, ".") && !yara_is(&after, ".")))
        yara_give_up(yara, YARA_REFUSED);
}

static bool yara_is_function(const struct yara_token *token)
{
    return yara_is(token, "int8") || yara_is(token, "int16") || yara_is(token, "int32") ||
           yara_is(token, "uint8") || yara_is(token, "uint16") || yara_is(token, "uint32");
}

bool yara_is_keyword(const struct yara_token *token)
{
    static const char *const words[] = {
        "private",  "global",  "rule",     "meta",      "strings",  "ascii",      "wide",
        "fullword", "nocase",  "not",      "condition", "and",      "or",         "at",
        "in",       "of",      "them",     "for",       "all",      "any",        "true",
        "false",    "matches", "contains", "import",    "filesize", "entrypoint",
    };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (yara_is(token, words[i]))
            return true;
    return false;
}

static struct expression *yara_word(struct yara *yara)
{
    if (yara_eat(yara, "true") || yara_eat(yara, "filesize") || yara_eat(yara, "entrypoint"))
        return yara_true(yara);
    if (yara_eat(yara, "false"))
        return expression_false(yara->arena);
    if (yara_eat(yara, "for"))
        return yara_for(yara);
    if (yara_is(&yara->token, "all") || yara_is(&yara->token, "any")) {
        bool all = yara_is(&yara->token, "all");

        yara_advance(yara);
        yara_expect(yara, "of");
        return yara_of(yara, all, 1);
    }
    if (yara_is_function(&yara->token)) {
        yara_advance(yara);
        yara_numbers(yara);
        return yara_true(yara);
    }
    if (yara_is_keyword(&yara->token))
        yara_give_up(yara, YARA_UNKNOWN);
    else
        yara_name(yara);
    return yara_true(yara);
}

static struct yara_value yara_primary(struct yara *yara)
{
    struct yara_value value = {.required = yara_true(yara), .kind = YARA_OTHER};
    bool inverted = false;

    while (yara_eat(yara, "~"))
        inverted = true;
    switch (yara->token.kind) {
    case YARA_NUMBER:
        value.kind = YARA_CONSTANT;
        value.number = yara->token.number;
        yara_advance(yara);
        break;
    case YARA_COUNT:
        value.kind = YARA_COUNT_OF;
        value.required = yara_one(yara, &yara->token);
        yara_advance(yara);
        break;
    case YARA_OFFSET:
        (void)yara_one(yara, &yara->token);
        yara_advance(yara);
        if (yara_eat(yara, "[")) {
            (void)yara_arithmetic(yara);
            yara_expect(yara, "]");
        }
        break;
    case YARA_STRING:
        value.required = yara_string_found(yara);
        break;
    case YARA_TEXT:
    case YARA_REGEX:
        yara->plain = false;
        yara_advance(yara);
        break;
    case YARA_WORD:
        value.required = yara_word(yara);
        break;
    default:
        if (yara_eat(yara, "(")) {
            value.required = yara_or(yara);
            yara_expect(yara, ")");
        } else {
            yara_give_up(yara, YARA_UNKNOWN);
        }
    }
    if (inverted)
        value = (struct yara_value){.required = yara_true(yara), .kind = YARA_OTHER};
    return value;
}

static bool yara_eat_operator(struct yara *yara, const char *const *operators)
{
    for (; *operators != NULL; operators++)
        if (yara_eat(yara, *operators))
            return true;
    return false;
}

/* Numbers, and what is made of them. */
static struct yara_value yara_arithmetic(struct yara *yara)
{
    static const char *const operators[] = {"+", "-", "*",  "\\", "%", "&",
                                            "|", "^", "<<", ">>", NULL};
    struct yara_value value = {.required = yara_true(yara), .kind = YARA_OTHER};

    if (yara->fate != YARA_TAKEN || yara->depth == YARA_DEPTH_MAX) {
        yara_give_up(yara, YARA_UNKNOWN);
        return value;
    }
    yara->depth++;
    value = yara_primary(yara);
    while (yara->fate == YARA_TAKEN && yara_eat_operator(yara, operators)) {
        (void)yara_primary(yara);
        value = (struct yara_value){.required = yara_true(yara), .kind = YARA_OTHER};
    }
    yara->depth--;
    return value;
}

/* #a > 2 and the like need the string. */
static struct expression *yara_compared(struct yara *yara, const struct yara_value *left,
                                        const struct yara_token *sign,
                                        const struct yara_value *right)
{
    const struct yara_value *count = left->kind == YARA_COUNT_OF ? left : right;
    const struct yara_value *constant = left->kind == YARA_COUNT_OF ? right : left;
    bool more = yara_is(sign, left->kind == YARA_COUNT_OF ? ">" : "<");
    bool at_least = yara_is(sign, left->kind == YARA_COUNT_OF ? ">=" : "<=") || yara_is(sign, "==");

    if (count->kind == YARA_COUNT_OF && constant->kind == YARA_CONSTANT &&
        constant->number <= UINT32_MAX && (more || (at_least && constant->number > 0)))
        return count->required;
    return yara_true(yara);
}

static struct expression *yara_comparison(struct yara *yara)
{
    static const char *const operators[] = {
        "<", "<=", ">", ">=", "==", "!=", NULL, "matches", "contains", NULL};
    struct yara_value left = yara_arithmetic(yara);
    unsigned compared = 0;

    if (yara->fate == YARA_TAKEN && yara_eat(yara, "of"))
        return yara_of(yara, false, left.kind == YARA_CONSTANT ? left.number : 0);
    while (yara->fate == YARA_TAKEN) {
        struct yara_token sign = yara->token;
        struct yara_value right;

        if (yara_eat_operator(yara, operators + 7))
            yara->plain = false;
        else if (!yara_eat_operator(yara, operators))
            break;
        right = yara_arithmetic(yara);
        left.required =
            compared++ > 0 ? yara_true(yara) : yara_compared(yara, &left, &sign, &right);
        left.kind = YARA_OTHER;
    }
    return left.required;
}

static struct expression *yara_not(struct yara *yara)
{
    bool negated = false;
    struct expression *required;

    while (yara_eat(yara, "not"))
        negated = true;
    required = yara_comparison(yara);
    return negated ? yara_true(yara) : required;
}

static struct expression *yara_and(struct yara *yara)
{
    struct expression *required[2] = {yara_not(yara), NULL};

    while (yara->fate == YARA_TAKEN && yara_eat(yara, "and")) {
        required[1] = yara_not(yara);
        required[0] = expression_and(yara->arena, required, 2);
    }
    return required[0];
}

struct expression *yara_or(struct yara *yara)
{
    struct expression *required[2] = {yara_and(yara), NULL};

    while (yara->fate == YARA_TAKEN && yara_eat(yara, "or")) {
        required[1] = yara_and(yara);
        required[0] = expression_or(yara->arena, required, 2);
    }
    return required[0];
}

/* Hex patterns of .ndb and logical signatures (see the manual's chapter "Body-based signatures").
 *
 * A pattern becomes the AND of its runs of consecutive bytes. Gaps of any kind, negations and the
 * character classes (B) (L) (W) end a run; alternatives are an OR beside the runs, or one byte of
 * the run where they are the two cases of a letter. Anything else is not understood: TRUE.
 */
#include <string.h>

#include "signatures/read/read.h"

#define BODY_RUN_MAX      4096u /* longer runs are cut: two shorter ones are as necessary */
#define BODY_CHILDREN_MAX 1024u /* runs and alternatives past these are left out: weaker */
#define BODY_BRANCHES_MAX 1024u

struct body {
    struct expression_arena *arena;
    const char *at;
    const char *end;
    unsigned options;
    bool bad;       /* not understood */
    bool no_memory; /* met */
    const char *doubt;
    bool at_start; /* nothing was read before the run in hand, and the pattern is at offset 0 */
    struct expression_byte run[BODY_RUN_MAX];
    unsigned run_length;
    struct expression *children[BODY_CHILDREN_MAX];
    unsigned count;
};

static int body_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void body_child(struct body *body, struct expression *child)
{
    if (child == NULL)
        body->no_memory = true;
    else if (body->count < BODY_CHILDREN_MAX && !expression_is_true(child))
        body->children[body->count++] = child;
}

static void body_break(struct body *body)
{
    /* A single byte says next to nothing. */
    if (body->run_length > 1) {
        struct expression *run = expression_run(body->arena, body->run, body->run_length);

        if (run != NULL)
            run->start = body->at_start;
        body_child(body, run);
    }
    body->at_start = false;
    body->run_length = 0;
}

static void body_byte(struct body *body, struct expression_byte byte)
{
    if (body->run_length == BODY_RUN_MAX)
        body_break(body);
    body->run[body->run_length++] = byte;
}

/* A pattern byte as a set; false when the two characters are none. `any`: ??. */
static bool body_parse_byte(const char *pair, unsigned options, struct expression_byte *byte)
{
    int high = body_digit(pair[0]);
    int low = body_digit(pair[1]);

    if ((high < 0 && pair[0] != '?') || (low < 0 && pair[1] != '?'))
        return false;
    byte->gap = false;
    byte->mask = (uint8_t)((high < 0 ? 0 : 0xf0) | (low < 0 ? 0 : 0x0f));
    byte->value = (uint8_t)((high < 0 ? 0 : high << 4) | (low < 0 ? 0 : low));
    byte->caseless =
        (options & BODY_CASELESS) != 0 && byte->mask == 0xff &&
        ((byte->value >= 'a' && byte->value <= 'z') || (byte->value >= 'A' && byte->value <= 'Z'));
    return true;
}

static void body_add_byte(struct body *body, struct expression_byte byte)
{
    static const struct expression_byte zero = {0, 0xff, false};

    if (byte.mask == 0)
        body_break(body);
    else
        body_byte(body, byte);
    if ((body->options & BODY_WIDE) != 0)
        body_byte(body, zero);
}

/* {n} {n-m} {-n} {n-} [n] [n-m]: their width does not matter. */
static void body_gap(struct body *body, char close)
{
    body_break(body);
    for (body->at++; body->at < body->end && *body->at != close; body->at++)
        if (*body->at != '-' && (*body->at < '0' || *body->at > '9'))
            body->bad = true;
    if (body->at == body->end)
        body->bad = true;
    else
        body->at++;
}

/* The parenthesis that closes the one before `at`; null: none. */
static const char *body_close(const char *at, const char *end, bool *nested)
{
    unsigned depth = 1;

    *nested = false;
    for (; at < end; at++) {
        if (*at == '(') {
            depth++;
            *nested = true;
        } else if (*at == ')' && --depth == 0) {
            return at;
        }
    }
    return NULL;
}

/* The two cases of one letter, as in (41|61). */
static bool body_letter(const char *at, const char *end, struct expression_byte *byte)
{
    struct expression_byte one;
    struct expression_byte other;

    if (end - at != 5 || at[2] != '|' || !body_parse_byte(at, BODY_CASELESS, &one) ||
        !body_parse_byte(at + 3, BODY_CASELESS, &other))
        return false;
    *byte = one;
    return one.caseless && other.caseless && (one.value ^ other.value) == 0x20;
}

/* One branch of an alternative: only bytes. */
static struct expression *body_branch(struct body *outer, const char *at, const char *end)
{
    struct body_branch {
        struct expression_byte run[256];
        unsigned length;
        struct expression *children[64];
        unsigned count;
    } branch = {.length = 0};

    for (; at < end; at += 2) {
        struct expression_byte byte;

        if (end - at < 2 || !body_parse_byte(at, outer->options, &byte)) {
            outer->doubt = "alternative not understood";
            return expression_true(outer->arena);
        }
        if (branch.length + 2 > 256 || byte.mask == 0) {
            if (branch.length > 0 && branch.count < 64)
                branch.children[branch.count++] =
                    expression_run(outer->arena, branch.run, branch.length);
            branch.length = 0;
        }
        if (byte.mask != 0)
            branch.run[branch.length++] = byte;
        if ((outer->options & BODY_WIDE) != 0)
            branch.run[branch.length++] = (struct expression_byte){0, 0xff, false};
    }
    if (branch.length > 0 && branch.count < 64)
        branch.children[branch.count++] = expression_run(outer->arena, branch.run, branch.length);
    return expression_and(outer->arena, branch.children, branch.count);
}

static void body_branches(struct body *body, const char *at, const char *end)
{
    struct expression *branches[BODY_BRANCHES_MAX];
    unsigned count = 0;

    for (;;) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        const char *stop = bar != NULL ? bar : end;

        if (count == BODY_BRANCHES_MAX) {
            body->doubt = "too many alternatives";
            return;
        }
        branches[count] = body_branch(body, at, stop);
        if (branches[count] == NULL) {
            body->no_memory = true;
            return;
        }
        count++;
        if (bar == NULL)
            break;
        at = bar + 1;
    }
    body_child(body, expression_or(body->arena, branches, count));
}

/* `at` is behind the opening parenthesis. */
static void body_parenthesis(struct body *body, bool negated)
{
    bool nested;
    const char *start = body->at;
    const char *close = body_close(start, body->end, &nested);
    struct expression_byte letter;

    if (close == NULL) {
        body->bad = true;
        return;
    }
    body->at = close + 1;
    if (!negated && body_letter(start, close, &letter)) {
        body_add_byte(body, letter);
        return;
    }
    body_break(body);
    if (close - start == 1 && strchr("BLW", *start) != NULL)
        return;
    /* How libclamav expands nested alternatives is its own: nothing is required of them. */
    if (nested)
        body->doubt = "nested alternatives";
    else if (!negated)
        body_branches(body, start, close);
}

static void body_step(struct body *body)
{
    struct expression_byte byte;
    size_t left = (size_t)(body->end - body->at);

    switch (*body->at) {
    case '*':
        body_break(body);
        body->at++;
        break;
    case '{':
        body_gap(body, '}');
        break;
    case '[':
        body_gap(body, ']');
        break;
    case '!':
        body->at += left > 1 && body->at[1] == '(' ? 2 : 0;
        body->bad = body->bad || left < 2 || body->at[-1] != '(';
        if (!body->bad)
            body_parenthesis(body, true);
        break;
    case '(':
        body->at++;
        body_parenthesis(body, false);
        break;
    default:
        if (left < 2 || !body_parse_byte(body->at, body->options, &byte)) {
            body->bad = true;
            return;
        }
        body_add_byte(body, byte);
        body->at += 2;
    }
}

struct expression *body_read(struct expression_arena *arena, const char *pattern, size_t length,
                             unsigned options, const char **doubt)
{
    struct body body;

    /* Not the arrays: they are large. */
    body.arena = arena;
    body.at = pattern;
    body.end = pattern + length;
    body.options = options;
    body.bad = length == 0;
    body.no_memory = false;
    body.doubt = NULL;
    body.at_start = (options & BODY_START) != 0;
    body.run_length = 0;
    body.count = 0;
    while (!body.bad && body.at < body.end)
        body_step(&body);
    body_break(&body);
    if (body.bad) {
        *doubt = "hex pattern not understood";
        return expression_true(arena);
    }
    if (body.doubt != NULL)
        *doubt = body.doubt;
    if (body.count == 0 && *doubt == NULL)
        *doubt = "pattern without two fixed bytes in a row";
    return body.no_memory ? NULL : expression_and(arena, body.children, body.count);
}

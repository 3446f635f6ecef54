/* What every match of a regular expression contains.
 *
 * The syntax is PCRE2's, as far as signatures use it. Consecutive mandatory characters become a
 * run, alternatives an OR; whatever has no fixed bytes (classes, '.', references) ends a run;
 * assertions require nothing. A construct that could change the meaning of its surroundings and is
 * not known here makes the whole expression TRUE.
 */
#include "signatures/read/regex.h"

#include <string.h>

#define REGEX_DEPTH_MAX    100u
#define REGEX_RUN_MAX      512u
#define REGEX_CHILDREN_MAX 64u
#define REGEX_COPIES_MAX   32u
#define REGEX_UNBOUNDED    UINT32_MAX

/* A branch while it is read. */
struct regex_sequence {
    bool pure; /* only fixed bytes so far */
    struct expression_byte run[REGEX_RUN_MAX];
    unsigned run_length;
    struct expression *children[REGEX_CHILDREN_MAX];
    unsigned count;
};

static void regex_alternatives(struct regex *regex, struct regex_piece *piece);

static struct expression *regex_required(struct regex *regex, const struct regex_piece *piece)
{
    if (!piece->exact)
        return piece->required;
    return piece->length < 2 ? expression_true(regex->arena)
                             : expression_run(regex->arena, piece->bytes, piece->length);
}

static void regex_break(struct regex *regex, struct regex_sequence *sequence)
{
    struct expression *run = NULL;

    sequence->pure = false;
    if (sequence->run_length > 1 && sequence->count < REGEX_CHILDREN_MAX) {
        run = expression_run(regex->arena, sequence->run, sequence->run_length);
        regex->no_memory = regex->no_memory || run == NULL;
        if (run != NULL)
            sequence->children[sequence->count++] = run;
    }
    sequence->run_length = 0;
}

static void regex_append_exact(struct regex *regex, struct regex_sequence *sequence,
                               const struct regex_piece *piece)
{
    if (sequence->run_length + piece->length > REGEX_RUN_MAX)
        regex_break(regex, sequence);
    memcpy(sequence->run + sequence->run_length, piece->bytes,
           piece->length * sizeof(piece->bytes[0]));
    sequence->run_length += piece->length;
}

/* `piece`, `least` to `most` times. */
static void regex_append(struct regex *regex, struct regex_sequence *sequence,
                         const struct regex_piece *piece, uint32_t least, uint32_t most)
{
    uint32_t copies = least < REGEX_COPIES_MAX ? least : REGEX_COPIES_MAX;

    if (piece->exact && piece->length == 0)
        return;
    /* A gap is any number of white bytes: however often it is repeated, it is one. */
    if (piece->exact && piece->length == 1 && piece->bytes[0].gap) {
        regex_append_exact(regex, sequence, piece);
        return;
    }
    if (least == 0 || !piece->exact)
        regex_break(regex, sequence);
    if (least == 0)
        return;
    if (!piece->exact) {
        if (piece->required == NULL)
            regex->no_memory = true;
        else if (sequence->count < REGEX_CHILDREN_MAX && !expression_is_true(piece->required))
            sequence->children[sequence->count++] = piece->required;
        return;
    }
    for (uint32_t i = 0; i < copies; i++)
        regex_append_exact(regex, sequence, piece);
    if (most != least || copies != least) {
        regex_break(regex, sequence);
        /* The last repetition stands before what follows. */
        regex_append_exact(regex, sequence, piece);
    }
}

/* Comments, and in extended mode white space, between items are nothing: a quantifier behind them
 * belongs to the item before. */
static void regex_skip_space(struct regex *regex)
{
    while (!regex->bad && regex->at < regex->end) {
        uint8_t c = (uint8_t)*regex->at;
        bool extended = (regex->options & REGEX_EXTENDED) != 0;

        if (regex_eat(regex, "(?#"))
            regex_skip_past(regex, ')');
        else if (extended && c == '#')
            while (regex->at < regex->end && *regex->at++ != '\n')
                continue;
        else if (extended && (c == ' ' || (c >= '\t' && c <= '\r')))
            regex->at++;
        else
            return;
    }
}

/* {n} {n,} {n,m}: true when it is one. `at` is on the brace. What later versions of PCRE2 take for
 * one ({,m}, spaces) and earlier ones for text is not read. */
static bool regex_braces(struct regex *regex, uint32_t *least, uint32_t *most)
{
    const char *at = regex->at + 1;
    uint32_t numbers[2] = {0, 0};
    bool digits[2] = {false, false};
    unsigned index = 0;

    for (; at < regex->end && *at != '}'; at++) {
        if (*at == ',' && index == 0) {
            index = 1;
        } else if (regex_digit(*at)) {
            numbers[index] = numbers[index] < 100000 ? numbers[index] * 10 + (uint32_t)(*at - '0')
                                                     : numbers[index];
            digits[index] = true;
        } else {
            regex->bad = regex->bad || *at == ' ' || *at == '\t';
            return false;
        }
    }
    if (at == regex->end || !digits[0]) {
        regex->bad = regex->bad || digits[1];
        return false;
    }
    *least = numbers[0];
    *most = index == 0 ? numbers[0] : REGEX_UNBOUNDED;
    if (digits[1])
        *most = numbers[1];
    regex->at = at + 1;
    return true;
}

static void regex_quantifier(struct regex *regex, uint32_t *least, uint32_t *most)
{
    bool found = true;

    *least = 1;
    *most = 1;
    regex_skip_space(regex);
    if (regex_eat(regex, "*")) {
        *least = 0;
        *most = REGEX_UNBOUNDED;
    } else if (regex_eat(regex, "+")) {
        *most = REGEX_UNBOUNDED;
    } else if (regex_eat(regex, "?")) {
        *least = 0;
    } else {
        found = regex_is(regex, '{') && regex_braces(regex, least, most);
    }
    if (found) {
        regex_skip_space(regex);
        (void)(regex_eat(regex, "?") || regex_eat(regex, "+"));
    }
}

/* (?flags) and (?flags:...): `at` is on the first of them. True when the group goes on. */
static bool regex_flags(struct regex *regex)
{
    bool set = true;

    if (regex_eat(regex, "^"))
        regex->options &= ~(REGEX_CASELESS | REGEX_EXTENDED);
    for (; regex->at < regex->end; regex->at++) {
        unsigned option = *regex->at == 'i' ? REGEX_CASELESS : 0;

        option |= *regex->at == 'x' ? REGEX_EXTENDED : 0;

        if (*regex->at == '-')
            set = false;
        else if (option != 0)
            regex->options = set ? regex->options | option : regex->options & ~option;
        else if (strchr("msnJU", *regex->at) == NULL || *regex->at == '\0')
            break;
    }
    if (regex_eat(regex, ":"))
        return true;
    regex->bad = regex->bad || !regex_eat(regex, ")");
    return false;
}

enum regex_group {
    REGEX_PLAIN,     /* what is inside is matched */
    REGEX_ASSERTION, /* nothing is consumed, nothing is required */
    REGEX_OPTIONAL,  /* inside, but not certainly */
    REGEX_SET_FLAGS, /* flags for what follows; the group is over */
    REGEX_OVER,      /* a reference or recursion; the group is over */
};

/* A group that starts with (?, `at` behind it. */
static enum regex_group regex_group_kind(struct regex *regex)
{
    if (regex_eat(regex, ":") || regex_eat(regex, "|") || regex_eat(regex, ">"))
        return REGEX_PLAIN;
    if (regex_eat(regex, "=") || regex_eat(regex, "!") || regex_eat(regex, "<=") ||
        regex_eat(regex, "<!"))
        return REGEX_ASSERTION;
    if (regex_eat(regex, "P<") || regex_eat(regex, "<")) {
        regex->bad = regex_is(regex, '*');
        regex_skip_past(regex, '>');
        return REGEX_PLAIN;
    }
    if (regex_eat(regex, "'")) {
        regex_skip_past(regex, '\'');
        return REGEX_PLAIN;
    }
    if (regex_eat(regex, "P=") || regex_eat(regex, "P>") || regex_eat(regex, "R") ||
        regex_eat(regex, "&") || (regex->at < regex->end && regex_digit(*regex->at)) ||
        (regex->end - regex->at > 1 && strchr("+-", *regex->at) != NULL &&
         regex_digit(regex->at[1]))) {
        regex_skip_past(regex, ')');
        return REGEX_OVER;
    }
    if (regex_eat(regex, "(")) {
        /* A condition: a number or a name, not an assertion. */
        regex->bad = regex->bad || regex_is(regex, '?') || regex_is(regex, '*');
        regex_skip_past(regex, ')');
        return REGEX_OPTIONAL;
    }
    return regex_flags(regex) ? REGEX_PLAIN : REGEX_SET_FLAGS;
}

/* `at` is behind the opening parenthesis. */
static void regex_group(struct regex *regex, struct regex_piece *piece)
{
    unsigned options = regex->options;
    enum regex_group kind = REGEX_PLAIN;

    regex_nothing(piece);
    if (regex_is(regex, '*') || regex->depth == REGEX_DEPTH_MAX) {
        regex->bad = true;
        return;
    }
    if (regex_eat(regex, "?"))
        kind = regex_group_kind(regex);
    if (regex->bad || kind == REGEX_SET_FLAGS)
        return;
    if (kind == REGEX_OVER) {
        regex_unknown(regex, piece);
        return;
    }
    regex->depth++;
    regex_alternatives(regex, piece);
    regex->depth--;
    if (!regex_eat(regex, ")"))
        regex->bad = true;
    regex->options = options;
    if (kind == REGEX_ASSERTION)
        regex_nothing(piece);
    else if (kind == REGEX_OPTIONAL)
        regex_unknown(regex, piece);
}

/* Text up to \E, with a quantifier perhaps, which belongs to the last character: that is left out.
 * `at` is behind \Q. */
static void regex_quoted(struct regex *regex, struct regex_sequence *sequence)
{
    struct regex_piece piece;
    const char *start = regex->at;
    const char *end;
    uint32_t least;
    uint32_t most;

    while (regex->at < regex->end &&
           !(regex->end - regex->at > 1 && regex->at[0] == '\\' && regex->at[1] == 'E'))
        regex->at++;
    end = regex->at;
    (void)regex_eat(regex, "\\E");
    /* Behind nothing a quantifier belongs to what stands before. */
    regex->bad = regex->bad || end == start;
    for (const char *at = start; at + 1 < end; at++) {
        regex_fixed(regex, &piece, (uint8_t)*at);
        regex_append(regex, sequence, &piece, 1, 1);
    }
    regex_break(regex, sequence);
    regex_quantifier(regex, &least, &most);
}

static void regex_item(struct regex *regex, struct regex_sequence *sequence)
{
    struct regex_piece piece;
    uint32_t least;
    uint32_t most;
    char c = *regex->at;

    if (regex_eat(regex, "\\Q")) {
        regex_quoted(regex, sequence);
        return;
    }
    regex->at++;
    switch (c) {
    case '\\':
        regex_escape(regex, &piece);
        break;
    case '[':
        regex_class(regex, &piece);
        break;
    case '(':
        regex_group(regex, &piece);
        break;
    case '.':
        regex_unknown(regex, &piece);
        break;
    case '^':
    case '$':
        regex_nothing(&piece);
        break;
    case '*':
    case '+':
    case '?':
        regex->bad = true;
        return;
    default:
        if ((regex->options & REGEX_EXTENDED) != 0 && (uint8_t)c >= 0x80)
            regex_unknown(regex, &piece);
        else
            regex_fixed(regex, &piece, (uint8_t)c);
    }
    if (regex->bad)
        return;
    regex_quantifier(regex, &least, &most);
    regex_append(regex, sequence, &piece, least, most);
}

static void regex_branch(struct regex *regex, struct regex_piece *piece)
{
    struct regex_sequence sequence;

    /* Not the arrays: they are large. */
    sequence.pure = true;
    sequence.run_length = 0;
    sequence.count = 0;
    regex_skip_space(regex);
    while (!regex->bad && regex->at < regex->end && *regex->at != '|' && *regex->at != ')') {
        regex_item(regex, &sequence);
        regex_skip_space(regex);
    }
    piece->exact = sequence.pure && sequence.run_length <= REGEX_EXACT_MAX;
    if (piece->exact) {
        piece->length = sequence.run_length;
        memcpy(piece->bytes, sequence.run, sequence.run_length * sizeof(sequence.run[0]));
        return;
    }
    regex_break(regex, &sequence);
    piece->required = expression_and(regex->arena, sequence.children, sequence.count);
    regex->no_memory = regex->no_memory || piece->required == NULL;
}

/* Up to the end or a closing parenthesis. */
static void regex_alternatives(struct regex *regex, struct regex_piece *piece)
{
    struct expression *branches[REGEX_CHILDREN_MAX];
    unsigned count = 0;
    bool more;

    regex_branch(regex, piece);
    if (!regex_is(regex, '|'))
        return;
    do {
        branches[count++] = regex_required(regex, piece);
        if (count == REGEX_CHILDREN_MAX) {
            branches[0] = expression_or(regex->arena, branches, count);
            count = 1;
        }
        more = !regex->bad && regex_eat(regex, "|");
        if (more)
            regex_branch(regex, piece);
    } while (more);
    piece->exact = false;
    piece->required = expression_or(regex->arena, branches, count);
    regex->no_memory = regex->no_memory || piece->required == NULL;
}

struct expression *regex_read(struct expression_arena *arena, const char *pattern, size_t length,
                              unsigned options, const char **doubt)
{
    struct regex regex = {
        .arena = arena, .at = pattern, .end = pattern + length, .options = options};
    struct regex_piece piece;
    struct expression *required;

    regex_alternatives(&regex, &piece);
    if (regex.bad || regex.at != regex.end) {
        *doubt = "regular expression not understood";
        return expression_true(arena);
    }
    required = regex.no_memory ? NULL : regex_required(&regex, &piece);
    if (required != NULL && expression_is_true(required) && *doubt == NULL)
        *doubt = "regular expression without two fixed bytes in a row";
    return required;
}

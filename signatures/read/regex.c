/* What every match of a regular expression contains.
 *
 * The syntax is PCRE2's, as far as signatures use it. Consecutive mandatory characters become a
 * run, alternatives an OR; whatever has no fixed bytes (classes, '.', references) ends a run;
 * assertions require nothing. A construct that could change the meaning of its surroundings and is
 * not known here makes the whole expression TRUE.
 */
#include <string.h>

#include "signatures/read/read.h"

#define REGEX_DEPTH_MAX    100u
#define REGEX_EXACT_MAX    32u /* a group of so many fixed bytes is one with its neighbours */
#define REGEX_RUN_MAX      512u
#define REGEX_CHILDREN_MAX 64u
#define REGEX_COPIES_MAX   32u
#define REGEX_UNBOUNDED    UINT32_MAX

/* What an item matches: exactly these bytes (none: nothing is consumed), or something that
 * requires an expression. */
struct regex_piece {
    bool exact;
    unsigned length;
    struct expression_byte bytes[REGEX_EXACT_MAX];
    struct expression *required;
};

/* A branch while it is read. */
struct regex_sequence {
    bool pure; /* only fixed bytes so far */
    struct expression_byte run[REGEX_RUN_MAX];
    unsigned run_length;
    struct expression *children[REGEX_CHILDREN_MAX];
    unsigned count;
};

struct regex {
    struct expression_arena *arena;
    const char *at;
    const char *end;
    unsigned options;
    unsigned depth;
    bool bad;
    bool no_memory;
};

static void regex_alternatives(struct regex *regex, struct regex_piece *piece);

static void regex_unknown(struct regex *regex, struct regex_piece *piece)
{
    piece->exact = false;
    piece->required = expression_true(regex->arena);
}

static void regex_nothing(struct regex_piece *piece)
{
    piece->exact = true;
    piece->length = 0;
}

static void regex_fixed(struct regex *regex, struct regex_piece *piece, uint8_t value)
{
    bool letter = (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z');

    piece->exact = true;
    piece->length = 1;
    piece->bytes[0] =
        (struct expression_byte){value, 0xff, letter && (regex->options & REGEX_CASELESS) != 0};
}

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

static bool regex_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int regex_hex(char c)
{
    if (regex_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool regex_is(const struct regex *regex, char c)
{
    return regex->at < regex->end && *regex->at == c;
}

static bool regex_eat(struct regex *regex, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(regex->end - regex->at) < length || memcmp(regex->at, text, length) != 0)
        return false;
    regex->at += length;
    return true;
}

/* Up to and with `close`. */
static void regex_skip_past(struct regex *regex, char close)
{
    const char *found = memchr(regex->at, close, (size_t)(regex->end - regex->at));

    if (found == NULL)
        regex->bad = true;
    else
        regex->at = found + 1;
}

/* \xHH, \x{HH}; `at` is behind the x. False: not one byte. */
static bool regex_hex_escape(struct regex *regex, uint8_t *value)
{
    unsigned number = 0;
    unsigned digits = 0;
    bool braces = regex_eat(regex, "{");

    while (regex->at < regex->end && regex_hex(*regex->at) >= 0 && digits < (braces ? 8u : 2u)) {
        number = number * 16 + (unsigned)regex_hex(*regex->at++);
        digits++;
    }
    if (braces && (digits == 0 || number > 0xff || !regex_eat(regex, "}")))
        regex->bad = true;
    *value = (uint8_t)number;
    return !regex->bad;
}

/* \0, \012; `at` is on the zero. */
static uint8_t regex_octal_escape(struct regex *regex)
{
    unsigned number = 0;

    for (unsigned digits = 0;
         digits < 3 && regex->at < regex->end && *regex->at >= '0' && *regex->at <= '7'; digits++)
        number = number * 8 + (unsigned)(*regex->at++ - '0');
    return (uint8_t)number;
}

/* An escape that is one byte, inside a class as outside; `at` is behind the backslash. 1: it is;
 * 0: it is something else, and nothing was read. */
static bool regex_byte_escape(struct regex *regex, uint8_t *value)
{
    static const char letters[] = "nrtfae";
    static const uint8_t values[] = {'\n', '\r', '\t', '\f', 7, 27};
    char c = *regex->at;
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;

    if (letter != NULL) {
        *value = values[letter - letters];
        regex->at++;
        return true;
    }
    if (c == 'x') {
        regex->at++;
        return regex_hex_escape(regex, value);
    }
    if (c == '0') {
        *value = regex_octal_escape(regex);
        return true;
    }
    if (regex_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return false;
    *value = (uint8_t)c;
    regex->at++;
    return true;
}

/* \g and \k: references. `at` is behind the letter. */
static void regex_reference(struct regex *regex)
{
    if (regex_eat(regex, "{"))
        regex_skip_past(regex, '}');
    else if (regex_eat(regex, "<"))
        regex_skip_past(regex, '>');
    else if (regex_eat(regex, "'"))
        regex_skip_past(regex, '\'');
    else {
        (void)(regex_eat(regex, "-") || regex_eat(regex, "+"));
        while (regex->at < regex->end && regex_digit(*regex->at))
            regex->at++;
    }
}

/* `at` is behind the backslash. */
static void regex_escape(struct regex *regex, struct regex_piece *piece)
{
    uint8_t value;
    char c;

    regex_nothing(piece);
    if (regex->at == regex->end) {
        regex->bad = true;
        return;
    }
    if (regex_byte_escape(regex, &value)) {
        regex_fixed(regex, piece, value);
        return;
    }
    if (regex->bad)
        return;
    c = *regex->at++;
    if (strchr("bBAZzGK", c) != NULL)
        return;
    if (c == 's') {
        piece->length = 1;
        piece->bytes[0] = (struct expression_byte){' ', 0xff, false, true};
        return;
    }
    regex_unknown(regex, piece);
    if (strchr("dDwWShHvVRNXC", c) != NULL && !(c == 'N' && regex_is(regex, '{')))
        return;
    if (regex_digit(c)) {
        /* A reference, or octal: which depends on the number of groups. */
        while (regex->at < regex->end && regex_digit(*regex->at))
            regex->at++;
    } else if (c == 'g' || c == 'k') {
        regex_reference(regex);
    } else if (c == 'p' || c == 'P' || c == 'o') {
        if (regex_eat(regex, "{"))
            regex_skip_past(regex, '}');
        else
            regex->at += regex->at < regex->end ? 1 : 0;
    } else if (c == 'c' && regex->at < regex->end) {
        regex->at++;
    } else {
        regex->bad = true;
    }
}

/* [:name:] inside a class, or a bracket that only looks like it: then nobody knows. */
static bool regex_posix_class(struct regex *regex)
{
    const char *at = regex->at;

    if (regex->end - at < 2 || at[0] != '[' || strchr(":.=", at[1]) == NULL)
        return false;
    at += 2;
    at += at < regex->end && *at == '^' ? 1 : 0;
    while (at < regex->end && *at >= 'a' && *at <= 'z')
        at++;
    if (regex->end - at < 2 || at[0] != ':' || at[1] != ']' || regex->at[1] != ':')
        regex->bad = true;
    else
        regex->at = at + 2;
    return true;
}

/* What a class says as far as it matters here: one byte, or the two cases of one letter. */
struct regex_class {
    uint8_t first;
    unsigned count;
    bool cases;   /* the second was the first in the other case */
    bool complex; /* anything else */
};

static void regex_class_add(struct regex_class *set, uint8_t value)
{
    uint8_t low = set->first | 0x20;

    if (set->count == 0) {
        set->first = value;
        set->count = 1;
    } else if (value != set->first && low >= 'a' && low <= 'z' && (value ^ set->first) == 0x20) {
        set->cases = true;
    } else if (value != set->first) {
        set->complex = true;
    }
}

/* One item of a class. */
static void regex_class_item(struct regex *regex, struct regex_class *set)
{
    uint8_t value = (uint8_t)*regex->at;

    if (regex_posix_class(regex)) {
        set->complex = true;
        return;
    }
    if (value == '\\') {
        if (++regex->at == regex->end) {
            regex->bad = true;
        } else if (regex_eat(regex, "Q")) {
            set->complex = true;
            while (regex->at < regex->end && !regex_eat(regex, "\\E"))
                regex->at++;
        } else if (regex_byte_escape(regex, &value)) {
            regex_class_add(set, value);
        } else if (!regex->bad) {
            char c = *regex->at++;

            set->complex = true;
            if (c == 'c' && regex->at < regex->end)
                regex->at++;
        }
        return;
    }
    /* White space in a class is left out in one of the extended modes. */
    if (value == '-' || ((regex->options & REGEX_EXTENDED) != 0 && value <= ' '))
        set->complex = true;
    regex_class_add(set, value);
    regex->at++;
}

/* `at` is behind the bracket. */
static void regex_class(struct regex *regex, struct regex_piece *piece)
{
    struct regex_class set = {.count = 0};

    set.complex = regex_eat(regex, "^");
    if (regex_eat(regex, "]"))
        regex_class_add(&set, ']');
    while (!regex->bad && regex->at < regex->end && *regex->at != ']')
        regex_class_item(regex, &set);
    if (!regex_eat(regex, "]"))
        regex->bad = true;
    if (set.complex || set.count != 1) {
        regex_unknown(regex, piece);
        return;
    }
    regex_fixed(regex, piece, set.first);
    piece->bytes[0].caseless = piece->bytes[0].caseless || set.cases;
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

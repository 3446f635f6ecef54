#include "signatures/read/regex.h"

#include <string.h>

void regex_unknown(struct regex *regex, struct regex_piece *piece)
{
    piece->exact = false;
    piece->required = expression_true(regex->arena);
}

void regex_nothing(struct regex_piece *piece)
{
    piece->exact = true;
    piece->length = 0;
}

void regex_fixed(struct regex *regex, struct regex_piece *piece, uint8_t value)
{
    bool letter = (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z');

    piece->exact = true;
    piece->length = 1;
    piece->bytes[0] =
        (struct expression_byte){value, 0xff, letter && (regex->options & REGEX_CASELESS) != 0};
}

bool regex_digit(char c)
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

bool regex_is(const struct regex *regex, char c)
{
    return regex->at < regex->end && *regex->at == c;
}

bool regex_eat(struct regex *regex, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(regex->end - regex->at) < length || memcmp(regex->at, text, length) != 0)
        return false;
    regex->at += length;
    return true;
}

void regex_skip_past(struct regex *regex, char close)
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

void regex_escape(struct regex *regex, struct regex_piece *piece)
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

void regex_class(struct regex *regex, struct regex_piece *piece)
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

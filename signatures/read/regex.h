/* regex.h: the reader of regular expressions, inside: regex.c reads their structure (branches,
 * groups, quantifiers), regex_atom.c what stands for one character (escapes, classes). For others:
 * read.h.
 *
 * Threads: one a reader. Nothing here allocates but expressions, from the reader's arena. What is
 * not understood sets `bad`, which makes the whole expression TRUE, and reading goes on to any end.
 */
#ifndef SIGNATURES_READ_REGEX_H
#define SIGNATURES_READ_REGEX_H

#include "signatures/read/read.h"

#define REGEX_EXACT_MAX 32u /* a group of so many fixed bytes is one with its neighbours */

/* What an item matches: exactly these bytes (none: nothing is consumed), or something that
 * requires an expression. */
struct regex_piece {
    bool exact;
    unsigned length;
    struct expression_byte bytes[REGEX_EXACT_MAX];
    struct expression *required;
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

/* Whether the next character is `c`. */
bool regex_is(const struct regex *regex, char c);

/* Goes past `text` if it comes next. */
bool regex_eat(struct regex *regex, const char *text);

/* Up to and with `close`. */
void regex_skip_past(struct regex *regex, char close);

bool regex_digit(char c);

/* The piece is something that nothing is known about, nothing at all, or one byte. */
void regex_unknown(struct regex *regex, struct regex_piece *piece);
void regex_nothing(struct regex_piece *piece);
void regex_fixed(struct regex *regex, struct regex_piece *piece, uint8_t value);

/* `at` is behind the backslash. */
void regex_escape(struct regex *regex, struct regex_piece *piece);

/* `at` is behind the bracket. */
void regex_class(struct regex *regex, struct regex_piece *piece);

#endif

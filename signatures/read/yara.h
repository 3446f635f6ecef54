/* yara.h: tokens of YARA rules and a rule while it is read; private to this library.
 *
 * The tokens are those of the YARA version inside libclamav: where its scanner and this one cut
 * differently, a rule could be missed.
 */
#ifndef SIGNATURES_READ_YARA_H
#define SIGNATURES_READ_YARA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/read/expression.h"

#define YARA_STRINGS_MAX 64u

enum yara_kind {
    YARA_END,
    YARA_STOP,       /* a character at which libclamav stops reading the file */
    YARA_BROKEN,     /* a string, expression or comment without an end */
    YARA_WORD,       /* keyword or identifier */
    YARA_STRING,     /* $name */
    YARA_STRING_SET, /* $name* */
    YARA_COUNT,      /* #name */
    YARA_OFFSET,     /* @name */
    YARA_NUMBER,
    YARA_TEXT,    /* what is between the quotes */
    YARA_HEX,     /* with the braces */
    YARA_REGEX,   /* what is between the slashes */
    YARA_INCLUDE, /* include "file" */
    YARA_SIGN,    /* one character, or << >> <= >= == != */
};

struct yara_token {
    enum yara_kind kind;
    const char *start;
    size_t length;
    uint64_t number;
    bool caseless; /* regular expression */
};

struct yara_scan {
    const char *at;
    const char *end;
    unsigned line;
};

void yara_next(struct yara_scan *scan, struct yara_token *token);

bool yara_is(const struct yara_token *token, const char *text); /* a word or sign */

struct yara_string {
    const char *name; /* without the first character */
    size_t length;
    struct expression *required;
    bool referenced;
};

enum yara_fate {
    YARA_TAKEN,
    YARA_REFUSED, /* certainly by libclamav */
    YARA_UNKNOWN, /* not understood here */
};

struct yara {
    struct reader *reader;
    struct expression_arena *arena;
    struct yara_scan scan;
    struct yara_token token;
    enum yara_fate fate;
    bool plain;        /* nothing in the condition that libclamav could refuse */
    bool strings_left; /* of a rule that may have been refused */
    uint64_t before;   /* the last rule with strings */
    unsigned depth;
    unsigned string_count;
    struct yara_string strings[YARA_STRINGS_MAX];
    const char *doubt;
};

/* yara_parse.c */
void yara_advance(struct yara *yara);
void yara_give_up(struct yara *yara, enum yara_fate fate);
bool yara_eat(struct yara *yara, const char *text);
void yara_expect(struct yara *yara, const char *text);
struct expression *yara_true(struct yara *yara);

/* yara_condition.c: what a condition requires, up to what ends it. */
struct expression *yara_or(struct yara *yara);

/* Words that end or join expressions, or belong elsewhere. */
bool yara_is_keyword(const struct yara_token *token);

/* yara_string.c: the value behind `$name =` and its modifiers. */
struct expression *yara_string_value(struct yara *yara);

#endif

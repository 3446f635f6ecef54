#include "signatures/read/yara.h"

#include <string.h>

static bool scan_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool scan_hex(char c)
{
    return scan_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_name(char c)
{
    return scan_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char scan_ahead(const struct yara_scan *scan, size_t distance)
{
    return (size_t)(scan->end - scan->at) > distance ? scan->at[distance] : '\0';
}

static void scan_take(struct yara_scan *scan, struct yara_token *token, enum yara_kind kind,
                      size_t length)
{
    token->kind = kind;
    token->start = scan->at;
    token->length = length;
    for (size_t i = 0; i < length; i++)
        scan->line += scan->at[i] == '\n' ? 1 : 0;
    scan->at += length;
}

/* White space and comments. False in a comment without an end. */
static bool scan_skip(struct yara_scan *scan)
{
    struct yara_token skipped;

    for (;;) {
        size_t length = 0;
        char c = scan_ahead(scan, 0);

        if (scan->at < scan->end && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            length = 1;
        } else if (c == '/' && scan_ahead(scan, 1) == '/') {
            const char *end = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));

            length = (size_t)((end != NULL ? end : scan->end) - scan->at);
        } else if (c == '/' && scan_ahead(scan, 1) == '*') {
            const char *end = memmem(scan->at + 2, (size_t)(scan->end - scan->at - 2), "*/", 2);

            if (end == NULL)
                return false;
            length = (size_t)(end + 2 - scan->at);
        } else {
            return true;
        }
        scan_take(scan, &skipped, YARA_END, length);
    }
}

/* "text" and /expression/: `at` is on the first delimiter. */
static void scan_quoted(struct yara_scan *scan, struct yara_token *token, enum yara_kind kind)
{
    char delimiter = *scan->at;
    size_t length = 1;

    while (scan_ahead(scan, length) != delimiter || scan->at + length >= scan->end) {
        bool escape = scan_ahead(scan, length) == '\\';

        if (scan->at + length + (escape ? 1 : 0) >= scan->end || scan->at[length] == '\n' ||
            (escape && kind == YARA_REGEX && scan->at[length + 1] == '\n')) {
            token->kind = YARA_BROKEN;
            return;
        }
        length += escape ? 2 : 1;
    }
    scan_take(scan, token, kind, length + 1);
    token->start++;
    token->length -= 2;
    token->caseless = kind == YARA_REGEX && scan_ahead(scan, 0) == 'i';
    if (token->caseless)
        scan->at++;
    if (kind == YARA_REGEX && scan_ahead(scan, 0) == 's')
        scan->at++;
}

/* A hex string, or only a brace. */
static void scan_brace(struct yara_scan *scan, struct yara_token *token)
{
    size_t length = 1;

    while (scan->at + length < scan->end &&
           (scan_hex(scan->at[length]) ||
            (scan->at[length] != '\0' && strchr(" -|?[]()\n\t", scan->at[length]) != NULL)))
        length++;
    if (length > 1 && scan_ahead(scan, length) == '}')
        scan_take(scan, token, YARA_HEX, length + 1);
    else
        scan_take(scan, token, YARA_SIGN, 1);
}

/* 12, 12KB, 12MB, 0x12. */
static void scan_number(struct yara_scan *scan, struct yara_token *token)
{
    size_t length = 0;
    uint64_t number = 0;

    if (scan_ahead(scan, 0) == '0' && scan_ahead(scan, 1) == 'x' && scan_hex(scan_ahead(scan, 2))) {
        length = 2;
        while (scan_hex(scan_ahead(scan, length)))
            length++;
        scan_take(scan, token, YARA_NUMBER, length);
        token->number = UINT64_MAX; /* its value is not needed */
        return;
    }
    while (scan_digit(scan_ahead(scan, length))) {
        number = number < UINT32_MAX ? number * 10 + (uint64_t)(scan->at[length] - '0') : number;
        length++;
    }
    if ((scan_ahead(scan, length) == 'K' || scan_ahead(scan, length) == 'M') &&
        scan_ahead(scan, length + 1) == 'B') {
        length += 2;
        number *= 1024;
    }
    scan_take(scan, token, YARA_NUMBER, length);
    token->number = number;
}

static void scan_word(struct yara_scan *scan, struct yara_token *token)
{
    size_t length = 0;

    while (scan_name(scan_ahead(scan, length)))
        length++;
    if (length == 7 && memcmp(scan->at, "include", 7) == 0) {
        size_t space = length;

        while (scan_ahead(scan, space) == ' ' || scan_ahead(scan, space) == '\t')
            space++;
        if (space > length && scan_ahead(scan, space) == '"') {
            scan->at += space;
            scan_quoted(scan, token, YARA_INCLUDE);
            return;
        }
    }
    scan_take(scan, token, YARA_WORD, length);
}

/* $name, $name*, #name, @name. */
static void scan_reference(struct yara_scan *scan, struct yara_token *token)
{
    size_t length = 1;
    enum yara_kind kind = YARA_STRING;

    while (scan_name(scan_ahead(scan, length)))
        length++;
    if (*scan->at == '#')
        kind = YARA_COUNT;
    else if (*scan->at == '@')
        kind = YARA_OFFSET;
    else if (scan_ahead(scan, length) == '*')
        kind = YARA_STRING_SET;
    scan_take(scan, token, kind, kind == YARA_STRING_SET ? length + 1 : length);
}

/* << >> <= >= == != */
static bool scan_is_pair(char first, char second)
{
    if (first == '<' || first == '>')
        return second == first || second == '=';
    return (first == '=' || first == '!') && second == '=';
}

void yara_next(struct yara_scan *scan, struct yara_token *token)
{
    char c;

    *token = (struct yara_token){.kind = YARA_END, .start = scan->at};
    if (!scan_skip(scan)) {
        token->kind = YARA_BROKEN;
        return;
    }
    if (scan->at == scan->end)
        return;
    c = *scan->at;
    if (scan_digit(c))
        scan_number(scan, token);
    else if (scan_name(c))
        scan_word(scan, token);
    else if (c == '$' || c == '#' || c == '@')
        scan_reference(scan, token);
    else if (c == '"')
        scan_quoted(scan, token, YARA_TEXT);
    else if (c == '/')
        scan_quoted(scan, token, YARA_REGEX);
    else if (c == '{')
        scan_brace(scan, token);
    else if (c < ' ' || c > '~')
        token->kind = YARA_STOP;
    else
        scan_take(scan, token, YARA_SIGN, scan_is_pair(c, scan_ahead(scan, 1)) ? 2 : 1);
}

bool yara_is(const struct yara_token *token, const char *text)
{
    return (token->kind == YARA_WORD || token->kind == YARA_SIGN) &&
           token->length == strlen(text) && memcmp(token->start, text, token->length) == 0;
}

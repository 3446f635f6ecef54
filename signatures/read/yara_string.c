#include <stdlib.h>
#include <string.h>

#include "signatures/read/read.h"
#include "signatures/read/yara.h"

#define YARA_TEXT_MAX 1000u /* libclamav's buffer for one holds 1,024 */

/* A text as a hex pattern. An escape that YARA does not know leaves a gap. */
static struct expression *yara_text(struct yara *yara, const struct yara_token *token,
                                    unsigned options)
{
    char pattern[2 * YARA_TEXT_MAX + 1];
    size_t length = 0;

    if (token->length > YARA_TEXT_MAX) {
        yara->doubt = "long YARA string";
        return yara_true(yara);
    }
    for (size_t i = 0; i < token->length; i++) {
        const char *at = token->start + i;
        const char *escape = NULL;

        if (*at != '\\') {
            length += (size_t)snprintf(pattern + length, 3, "%02x", (uint8_t)*at);
            continue;
        }
        i++;
        escape = at[1] != '\0' ? strchr("t\tn\n\"\"\\\\", at[1]) : NULL;
        if (at[1] == 'x' && i + 2 < token->length &&
            strspn(at + 2, "0123456789abcdefABCDEF") >= 2) {
            pattern[length++] = at[2];
            pattern[length++] = at[3];
            i += 2;
        } else if (escape != NULL && at[1] != '\t' && at[1] != '\n') {
            length += (size_t)snprintf(pattern + length, 3, "%02x", (uint8_t)escape[1]);
        } else {
            pattern[length++] = '*';
        }
    }
    return body_read(yara->arena, pattern, length, options, &yara->doubt);
}

/* A hex string: its jumps are written [n-m]. */
static struct expression *yara_hex(struct yara *yara, const struct yara_token *token)
{
    char *pattern = malloc(token->length + 1);
    struct expression *required;
    size_t length = 0;

    if (pattern == NULL)
        return NULL;
    for (size_t i = 1; i + 1 < token->length; i++) {
        char c = token->start[i];

        if (c == '[')
            c = '{';
        else if (c == ']')
            c = '}';
        if (c != ' ' && c != '\n' && c != '\t')
            pattern[length++] = c;
    }
    required = body_read(yara->arena, pattern, length, 0, &yara->doubt);
    free(pattern);
    return required;
}

/* A regular expression, its escaped slashes made plain. */
static struct expression *yara_regex(struct yara *yara, const struct yara_token *token,
                                     unsigned options)
{
    char pattern[YARA_TEXT_MAX];
    size_t length = 0;

    if (token->length > YARA_TEXT_MAX) {
        yara->doubt = "long YARA string";
        return yara_true(yara);
    }
    for (size_t i = 0; i < token->length; i++) {
        const char *at = token->start + i;

        if (*at == '\\' && i + 1 < token->length) {
            if (at[1] != '/')
                pattern[length++] = *at;
            pattern[length++] = at[1];
            i++;
        } else {
            pattern[length++] = *at;
        }
    }
    return regex_read(yara->arena, pattern, length, options, &yara->doubt);
}

struct expression *yara_string_value(struct yara *yara)
{
    struct yara_token value = yara->token;
    struct expression *wide = NULL;
    bool is_wide = false;
    bool is_ascii = false;
    bool caseless = value.caseless;

    yara_advance(yara);
    if (value.kind == YARA_HEX)
        return yara_hex(yara, &value);
    if (value.kind != YARA_TEXT && value.kind != YARA_REGEX) {
        yara_give_up(yara, yara_is(&value, "{") ? YARA_REFUSED : YARA_UNKNOWN);
        return yara_true(yara);
    }
    for (;; yara_advance(yara)) {
        if (yara_is(&yara->token, "wide"))
            is_wide = true;
        else if (yara_is(&yara->token, "ascii"))
            is_ascii = true;
        else if (yara_is(&yara->token, "nocase"))
            caseless = true;
        else if (!yara_is(&yara->token, "fullword"))
            break;
    }
    if (value.kind == YARA_REGEX)
        return yara_regex(yara, &value, caseless ? REGEX_CASELESS : 0);
    if (is_wide) {
        struct expression *both[2];

        wide = yara_text(yara, &value, BODY_WIDE | (caseless ? BODY_CASELESS : 0));
        if (!is_ascii)
            return wide;
        both[0] = wide;
        both[1] = yara_text(yara, &value, caseless ? BODY_CASELESS : 0);
        return expression_or(yara->arena, both, 2);
    }
    return yara_text(yara, &value, caseless ? BODY_CASELESS : 0);
}

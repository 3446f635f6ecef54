/* The values that an attribute of a field may have, as some reader takes them. */
#include <stdio.h>
#include <string.h>

#include "signatures/content/mime/text.h"
#include "signatures/content/readings/internal.h"

#define VALUES_SECTIONS 64u /* pieces of one value (RFC 2231 3) */

struct values {
    value_take *take;
    void *context;
    bool more; /* false: enough */
};

static void values_give(struct values *values, const uint8_t *value, size_t length)
{
    if (values->more && length > 0 && length <= VALUES_ROOM)
        values->more = values->take(values->context, value, length);
}

/* Without what stands around it. */
static struct piece value_trim(struct piece value, const char *around)
{
    while (value.length > 0 && strchr(around, value.at[0]) != NULL && value.at[0] != 0) {
        value.at++;
        value.length--;
    }
    while (value.length > 0 && strchr(around, value.at[value.length - 1]) != NULL &&
           value.at[value.length - 1] != 0)
        value.length--;
    return value;
}

/* As it is, and without blanks, quotes and apostrophes around it. */
static void values_trimmed(struct values *values, struct piece value)
{
    struct piece trimmed = value_trim(value, " \t\r\n");

    values_give(values, value.at, value.length);
    if (trimmed.length != value.length)
        values_give(values, trimmed.at, trimmed.length);
    value = value_trim(trimmed, " \t\r\n\"'");
    if (value.length != trimmed.length)
        values_give(values, value.at, value.length);
}

/* Undoes percent escapes, with charset and language in front or without (RFC 2231 4). */
static void values_percent(struct values *values, struct piece value)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[VALUES_ROOM];
    const uint8_t *quote = memchr(value.at, '\'', value.length);
    size_t length = 0;

    if (value.length > VALUES_ROOM)
        return;
    if (quote != NULL) {
        const uint8_t *end = value.at + value.length;
        const uint8_t *second = memchr(quote + 1, '\'', (size_t)(end - quote - 1));

        if (second != NULL)
            value = (struct piece){second + 1, (size_t)(end - second - 1)};
    }
    for (size_t i = 0; i < value.length; i++) {
        const char *high =
            i + 2 < value.length ? strchr(digits, mime_lower(value.at[i + 1])) : NULL;
        const char *low = i + 2 < value.length ? strchr(digits, mime_lower(value.at[i + 2])) : NULL;

        if (value.at[i] == '%' && high != NULL && low != NULL && value.at[i + 1] != 0 &&
            value.at[i + 2] != 0) {
            text[length++] = (uint8_t)((high - digits) * 16 + (low - digits));
            i += 2;
        } else {
            text[length++] = value.at[i];
        }
    }
    values_give(values, text, length);
}

/* Undoes encoded words (RFC 2047), which do not belong there. */
static void values_words(struct values *values, struct piece value)
{
    uint8_t text[VALUES_ROOM];
    size_t length = value.length;
    bool found = false;

    if (length > VALUES_ROOM || !mime_contains(value.at, length, "=?"))
        return;
    memcpy(text, value.at, length);
    if (mime_words_decode(text, &length, &found) && found)
        values_give(values, text, length);
}

/* Without line ends, as unfolding leaves it, and without the blanks behind them, too. */
static void values_unfolded(struct values *values, struct piece value)
{
    uint8_t kept[VALUES_ROOM];
    uint8_t joined[VALUES_ROOM];
    size_t kept_length = 0;
    size_t joined_length = 0;
    bool folded = false;

    if (value.length > VALUES_ROOM || memchr(value.at, '\n', value.length) == NULL)
        return;
    for (size_t i = 0; i < value.length; i++) {
        uint8_t byte = value.at[i];

        if (byte == '\r' || byte == '\n') {
            folded = true;
            continue;
        }
        kept[kept_length++] = byte;
        if (folded && mime_is_blank(byte))
            continue;
        folded = false;
        joined[joined_length++] = byte;
    }
    values_give(values, kept, kept_length);
    values_give(values, joined, joined_length);
}

static void values_all(struct values *values, struct piece value, bool extended)
{
    values_trimmed(values, value);
    values_unfolded(values, value);
    values_words(values, value);
    if (extended || memchr(value.at, '%', value.length) != NULL)
        values_percent(values, value);
}

/* From `at` on until one of `stops`, or the end. */
static struct piece value_until(const uint8_t *at, const uint8_t *end, const char *stops)
{
    const uint8_t *from = at;

    while (at < end && (*at == 0 || strchr(stops, *at) == NULL))
        at++;
    return (struct piece){from, (size_t)(at - from)};
}

/* "...": with what is escaped in it taken as itself. */
static void values_escaped(struct values *values, const uint8_t *at, const uint8_t *end)
{
    uint8_t text[VALUES_ROOM];
    size_t length = 0;

    for (; at < end && *at != '"' && length < sizeof(text); at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        text[length++] = *at;
    }
    values_all(values, (struct piece){text, length}, false);
}

/* Comments left out. */
static void values_uncommented(struct values *values, struct piece value)
{
    uint8_t text[VALUES_ROOM];
    size_t length = 0;
    unsigned depth = 0;

    if (value.length > VALUES_ROOM || memchr(value.at, '(', value.length) == NULL)
        return;
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] == '(')
            depth++;
        else if (value.at[i] == ')' && depth > 0)
            depth--;
        else if (depth == 0)
            text[length++] = value.at[i];
    }
    values_all(values, (struct piece){text, length}, false);
}

/* Where the field ends: at a line end that no blank follows, or an empty line. */
static const uint8_t *values_field_end(const uint8_t *at, const uint8_t *end)
{
    if ((size_t)(end - at) > 4 * VALUES_ROOM)
        end = at + 4 * VALUES_ROOM;
    while (at < end) {
        const uint8_t *next;
        struct piece line = line_at(at, end, &next);

        if (next == end || !mime_is_blank(*next))
            return line.at + line.length;
        at = next;
    }
    return end;
}

/* One value, which starts at `at`. */
static void values_one(struct values *values, const uint8_t *at, const uint8_t *end, bool extended)
{
    while (at < end && (mime_is_blank(*at) || *at == '\r' || *at == '\n'))
        at++;
    if (at < end && *at == '"') {
        values_escaped(values, at + 1, end);
        values_all(values, value_until(at + 1, end, "\""), extended);
        values_all(values, value_until(at + 1, end, "\";"), extended);
        values_all(values, value_until(at + 1, end, "\"\r\n"), extended);
    }
    values_all(values, value_until(at, end, " \t\r\n"), extended);
    values_all(values, value_until(at, end, " \t\r\n;"), extended);
    values_all(values, value_until(at, end, ";"), extended);
    values_all(values, value_until(at, end, "\r\n"), extended);
    values_all(values, value_until(at, end, " \t\r\n;,()<>@\\/[]?\""), extended);
    values_uncommented(values, value_until(at, end, ";"));
}

/* The text of one piece of a value: without quotes. */
static struct piece value_section(const uint8_t *at, const uint8_t *end)
{
    while (at < end && mime_is_blank(*at))
        at++;
    if (at < end && *at == '"')
        return value_until(at + 1, end, "\"\r\n");
    return value_until(at, end, " \t\r\n;");
}

/* Joins the pieces that follow: name*1=..., name*2*=... The first one's value starts at `at`. */
static void values_joined(struct values *values, struct piece name, const uint8_t *at,
                          const uint8_t *end)
{
    uint8_t text[VALUES_ROOM];
    size_t length = 0;

    for (unsigned number = 0; number < VALUES_SECTIONS; number++) {
        struct piece section = value_section(at, end);
        char next[80];

        if (section.length > sizeof(text) - length)
            return;
        memcpy(text + length, section.at, section.length);
        length += section.length;
        (void)snprintf(next, sizeof(next), "%.*s*%u", (int)name.length, (const char *)name.at,
                       number + 1);
        for (char *letter = next; *letter != '\0'; letter++)
            *letter = (char)mime_lower((uint8_t)*letter);
        at = text_find((struct piece){at, (size_t)(end - at)}, at, next);
        at = at == end ? end : at + strlen(next);
        while (at < end && (*at == '*' || *at == '=' || mime_is_blank(*at)))
            at++;
        if (at == end)
            break;
    }
    values_all(values, (struct piece){text, length}, true);
}

void values_find(struct piece text, const uint8_t *at, value_take *take, void *context)
{
    struct values values = {take, context, true};
    const uint8_t *end = values_field_end(at, text.at + text.length);
    struct piece name = {at, 0};
    bool extended = false;

    while (name.at > text.at && name.length < 32 && mime_is_token(name.at[-1])) {
        name.at--;
        name.length++;
    }
    while (at < end && (*at == '*' || (*at >= '0' && *at <= '9'))) {
        extended = true;
        at++;
    }
    while (at < end && (mime_is_blank(*at) || *at == '\r' || *at == '\n'))
        at++;
    if (at == end || *at != '=')
        return;
    values_one(&values, at + 1, end, extended);
    if (extended)
        values_joined(&values, name, at + 1, end);
}

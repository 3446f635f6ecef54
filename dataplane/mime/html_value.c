/* Attribute values. */
#include <string.h>

#include "dataplane/mime/html_machine.h"

static void html_copy(uint8_t *to, uint32_t at, uint32_t room, const uint8_t *from, size_t length)
{
    size_t count = at < room ? room - at : 0;

    if (count > length)
        count = length;
    memcpy(to + at, from, count);
}

void html_value_add(struct html_normaliser *html, const uint8_t *bytes, size_t length)
{
    uint32_t before = html->value_length;

    if (before < sizeof(html->head))
        html_copy(html->head, before, sizeof(html->head), bytes, length);
    if (html->keep)
        html_copy(html->value, before, HTML_VALUE_MAX, bytes, length);
    html->value_length =
        length < HTML_VALUE_MAX - before ? before + (uint32_t)length : HTML_VALUE_MAX;
    if (before < 6 && html->value_length >= 5 &&
        (memcmp(html->head, "data:", 5) == 0 ||
         (html->value_length >= 6 && memcmp(html->head, "\"data:", 6) == 0)))
        html_gate(html, HTML_GATE_DATA_URL);
}

static void html_value_byte(struct html_normaliser *html, uint8_t byte)
{
    html_value_add(html, &byte, 1);
}

/* The value is complete. The first of a name is the one that counts; as in a C string, a zero byte
 * ends it, and where it begins with a quote its last byte is taken for the other one. */
static void html_value_end(struct html_normaliser *html)
{
    html->state = HTML_ARGUMENT;
    html->skip = true;
    html->argument_length = 0;
    if (!html->keep)
        return;
    html->keep = false;
    html->kept = true;
    html->kept_length = (uint32_t)strnlen((const char *)html->value, html->value_length);
}

static void html_value_quote(struct html_normaliser *html, struct html_cursor *cursor, uint8_t byte)
{
    bool ends = html->value_length > 0 && html->quote == byte;

    cursor->at++;
    if (html->value_length == 0)
        html->quote = byte;
    html_put(cursor, '"');
    html_value_byte(html, '"');
    if (ends)
        html_value_end(html);
}

static void html_value_space(struct html_normaliser *html, struct html_cursor *cursor, uint8_t byte)
{
    if (html->quote == 0) {
        html_value_end(html);
        return;
    }
    cursor->at++;
    html_put(cursor, byte == '\n' ? ' ' : byte);
    html_value_byte(html, byte == '>' ? '>' : ' ');
    html->quote = 0;
    html->skip = true;
}

/* Writes the held group of high bytes, `byte` being what follows it. Returns true when that was
 * part of it. */
static bool html_value_high(struct html_normaliser *html, struct html_cursor *cursor, uint8_t byte)
{
    uint32_t high = html->value_high;
    uint8_t bytes[3];
    size_t length = 0;

    html->value_high = 0;
    if (html_is_stop(high, byte)) {
        html_put(cursor, '.');
        html_value_byte(html, '.');
        return high == 0xa1;
    }
    if (high >= 0x10000)
        bytes[length++] = (uint8_t)(high >> 16);
    if (high >= 0x100)
        bytes[length++] = (uint8_t)(high >> 8);
    bytes[length++] = (uint8_t)high;
    for (size_t i = 0; i < length; i++)
        html_put(cursor, bytes[i]);
    html_value_add(html, bytes, length);
    return false;
}

static void html_value_plain(struct html_normaliser *html, struct html_cursor *cursor, uint8_t byte)
{
    cursor->at++;
    if (html->value_high != 0 && (byte < 0x80 || html->value_high >= 0x10000) &&
        html_value_high(html, cursor, byte))
        return;
    if (byte >= 0x80) {
        html->value_high = html->value_high << 8 | byte;
    } else {
        html_put(cursor, html_lower(byte));
        html_value_byte(html, byte);
    }
}

void html_value(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at;

        if (byte == '\r') {
            cursor->at++;
        } else if (byte == '&') {
            cursor->at++;
            html->state = HTML_REFERENCE;
            html->back = HTML_VALUE;
            return;
        } else if (byte == '\'' || byte == '"') {
            html_value_quote(html, cursor, byte);
        } else if (byte == '>' || (html_class[byte] & HTML_IS_SPACE) != 0) {
            html_value_space(html, cursor, byte);
        } else {
            html_value_plain(html, cursor, byte);
        }
        if (html->state != HTML_VALUE || html->skip || html->gate != HTML_GATE_NONE)
            return;
    }
}

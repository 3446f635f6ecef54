/* Tags: their names, the names of their arguments, and what a tag does when it is complete. */
#include <string.h>

#include "dataplane/mime/html_machine.h"

/* Appends to a name of which the first eight bytes are remembered. */
static void html_name_add(uint8_t name[8], uint32_t *length, uint8_t byte)
{
    if (*length < 8)
        name[*length] = byte;
    if (*length < UINT32_MAX)
        (*length)++;
}

static bool html_is(const uint8_t name[8], uint32_t length, const char *text)
{
    return length == strlen(text) && memcmp(name, text, length) == 0;
}

void html_tag(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at;

        if (byte == '\r') {
            cursor->at++;
            continue;
        }
        if (html->tag_length == 0 && byte == '!') {
            /* The '<' of a comment has not been written, except in a style sheet, where comments
             * stay. */
            if (html->style) {
                html_put(cursor, '<');
                html_put(cursor, '!');
            }
            cursor->at++;
            html->state = HTML_COMMENT;
            return;
        }
        if (html->tag_length == 0)
            html_put(cursor, '<');
        if (byte == '>') {
            html_put(cursor, '>');
            cursor->at++;
            html->state = HTML_TAG_END;
            html->skip = true;
            return;
        }
        if ((html_class[byte] & HTML_IS_SPACE) != 0) {
            html->state = html->style ? HTML_TAG_END : HTML_ARGUMENT;
            html->argument_length = 0;
            html->skip = true;
            return;
        }
        byte = html_lower(byte);
        html_put(cursor, byte);
        cursor->at++;
        html_name_add(html->tag, &html->tag_length, byte);
        if (html->style && html->tag_length == 1 && byte != '/') {
            html->state = HTML_TEXT;
            return;
        }
    }
}

/* The value of this argument is one that the end of the tag will ask for. */
static bool html_argument_wanted(const struct html_normaliser *html)
{
    if (html->argument_length == 4 && memcmp(html->argument, "href", 4) == 0)
        return html_is(html->tag, html->tag_length, "a");
    if (html->argument_length == 3 && memcmp(html->argument, "src", 3) == 0)
        return html_is(html->tag, html->tag_length, "img");
    return false;
}

static void html_argument_value(struct html_normaliser *html, struct html_cursor *cursor)
{
    html_put(cursor, '=');
    cursor->at++;
    html->state = HTML_VALUE;
    html->skip = true;
    html->quote = 0;
    html->value_length = 0;
    html->keep = !html->kept && html_argument_wanted(html);
}

/* An argument without a value. */
static void html_argument_end(struct html_normaliser *html)
{
    if (html->argument_length > 0 && !html->kept && html_argument_wanted(html)) {
        html->kept = true;
        html->kept_length = 0;
    }
}

void html_argument(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at;

        if (byte == '\r') {
            cursor->at++;
            continue;
        }
        if (byte == '=') {
            html_argument_value(html, cursor);
            return;
        }
        if ((html_class[byte] & HTML_IS_SPACE) != 0) {
            cursor->at++;
            html->state = HTML_EQUAL;
            html->skip = true;
            return;
        }
        cursor->at++;
        if (byte == '>') {
            html_put(cursor, '>');
            html_argument_end(html);
            html->state = HTML_TAG_END;
            return;
        }
        if (html->argument_length == 0)
            html_put(cursor, ' ');
        byte = html_lower(byte);
        html_put(cursor, byte);
        html_name_add(html->argument, &html->argument_length, byte);
    }
}

void html_equal(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (*cursor->at == '=') {
        html_argument_value(html, cursor);
        return;
    }
    html_argument_end(html);
    html->argument_length = 0;
    html->state = HTML_ARGUMENT;
}

static void html_style_end(struct html_normaliser *html, struct html_cursor *cursor)
{
    /* libclamav steps back over "</style>" and gives up when that is not in this chunk. */
    if (cursor->at - cursor->style < 8) {
        html->stopped = true;
        return;
    }
    html_style(html, cursor->style, cursor->at - 8);
    html->style = false;
}

/* notags has the address a link or an image goes to. */
static void html_address(struct html_normaliser *html, struct html_cursor *cursor)
{
    const uint8_t *bytes = html->value;
    size_t length = html->kept_length;

    if (length > 0 && bytes[0] == '"') {
        bytes++;
        length = length > 1 ? length - 2 : 0;
    }
    if (length == 0)
        return;
    memcpy(cursor->notags, bytes, length);
    cursor->notags += length;
    *cursor->notags++ = ' ';
    html->spaced = true;
}

void html_tag_end(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (*cursor->at == '\r') {
        cursor->at++;
        return;
    }
    html->state = HTML_TEXT;
    html->skip = true;
    if (html_is(html->tag, html->tag_length, "/style") && html->style) {
        html_style_end(html, cursor);
    } else if (html_is(html->tag, html->tag_length, "/script")) {
        html->style = false;
    } else if (html_is(html->tag, html->tag_length, "script")) {
        html_gate(html, HTML_GATE_SCRIPT);
    } else if (html_is(html->tag, html->tag_length, "%@")) {
        html_gate(html, HTML_GATE_ENCODED_SCRIPT);
    } else if (html_is(html->tag, html->tag_length, "style")) {
        html->style = true;
        cursor->style = cursor->at;
        html_style_begin(html);
    } else if (html->kept) {
        html_address(html, cursor);
    }
    html->kept = false;
}

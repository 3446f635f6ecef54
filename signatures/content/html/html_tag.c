/* Tags: their names, the names of their arguments, and what a tag does when it is complete. */
#include <string.h>

#include "signatures/content/html/html_machine.h"
#include "signatures/content/html/html_run.h"

/* Appends to a name of which the first eight bytes are remembered. */
static void html_name_add(uint8_t name[8], uint32_t *length, uint8_t byte)
{
    if (*length < 8)
        name[*length] = byte;
    if (*length < UINT32_MAX)
        (*length)++;
}

/* A name of `length` bytes is `text`, a literal of at most eight. */
#define html_is(name, length, text) \
    ((length) == sizeof(text) - 1 && memcmp(name, text, sizeof(text) - 1) == 0)

/* A tag of which only the arguments are to come. */
static void html_tag_arguments(struct html_normaliser *html)
{
    html->state = HTML_ARGUMENT;
    html->argument_length = 0;
    html->asks = HTML_ASKS_NOTHING;
    if (html_is(html->tag, html->tag_length, "a"))
        html->asks = HTML_ASKS_HREF;
    else if (html_is(html->tag, html->tag_length, "img"))
        html->asks = HTML_ASKS_SRC;
}

/* Takes the beginning of a name, if there is enough behind it. */
static inline void html_name_run(struct html_cursor *cursor, uint8_t name[8], uint32_t *length)
{
    unsigned run;

    if ((size_t)(cursor->end - cursor->at) <= HTML_RUN)
        return;
    run = html_run_name(cursor->at, cursor->nocomment);
    memcpy(name, cursor->nocomment, 8);
    *length = run;
    cursor->at += run;
    cursor->nocomment += run;
}

static void html_tag(struct html_normaliser *html, struct html_cursor *cursor)
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
        if (html->tag_length == 0) {
            html_put(cursor, '<');
            if (!html->style) {
                html_name_run(cursor, html->tag, &html->tag_length);
                byte = *cursor->at;
                if (byte == '\r')
                    continue;
            }
        }
        if (byte == '>') {
            html_put(cursor, '>');
            cursor->at++;
            html->state = HTML_TAG_END;
            html->skip = true;
            return;
        }
        if ((html_class[byte] & HTML_IS_SPACE) != 0) {
            html->skip = true;
            if (html->style)
                html->state = HTML_TAG_END;
            else
                html_tag_arguments(html);
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

static void html_copy(uint8_t *to, size_t at, size_t room, const uint8_t *from, size_t length)
{
    size_t count = at < room ? room - at : 0;

    if (count > length)
        count = length;
    if (count > 0)
        memcpy(to + at, from, count);
}

/* The beginning of the value, `length` bytes of it, is that of a data: URL. */
static bool html_value_data(const struct html_normaliser *html, size_t length)
{
    return (length >= 5 && memcmp(html->head, "data:", 5) == 0) ||
           (length >= 6 && memcmp(html->head, "\"data:", 6) == 0);
}

void html_value_add(struct html_normaliser *html, const uint8_t *bytes, size_t length)
{
    size_t before = html->value_length;

    html_copy(html->head, before, HTML_HEAD, bytes, length);
    if (html->keep)
        html_copy(html->value, before, HTML_VALUE_MAX, bytes, length);
    html->value_length += length;
    if (before < 6 && html_value_data(html, html->value_length))
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
    html->kept_length = (uint32_t)strnlen((const char *)html->value,
                                          html->value_length < HTML_VALUE_MAX ? html->value_length
                                                                              : HTML_VALUE_MAX);
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

/* As html_value_add(), but of bytes with others behind them, so that sixteen can be copied. */
static inline void html_value_copy(struct html_normaliser *html, size_t before,
                                   const uint8_t *bytes, size_t length)
{
    if (before < HTML_HEAD) {
        memcpy(html->head + before, bytes, HTML_RUN);
        if ((html->head[0] == 'd' || html->head[1] == 'd') &&
            html_value_data(html, before + length))
            html_gate(html, HTML_GATE_DATA_URL);
    }
    if (html->keep) {
        if (before <= HTML_VALUE_MAX - HTML_RUN)
            memcpy(html->value + before, bytes, HTML_RUN);
        else
            html_copy(html->value, before, HTML_VALUE_MAX, bytes, length);
    }
}

/* What most values are made of, in registers: stops in front of what needs more thought, near the
 * end of the chunk, and at the end of the value. */
static void html_value_run(struct html_normaliser *html, struct html_cursor *cursor)
{
    const uint8_t *at = cursor->at;
    uint8_t *nocomment = cursor->nocomment;
    size_t before = html->value_length;
    bool over = false;

    while ((size_t)(cursor->end - at) > HTML_RUN && !over) {
        unsigned length = html_run_value(at, nocomment);
        uint8_t byte = at[length];

        html_value_copy(html, before, at, length);
        before += length;
        at += length;
        nocomment += length;
        if (length == HTML_RUN)
            continue;
        if (byte == '"' || byte == '\'') {
            static const uint8_t quote[HTML_RUN] = "\"";

            html_value_copy(html, before, quote, 1);
            if (before == 0)
                html->quote = byte;
            else
                over = byte == html->quote;
            before++;
            at++;
            *nocomment++ = '"';
        } else if (html->quote == 0 && (byte == '>' || byte == ' ' || byte == '\n')) {
            over = true;
        } else {
            break;
        }
    }
    cursor->at = at;
    cursor->nocomment = nocomment;
    html->value_length = before;
    if (over)
        html_value_end(html);
}

static void html_value(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        uint8_t byte;

        if (html->value_high == 0)
            html_value_run(html, cursor);
        if (html->state != HTML_VALUE || html->gate != HTML_GATE_NONE || cursor->at == cursor->end)
            return;
        byte = *cursor->at;
        if (byte == '\r') {
            cursor->at++;
        } else if (byte == '&') {
            cursor->at++;
            html->state = HTML_REFERENCE;
            html->back = HTML_VALUE;
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

/* The value of this argument is one that the end of the tag will ask for. */
static inline bool html_argument_wanted(const struct html_normaliser *html)
{
    if (html->asks == HTML_ASKS_NOTHING || html->kept)
        return false;
    if (html->asks == HTML_ASKS_HREF)
        return html_is(html->argument, html->argument_length, "href");
    return html_is(html->argument, html->argument_length, "src");
}

static void html_argument_value(struct html_normaliser *html, struct html_cursor *cursor)
{
    html_put(cursor, '=');
    cursor->at++;
    html->state = HTML_VALUE;
    html->skip = true;
    html->quote = 0;
    html->value_length = 0;
    html->keep = html_argument_wanted(html);
}

/* An argument without a value. */
static inline void html_argument_end(struct html_normaliser *html)
{
    if (html->argument_length > 0 && html_argument_wanted(html)) {
        html->kept = true;
        html->kept_length = 0;
    }
    html->argument_length = 0;
}

/* Arguments whose names do not matter, nor how many there are. */
static void html_names_run(struct html_normaliser *html, struct html_cursor *cursor)
{
    const uint8_t *at = cursor->at;
    uint8_t *nocomment = cursor->nocomment;
    unsigned length;

    do {
        length = html_run_names(at, nocomment);
        at += length;
        nocomment += length;
    } while (length >= HTML_RUN - 1 && (size_t)(cursor->end - at) > HTML_RUN);
    cursor->at = at;
    cursor->nocomment = nocomment;
    html->argument_length = UINT32_MAX;
}

/* Part of an argument's name. */
static void html_argument_name(struct html_normaliser *html, struct html_cursor *cursor,
                               uint8_t byte)
{
    if (html->argument_length == 0)
        html_put(cursor, ' ');
    if (byte > 0x20 && (size_t)(cursor->end - cursor->at) > HTML_RUN) {
        if (html->asks == HTML_ASKS_NOTHING) {
            html_names_run(html, cursor);
            return;
        }
        if (html->argument_length == 0) {
            html_name_run(cursor, html->argument, &html->argument_length);
            return;
        }
    }
    byte = html_lower(byte);
    html_put(cursor, byte);
    cursor->at++;
    html_name_add(html->argument, &html->argument_length, byte);
}

/* White space behind an argument's name. */
static inline void html_argument_space(struct html_normaliser *html, struct html_cursor *cursor)
{
    cursor->at = html_skip(cursor->at, cursor->end);
    if (cursor->at == cursor->end)
        html->state = HTML_EQUAL;
    else if (*cursor->at != '=')
        html_argument_end(html);
}

static void html_argument(struct html_normaliser *html, struct html_cursor *cursor)
{
    do {
        uint8_t byte = *cursor->at;

        if ((html_class[byte] & HTML_IS_NAME) != 0) {
            html_argument_name(html, cursor, byte);
            if (cursor->at == cursor->end)
                return;
            byte = *cursor->at;
        }
        if (byte == '=') {
            html_argument_value(html, cursor);
            return;
        }
        if (byte == '>') {
            html_put(cursor, '>');
            cursor->at++;
            html_argument_end(html);
            html->state = HTML_TAG_END;
            return;
        }
        if (byte == '\r')
            cursor->at++;
        else if ((html_class[byte] & HTML_IS_SPACE) != 0)
            html_argument_space(html, cursor);
    } while (cursor->at < cursor->end);
}

/* Something that is not white space has come behind an argument's name. */
static void html_equal(struct html_normaliser *html, const struct html_cursor *cursor)
{
    if (*cursor->at != '=')
        html_argument_end(html);
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

/* The tags that change how what follows is read. */
static void html_tag_special(struct html_normaliser *html, struct html_cursor *cursor)
{
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
    }
}

static void html_tag_end(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (*cursor->at == '\r') {
        cursor->at++;
        return;
    }
    html->state = HTML_TEXT;
    html->skip = true;
    if (html->kept)
        html_address(html, cursor);
    else if (html->tag_length >= 2 && html->tag_length <= 7 && /* quickly not for most */
             (html->tag[0] == 's' || html->tag[1] == 's' || html->tag[0] == '%'))
        html_tag_special(html, cursor);
    html->kept = false;
}

/* Skips what is to be skipped; false at the end of the chunk. */
static inline bool html_ready(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (html->skip) {
        cursor->at = html_skip(cursor->at, cursor->end);
        html->skip = cursor->at == cursor->end;
    }
    return cursor->at < cursor->end;
}

/* Tags often stand beside each other. */
static inline bool html_tag_next(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (html->state != HTML_TEXT || html->gate != HTML_GATE_NONE || html->stopped ||
        !html_ready(html, cursor) || *cursor->at != '<')
        return false;
    html_space(html, cursor);
    html_tag_begin(html);
    cursor->at++;
    return html_ready(html, cursor);
}

/* From an argument to the end of its tag. Returns false where that is not reached. */
static inline bool html_arguments(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (html->state == HTML_ARGUMENT) {
        if (!html_ready(html, cursor))
            return false;
        html_argument(html, cursor);
        if (html->state != HTML_VALUE || !html_ready(html, cursor))
            break;
        html_value(html, cursor);
    }
    return html->state == HTML_TAG_END && html_ready(html, cursor);
}

void html_tag_states(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (html->state == HTML_VALUE) {
        html_value(html, cursor);
        return;
    }
    if (html->state == HTML_EQUAL) {
        html->skip = true;
        if (!html_ready(html, cursor))
            return;
        html_equal(html, cursor);
    }
    do {
        if (html->state == HTML_TAG)
            html_tag(html, cursor);
        if (!html_arguments(html, cursor))
            return;
        html_tag_end(html, cursor);
    } while (html_tag_next(html, cursor));
}

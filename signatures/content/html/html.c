/* Chunks: how the input is cut before the state machine sees it, and what is given out. */
#include <string.h>

#include "platform/check.h"
#include "signatures/content/html/html_machine.h"
#include "signatures/content/html/html_run.h"

#define WINDOW    (HTML_CHUNK_MAX + 1u)
#define PAGE_SIZE 4096u

const char *html_gate_text(enum html_gate gate)
{
    static const char *const texts[HTML_GATE_COUNT] = {
#define X(name, text) text,
        HTML_GATE_LIST(X)
#undef X
    };

    return gate < HTML_GATE_COUNT ? texts[gate] : "unknown";
}

void html_begin(struct html_normaliser *html, const struct html_sink *sink)
{
    /* The buffers at the end need no zeroes. */
    memset(html, 0, offsetof(struct html_normaliser, value));
    html->sink = *sink;
    html->state = HTML_TEXT;
}

static void html_step(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (html->state <= HTML_SPACE)
        html_text(html, cursor);
    else if (html->state <= HTML_TAG_END)
        html_tag_states(html, cursor);
    else if (html->state == HTML_REFERENCE)
        html_reference(html, cursor);
    else if (html->state == HTML_ENTITY)
        html_entity(html, cursor);
    else if (html->state == HTML_NUMBER)
        html_number(html, cursor);
    else if (html->state == HTML_HIGH)
        html_high(html, cursor);
    else
        html_comment(html, cursor);
}

static void html_give(struct html_normaliser *html, const struct html_cursor *cursor)
{
    size_t nocomment = (size_t)(cursor->nocomment - html->nocomment);
    size_t notags = (size_t)(cursor->notags - html->notags);

    CHECK(nocomment <= HTML_FORM_ROOM && notags <= HTML_FORM_ROOM);
    if (nocomment > 0)
        html->sink.nocomment(html->sink.context, html->nocomment, nocomment);
    if (notags > 0)
        html->sink.notags(html->sink.context, html->notags, notags);
}

static void html_chunk(struct html_normaliser *html, const uint8_t *bytes, size_t length)
{
    struct html_cursor cursor = {.at = html_skip(bytes, bytes + length),
                                 .end = bytes + length,
                                 .style = bytes,
                                 .nocomment = html->nocomment,
                                 .notags = html->notags};

    while (cursor.at < cursor.end && html->gate == HTML_GATE_NONE && !html->stopped) {
        if (html->skip) {
            cursor.at = html_skip(cursor.at, cursor.end);
            if (cursor.at == cursor.end)
                break;
            html->skip = false;
        }
        html_step(html, &cursor);
    }
    if (html->style && html->gate == HTML_GATE_NONE && !html->stopped)
        html_style(html, cursor.style, cursor.end);
    html_give(html, &cursor);
}

/* How much of a full window (a chunk and the byte after it) is the chunk. */
static size_t html_chunk_length(struct html_normaliser *html, const uint8_t *window)
{
    size_t length = HTML_CHUNK_MAX;

    if ((html_class[window[HTML_CHUNK_MAX]] & HTML_IS_SPACE) != 0) {
        /* In a map that is read on demand this byte is zero as long as nobody has wanted its page,
         * and then the chunk would end elsewhere. */
        if ((html->offset + HTML_CHUNK_MAX) % PAGE_SIZE == 0)
            html_gate(html, HTML_GATE_MAP_PAGE);
        return length;
    }
    while (length > 1 && (html_class[window[length - 1]] & HTML_IS_SPACE) == 0)
        length--;
    return length == 1 ? HTML_CHUNK_MAX : length;
}

/* Takes a chunk from a full window; returns its length. */
static size_t html_window(struct html_normaliser *html, const uint8_t *window)
{
    size_t length;

    if (memchr(window, 0, WINDOW) != NULL)
        html_gate(html, HTML_GATE_NUL);
    length = html_chunk_length(html, window);
    if (html->gate == HTML_GATE_NONE)
        html_chunk(html, window, length);
    html->offset += length;
    return length;
}

void html_feed(struct html_normaliser *html, const uint8_t *bytes, size_t length)
{
    while (length > 0 && html->gate == HTML_GATE_NONE && !html->stopped) {
        size_t taken;

        if (html->held_length == 0 && length >= WINDOW) {
            taken = html_window(html, bytes);
            bytes += taken;
            length -= taken;
            continue;
        }
        taken = WINDOW - html->held_length;
        if (taken > length)
            taken = length;
        memcpy(html->held + html->held_length, bytes, taken);
        html->held_length += (uint32_t)taken;
        bytes += taken;
        length -= taken;
        if (html->held_length == WINDOW) {
            size_t used = html_window(html, html->held);

            html->held_length -= (uint32_t)used;
            memmove(html->held, html->held + used, html->held_length);
        }
    }
}

void html_end(struct html_normaliser *html)
{
    struct html_cursor cursor = {.nocomment = html->nocomment, .notags = html->notags};

    if (html->gate != HTML_GATE_NONE || html->stopped)
        return;
    if (memchr(html->held, 0, html->held_length) != NULL)
        html_gate(html, HTML_GATE_NUL);
    else if (html->held_length > 0)
        html_chunk(html, html->held, html->held_length);
    if (html->gate != HTML_GATE_NONE || html->stopped)
        return;
    /* A '<' waits for what follows it, in case that begins a comment. */
    if (html->state == HTML_TAG && html->tag_length == 0)
        html_put(&cursor, '<');
    html_entity_end(html, &cursor);
    html_give(html, &cursor);
}

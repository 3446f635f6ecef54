/* Text, groups of high bytes in it, comments. */
#include <string.h>

#include "signatures/content/html/html_machine.h"
#include "signatures/content/html/html_run.h"

#define S  HTML_IS_SPACE
#define P  (HTML_IS_PLAIN | HTML_IS_NAME | HTML_IS_VALUE)
#define L  (P | HTML_IS_ENTITY)
#define HX (L | HTML_IS_HEX)
#define D  (L | HTML_IS_HEX | HTML_IS_DIGIT)
#define NV (HTML_IS_NAME | HTML_IS_VALUE)
#define NP (HTML_IS_NAME | HTML_IS_PLAIN)
#define N  HTML_IS_NAME

/* clang-format off */
const uint8_t html_class[256] = {
    NV, NV, NV, NV, NV, NV, NV, NV, NV, S,  S,  S,  S,  S,  NV, NV, /* \r is a space here */
    NV, NV, NV, NV, NV, NV, NV, NV, NV, NV, NV, NV, NV, NV, NV, NV,
    S,  P,  NP, P,  P,  P,  N,  NP, P,  P,  P,  P,  P,  L,  P,  P,
    D,  D,  D,  D,  D,  D,  D,  D,  D,  D,  L,  P,  NV, HTML_IS_PLAIN | HTML_IS_VALUE,
    HTML_IS_PLAIN, P,
    P,  HX, HX, HX, HX, HX, HX, L,  L,  L,  L,  L,  L,  L,  L,  L,
    L,  L,  L,  L,  L,  L,  L,  L,  L,  L,  L,  P,  P,  P,  P,  L,
    P,  HX, HX, HX, HX, HX, HX, L,  L,  L,  L,  L,  L,  L,  L,  L,
    L,  L,  L,  L,  L,  L,  L,  L,  L,  L,  L,  P,  P,  P,  P,  P,
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
};
/* clang-format on */

/* A byte of text that is not plain, or any in a style sheet. */
static void html_text_byte(struct html_normaliser *html, struct html_cursor *cursor, uint8_t byte)
{
    cursor->at++;
    if (byte == '\r')
        return;
    if (byte == '<') {
        html_space(html, cursor);
        html_tag_begin(html);
    } else if (byte == '&') {
        html_space(html, cursor);
        html->state = HTML_REFERENCE;
        html->back = HTML_TEXT;
    } else if (byte >= 0x80) {
        html->state = HTML_HIGH;
        html->text_high = byte;
    } else if (html->style) {
        html_put(cursor, byte == '\'' ? '"' : html_lower(byte));
    } else {
        html_put(cursor, html_lower(byte));
        if (byte < 0x20) {
            html_space(html, cursor);
        } else {
            *cursor->notags++ = html_lower(byte);
            html->spaced = false;
        }
    }
}

/* From a byte that stands for itself. */
static void html_text_run(struct html_normaliser *html, struct html_cursor *cursor)
{
    const uint8_t *at = cursor->at;
    uint8_t *nocomment = cursor->nocomment;
    uint8_t *notags = cursor->notags;
    unsigned length;

    do {
        length = html_run_text(at, nocomment, notags);
        at += length;
        nocomment += length;
        notags += length;
        /* 15: a space was last, and goes first in the next run. */
    } while (length >= HTML_RUN - 1 && (size_t)(cursor->end - at) >= HTML_RUN);
    cursor->at = at;
    cursor->nocomment = nocomment;
    cursor->notags = notags;
    html->spaced = false;
}

static void html_style_run(struct html_cursor *cursor)
{
    unsigned length;

    do {
        length = html_run_style(cursor->at, cursor->nocomment);
        cursor->at += length;
        cursor->nocomment += length;
    } while (length == HTML_RUN && (size_t)(cursor->end - cursor->at) >= HTML_RUN);
}

/* White space: one space before what comes after it. Returns false at the end of the chunk. */
static bool html_text_space(struct html_normaliser *html, struct html_cursor *cursor)
{
    html_space(html, cursor);
    html->state = HTML_SPACE;
    cursor->at = html_skip(cursor->at, cursor->end);
    if (cursor->at == cursor->end)
        return false;
    if (!html->style)
        html_put(cursor, ' ');
    html->state = HTML_TEXT;
    return true;
}

void html_text(struct html_normaliser *html, struct html_cursor *cursor)
{
    /* In the state HTML_SPACE notags has its space already. */
    if (html->state == HTML_SPACE && !html_text_space(html, cursor))
        return;
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at;

        if ((html_class[byte] & HTML_IS_PLAIN) != 0 &&
            (size_t)(cursor->end - cursor->at) >= HTML_RUN) {
            if (!html->style) {
                html_text_run(html, cursor);
                continue;
            }
            if (byte != '\'') {
                html_style_run(cursor);
                continue;
            }
        }
        if ((html_class[byte] & HTML_IS_SPACE) != 0 && byte != '\r') {
            if (!html_text_space(html, cursor))
                return;
            continue;
        }
        html_text_byte(html, cursor, byte);
        if (html->state != HTML_TEXT)
            return;
    }
}

void html_high(struct html_normaliser *html, struct html_cursor *cursor)
{
    while (cursor->at < cursor->end) {
        uint8_t byte = *cursor->at == '\n' ? ' ' : *cursor->at;
        uint32_t high = html->text_high;
        uint8_t second = (uint8_t)(high >> 8);

        if (byte == '\r') {
            cursor->at++;
            continue;
        }
        if (byte >= 0x80 && high < 0x10000) {
            html->text_high = high << 8 | byte;
            cursor->at++;
            continue;
        }
        html->text_high = 0;
        if (html_is_stop(high, byte)) {
            html_put(cursor, '.');
            *cursor->notags++ = '.';
            if (high == 0xa1) {
                /* libclamav stays in this state with nothing held: two zero bytes come next. */
                cursor->at++;
                continue;
            }
        } else {
            if (high >= 0x10000) {
                html_put(cursor, (uint8_t)(high >> 16));
                *cursor->notags++ = (uint8_t)(high >> 16);
            }
            if (high >= 0x100) {
                html_put(cursor, second);
                *cursor->notags++ = second;
            }
            html_put(cursor, (uint8_t)high);
            *cursor->notags++ = second; /* not the last one: as libclamav has it */
        }
        html->state = HTML_TEXT;
        return;
    }
}

void html_comment(struct html_normaliser *html, struct html_cursor *cursor)
{
    const uint8_t *last = memchr(cursor->at, '>', (size_t)(cursor->end - cursor->at));
    const uint8_t *stop = last == NULL ? cursor->end : last + 1;

    if (html->style) {
        for (const uint8_t *at = cursor->at; at < stop; at++) {
            if ((html_class[*at] & HTML_IS_SPACE) == 0)
                html_put(cursor, *at == '\'' ? '"' : html_lower(*at));
        }
    }
    cursor->at = stop;
    if (last != NULL) {
        html->state = HTML_TEXT;
        html->skip = true;
    }
}

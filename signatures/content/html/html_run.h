/* html_run.h: sixteen bytes at a time; for the files html*.c alone.
 *
 * Each function reads 16 bytes, writes them in lower case (16 bytes, whatever it returns) and
 * returns how many of them stand for themselves before the first that does not: 0 to 16. HTML is
 * short runs between bytes that mean something, so wider registers gain nothing. With SSE2, which
 * every x86-64 has; elsewhere, or with HTML_PORTABLE, byte by byte with the same results.
 */
#ifndef SIGNATURES_CONTENT_HTML_HTML_RUN_H
#define SIGNATURES_CONTENT_HTML_HTML_RUN_H

#include "signatures/content/html/html_machine.h"

#define HTML_RUN 16u

#if defined(__SSE2__) && !defined(HTML_PORTABLE)
#include <emmintrin.h>

static inline __m128i html_run_load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static inline void html_run_store(uint8_t *to, __m128i bytes)
{
    _mm_storeu_si128((__m128i *)(void *)to, bytes);
}

static inline __m128i html_run_equal(__m128i bytes, char byte)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte));
}

static inline __m128i html_run_lower(__m128i bytes)
{
    /* 'A' to 'Z' plus 37 are 102 to 127; nothing else comes there. */
    __m128i upper = _mm_cmpgt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(37)), _mm_set1_epi8(101));

    return _mm_or_si128(bytes, _mm_and_si128(upper, _mm_set1_epi8(32)));
}

static inline unsigned html_run_mask(__m128i bytes)
{
    return (unsigned)_mm_movemask_epi8(bytes);
}

static inline unsigned html_run_length(unsigned stops)
{
    return (unsigned)__builtin_ctz(stops | 1u << HTML_RUN);
}

/* Words with one space between them: where they stop, or before the space that would be last. */
static inline unsigned html_run_words(unsigned spaces, unsigned stops)
{
    unsigned length = html_run_length(stops | (spaces & spaces << 1));

    return length - (spaces << 1 >> length & 1u);
}

/* Names of tags and arguments: up to white space, a control byte, '>' or '='. */
static inline unsigned html_run_name(const uint8_t *from, uint8_t *to)
{
    __m128i bytes = html_run_load(from);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x20)), bytes);
    __m128i stops = _mm_or_si128(html_run_equal(bytes, '>'), html_run_equal(bytes, '='));

    html_run_store(to, html_run_lower(bytes));
    return html_run_length(html_run_mask(_mm_or_si128(low, stops)));
}

/* Names of arguments with single spaces and line ends (written as spaces) between them, as long as
 * another name's byte comes after: up to '>', '=', a control byte, or white space in front of these
 * or of more white space. The byte before must not be white space, or the first must not. */
static inline unsigned html_run_names(const uint8_t *from, uint8_t *to)
{
    __m128i bytes = html_run_load(from);
    __m128i line = html_run_equal(bytes, '\n');
    __m128i space = _mm_or_si128(html_run_equal(bytes, ' '), line);
    __m128i odd =
        _mm_andnot_si128(line, _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
    __m128i stops = _mm_or_si128(html_run_equal(bytes, '>'), html_run_equal(bytes, '='));

    html_run_store(to, _mm_or_si128(_mm_andnot_si128(line, html_run_lower(bytes)),
                                    _mm_and_si128(line, _mm_set1_epi8(' '))));
    return html_run_words(html_run_mask(space), html_run_mask(_mm_or_si128(odd, stops)));
}

/* Values: up to white space, a control or high byte, '"', '\'', '&' or '>'. */
static inline unsigned html_run_value(const uint8_t *from, uint8_t *to)
{
    __m128i bytes = html_run_load(from);
    __m128i odd = _mm_cmpgt_epi8(_mm_set1_epi8(0x21), bytes); /* signed: high bytes too */
    __m128i quotes = _mm_or_si128(html_run_equal(bytes, '"'),
                                  html_run_equal(_mm_or_si128(bytes, _mm_set1_epi8(1)), '\''));
    __m128i stops = _mm_or_si128(_mm_or_si128(odd, quotes), html_run_equal(bytes, '>'));

    html_run_store(to, html_run_lower(bytes));
    return html_run_length(html_run_mask(stops));
}

/* Style sheets: up to white space, a control or high byte, '<', '&' or '\''. */
static inline unsigned html_run_style(const uint8_t *from, uint8_t *to)
{
    __m128i bytes = html_run_load(from);
    __m128i odd = _mm_cmpgt_epi8(_mm_set1_epi8(0x21), bytes);
    __m128i stops = _mm_or_si128(html_run_equal(bytes, '<'),
                                 html_run_equal(_mm_or_si128(bytes, _mm_set1_epi8(1)), '\''));

    html_run_store(to, html_run_lower(bytes));
    return html_run_length(html_run_mask(_mm_or_si128(odd, stops)));
}

/* Text, single spaces and line ends (written as spaces) included, as long as something that stands
 * for itself comes after them: up to '<', '&', a control or high byte, or white space in front of
 * these or of more white space. The byte before must not be white space, or the first must not. */
static inline unsigned html_run_text(const uint8_t *from, uint8_t *to, uint8_t *too)
{
    __m128i bytes = html_run_load(from);
    __m128i line = html_run_equal(bytes, '\n');
    __m128i space = _mm_or_si128(html_run_equal(bytes, ' '), line);
    __m128i odd = _mm_andnot_si128(line, _mm_cmpgt_epi8(_mm_set1_epi8(0x20), bytes));
    __m128i stops = _mm_or_si128(html_run_equal(bytes, '<'), html_run_equal(bytes, '&'));

    bytes = _mm_or_si128(_mm_andnot_si128(line, html_run_lower(bytes)),
                         _mm_and_si128(line, _mm_set1_epi8(' ')));
    html_run_store(to, bytes);
    html_run_store(too, bytes);
    return html_run_words(html_run_mask(space), html_run_mask(_mm_or_si128(odd, stops)));
}

/* How many of 16 bytes are white space before the first that is not. */
static inline unsigned html_run_space(const uint8_t *from)
{
    __m128i bytes = html_run_load(from);
    __m128i control = _mm_add_epi8(bytes, _mm_set1_epi8(-9)); /* '\t' to '\r': 0 to 4 */

    control = _mm_cmpeq_epi8(_mm_min_epu8(control, _mm_set1_epi8(4)), control);
    return html_run_length(~html_run_mask(_mm_or_si128(control, html_run_equal(bytes, ' '))));
}

#else
#include <string.h>

static inline unsigned html_run_class(const uint8_t *from, uint8_t *to, uint8_t class)
{
    unsigned length = 0;

    for (unsigned i = 0; i < HTML_RUN; i++)
        to[i] = html_lower(from[i]);
    while (length < HTML_RUN && (html_class[from[length]] & class) != 0 && from[length] > 0x20)
        length++;
    return length;
}

static inline unsigned html_run_name(const uint8_t *from, uint8_t *to)
{
    return html_run_class(from, to, HTML_IS_NAME);
}

static inline unsigned html_run_value(const uint8_t *from, uint8_t *to)
{
    return html_run_class(from, to, HTML_IS_VALUE);
}

static inline unsigned html_run_style(const uint8_t *from, uint8_t *to)
{
    unsigned length = html_run_class(from, to, HTML_IS_PLAIN);
    const uint8_t *quote = memchr(from, '\'', length);

    return quote == NULL ? length : (unsigned)(quote - from);
}

static inline unsigned html_run_words(const uint8_t *from, uint8_t *to, uint8_t class)
{
    unsigned length = 0;

    for (unsigned i = 0; i < HTML_RUN; i++)
        to[i] = from[i] == '\n' ? ' ' : html_lower(from[i]);
    while (length < HTML_RUN) {
        if (to[length] == ' ' ? length > 0 && to[length - 1] == ' '
                              : (html_class[from[length]] & class) == 0 || from[length] < 0x20)
            break;
        length++;
    }
    return length > 0 && to[length - 1] == ' ' ? length - 1 : length;
}

static inline unsigned html_run_names(const uint8_t *from, uint8_t *to)
{
    return html_run_words(from, to, HTML_IS_NAME);
}

static inline unsigned html_run_text(const uint8_t *from, uint8_t *to, uint8_t *too)
{
    unsigned length = html_run_words(from, to, HTML_IS_PLAIN);

    memcpy(too, to, HTML_RUN);
    return length;
}

static inline unsigned html_run_space(const uint8_t *from)
{
    unsigned length = 0;

    while (length < HTML_RUN && (html_class[from[length]] & HTML_IS_SPACE) != 0)
        length++;
    return length;
}

#endif

/* Past white space. */
static inline const uint8_t *html_skip(const uint8_t *at, const uint8_t *end)
{
    if (at < end && (html_class[*at] & HTML_IS_SPACE) == 0)
        return at;
    while ((size_t)(end - at) >= HTML_RUN) {
        unsigned length = html_run_space(at);

        at += length;
        if (length < HTML_RUN)
            return at;
    }
    while (at < end && (html_class[*at] & HTML_IS_SPACE) != 0)
        at++;
    return at;
}

#endif

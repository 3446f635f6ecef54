/* ways.h: what the files that undo encodings share; nobody else includes it. */
#ifndef SIGNATURES_CONTENT_READINGS_WAYS_H
#define SIGNATURES_CONTENT_READINGS_WAYS_H

#include "signatures/content/readings/internal.h"
#include "signatures/content/readings/variants.h"

struct ways_sink {
    variants_take *take;
    void *context;
};

/* --- plain.c --- */

/* Bytes that a text of that length may become, whatever its line ends. */
size_t ways_text_room(const uint8_t *body, size_t length);

/* With LF where it has CRLF, or the other way round. Returns the bytes written. */
size_t ways_text_convert(const uint8_t *body, size_t length, bool crlf, uint8_t *to);

/* With its last line end and without, and with one where it has none; two bytes behind it are
 * written. */
bool ways_text_ends(uint8_t *text, size_t length, bool crlf, const struct ways_sink *sink);

static inline bool ways_line_end(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

static inline bool ways_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static inline bool ways_white(uint8_t byte)
{
    return ways_blank(byte) || ways_line_end(byte);
}

#endif

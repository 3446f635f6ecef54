/* parts.h: the seams inside the MIME parser; nothing outside signatures/content/mime includes it.
 */
#ifndef SIGNATURES_CONTENT_MIME_PARTS_H
#define SIGNATURES_CONTENT_MIME_PARTS_H

#include "signatures/content/mime/mime.h"
#include "signatures/content/mime/text.h"

/* --- header.c: one line of a header, without its line end. --- */

void mime_entity_begin(struct mime_parser *parser);

/* Returns true when the line ends the header. */
bool mime_header_line(struct mime_parser *parser, const uint8_t *line, size_t length);

/* More of the same line, which is too long to be taken as a whole. */
void mime_header_more(struct mime_parser *parser, const uint8_t *bytes, size_t length);

/* A doubt. The structure is still looked at, lest something malformed hides behind it, until
 * something malformed is found: that outweighs what came before, and nothing outweighs it. */
static inline void mime_doubt(struct mime_parser *parser, enum mime_gate gate)
{
    bool malformed = mime_gate_class(gate) == GATE_READERS;

    if (gate == MIME_GATE_NONE || parser->stopped)
        return;
    if (parser->gate == MIME_GATE_NONE || malformed)
        parser->gate = gate;
    parser->stopped = malformed;
}

/* A doubt behind which there is nothing to look at: where lines are not lines. */
static inline void mime_stop(struct mime_parser *parser, enum mime_gate gate)
{
    mime_doubt(parser, gate);
    parser->stopped = true;
}

/* --- field.c: the values of the three MIME fields; sets parser->entity or parser->gate. --- */

void mime_field_type(struct mime_parser *parser, const uint8_t *value, size_t length);
void mime_field_encoding(struct mime_parser *parser, const uint8_t *value, size_t length);
void mime_field_disposition(struct mime_parser *parser, const uint8_t *value, size_t length);

/* --- name.c: RFC 2047 and RFC 2231 as libclamav undoes them. --- */

/* Undoes the percent escapes of an extended value (charset'language'text) into `to`; false: not
 * canonical or too long. */
bool mime_extended_decode(const uint8_t *value, size_t length, uint8_t *to, uint8_t *to_length);

/* --- boundary.c --- */

enum mime_line_kind {
    MIME_LINE_ORDINARY,
    MIME_LINE_OPENS,  /* --boundary */
    MIME_LINE_CLOSES, /* --boundary-- */
    MIME_LINE_DOUBTFUL,
};

/* What a body line that starts with '-' or '(' is. `level` is set for OPENS and CLOSES. */
enum mime_line_kind mime_boundary_line(const struct mime_parser *parser, const uint8_t *line,
                                       size_t length, unsigned *level);

/* Puts the entity's boundary in force; gates one that cannot be told from those in force. */
void mime_multipart_push(struct mime_parser *parser);

/* Ends the multiparts above `level`; gates those that must not end so. */
void mime_multipart_pop(struct mime_parser *parser, unsigned level);

#endif

/* quoted_printable.h: an incremental strict decoder (RFC 2045 6.7).
 *
 * Refuses what readers treat differently: '=' not followed by two upper- or lower-case hex digits
 * or a line end, =00, white space between '=' and the line end. Line ends come out as they came in,
 * CRLF or LF; soft line breaks vanish. White space at the end of a line stays: libclamav keeps it.
 *
 * Threads: one decoder, one thread. Memory: the struct. Hot path.
 */
#ifndef SIGNATURES_CONTENT_DECODE_QUOTED_PRINTABLE_H
#define SIGNATURES_CONTENT_DECODE_QUOTED_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qp_decoder {
    uint8_t held[4]; /* an escape cut by the end of a piece */
    uint8_t held_count;
    bool refused;
};

/* Returns the bytes written to `to` (room: length), which may be `from` itself. */
size_t qp_decode(struct qp_decoder *decoder, const uint8_t *from, size_t length, uint8_t *to);

/* The same for bytes of any origin, all of them at once: what is no escape stays as it is, and =00
 * is none. For guesses (how rare is a fragment in mail?), never for what decides. */
size_t qp_decode_loose(const uint8_t *from, size_t length, uint8_t *to);

/* Ends the part: false when it was refused or ends inside an escape. */
bool qp_end(struct qp_decoder *decoder);

#endif

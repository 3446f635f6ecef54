/* base64.h: two incremental base64 decoders (RFC 2045 6.8).
 *
 * The strict one decodes what every reader decodes alike and refuses the rest. The forced one does
 * to a text part what libclamav does to it when the part says "7bit" (message.c messageExport): the
 * text is decoded as base64 besides, whatever it is, and stored as one more file that is scanned.
 * decode_forced() in decode.h says of which parts.
 *
 * What the library does there, and so does base64_force(): a line counts up to its first '=', of
 * that the characters of the alphabet and nothing else; they are strung together over line ends,
 * four of them are three bytes. What is left at the end of the part, 1, 2 or 3 characters, becomes
 * 1, 1 or 2 bytes, and one more when the bits left over are not zero. It never stops early.
 *
 * Threads: one decoder, one thread. Memory: the structs. Hot path; SIMD chosen by base64_init(),
 * without it the portable path, which gives the same bytes.
 */
#ifndef SIGNATURES_CONTENT_DECODE_BASE64_H
#define SIGNATURES_CONTENT_DECODE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/content/decode/simd.h"

#define BASE64_SLACK 64u /* bytes the output may be written past its end */

/* Room `to` needs for `length` more bytes. */
#define BASE64_ROOM(length) ((length) / 4 * 3 + 6 + BASE64_SLACK)

/* Main thread, before the first call. `portable` forbids SIMD (tests). */
void base64_init(bool portable);

/* The same for a level of one's own choice (tests); false when the CPU does not have it. */
bool base64_use(enum simd_level level);

/* Whether a byte is of the alphabet; '=' is not. */
bool base64_is_character(uint8_t byte);

/* Zeroes are a fresh one. */
struct base64_decoder {
    uint32_t bits;   /* of an unfinished group */
    uint8_t count;   /* characters in it */
    uint8_t padding; /* '=' seen; once they complete the group only line ends may follow */
    bool line_end;   /* CR seen: LF must follow */
    bool loose;      /* not canonical, but readers agree: blanks, unused bits that are not zero */
    bool refused;    /* readers differ: what was written so far is right, nothing more comes */
};

/* Decodes: alphabet and CRLF only, '=' only at the very end, unused bits zero, lines of any length
 * up to MIME_LINE_MAX. Returns the bytes written to `to`. After `loose` it goes on, for what
 * readers take differently may still come. */
size_t base64_decode(struct base64_decoder *decoder, const uint8_t *from, size_t length,
                     uint8_t *to);

/* False when the encoding is not canonical: it ends inside a group or a line end, or is `loose` or
 * `refused`. */
bool base64_end(const struct base64_decoder *decoder);

/* State of the forced decoder. Zeroes are a fresh one. */
struct base64_forced {
    uint8_t held[3]; /* values of an unfinished group's characters */
    uint8_t held_count;
    bool skipping; /* '=' seen: nothing more of this line counts */
};

size_t base64_force(struct base64_forced *forced, const uint8_t *from, size_t length, uint8_t *to);

/* The last bytes (at most 3). */
size_t base64_force_end(struct base64_forced *forced, uint8_t *to);

#endif

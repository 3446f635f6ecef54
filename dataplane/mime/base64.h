/* base64.h: two incremental base64 decoders (RFC 2045 6.8).
 *
 * The strict one decodes what every reader decodes alike and refuses the rest; the forced one does
 * to a 7bit text part what libclamav does to it (message.c messageExport: such a part is decoded as
 * base64 as a whole and scanned besides), byte for byte, whatever the text is.
 *
 * Threads: one decoder, one thread. Memory: the structs. Hot path; SIMD chosen by base64_init().
 */
#ifndef DATAPLANE_MIME_BASE64_H
#define DATAPLANE_MIME_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_SLACK 64u /* bytes the output may be written past its end */

/* Room `to` needs for `length` more bytes. */
#define BASE64_ROOM(length) ((length) / 4 * 3 + 6 + BASE64_SLACK)

/* Main thread, before the first call. `portable` forbids SIMD (tests). */
void base64_init(bool portable);

struct base64_decoder {
    uint32_t bits;   /* of an unfinished group */
    uint8_t count;   /* characters in it */
    uint8_t padding; /* '=' seen: only line ends may follow the group's end */
    bool refused;    /* not canonical: what was written so far is right, nothing more comes */
};

/* Decodes: alphabet and CRLF only, '=' only at the very end, unused bits zero, lines of any length
 * up to MIME_LINE_MAX. Returns the bytes written to `to`. */
size_t base64_decode(struct base64_decoder *decoder, const uint8_t *from, size_t length,
                     uint8_t *to);

/* False when the encoding ends inside a group or was refused. */
bool base64_end(const struct base64_decoder *decoder);

/* State of the forced decoder; the maker fills in what it needs. */
struct base64_forced {
    uint64_t state[4];
};

size_t base64_force(struct base64_forced *forced, const uint8_t *from, size_t length, uint8_t *to);

/* The last bytes (at most 6). */
size_t base64_force_end(struct base64_forced *forced, uint8_t *to);

#endif

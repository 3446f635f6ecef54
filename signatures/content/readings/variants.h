/* variants.h: every byte string that some mail reader takes out of a body under an encoding.
 *
 * Of base64 and quoted-printable as RFC 2045 has them all readers take the same; where a body is
 * something else, each way is taken that some reader is known to go (docs/malformed.md names them).
 * What all agree on comes out once.
 *
 * Threads: any, no state. Memory: heap for the call, three times the body at most. Linear in the
 * body, times VARIANTS_MAX.
 */
#ifndef SIGNATURES_CONTENT_READINGS_VARIANTS_H
#define SIGNATURES_CONTENT_READINGS_VARIANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARIANTS_RUNS_MAX    (64u << 20) /* bytes that runs add to a file */
#define VARIANTS_STRINGS_MAX 64u         /* base64 strings in one body that are taken alone, too */

/* Borrowed bytes. False: it is to stop. */
typedef bool variants_take(void *context, const uint8_t *bytes, size_t length);

/* False when `take` said so, or there is no memory. */
bool variants_base64(const uint8_t *body, size_t length, variants_take *take, void *context);
bool variants_quoted_printable(const uint8_t *body, size_t length, variants_take *take,
                               void *context);

/* Every file in it that is uuencoded ("begin 644 name", "begin-base64 644 name"), in yEnc
 * ("=ybegin"; each part alone and all together), in BinHex 4.0 (both forks). Names are those that
 * stand there, any bytes but zero. Also false when runs of BinHex give more than VARIANTS_RUNS_MAX.
 */
typedef bool variants_take_named(void *context, const uint8_t *bytes, size_t length,
                                 const char *name);
bool variants_embedded(const uint8_t *text, size_t length, variants_take_named *take,
                       void *context);

/* Whether there may be one. */
bool variants_look_embedded(const uint8_t *text, size_t length);

/* One kind of these. */
bool variants_uuencode(const uint8_t *body, size_t length, variants_take_named *take,
                       void *context);
bool variants_yenc(const uint8_t *text, size_t length, variants_take_named *take, void *context);
bool variants_binhex(const uint8_t *text, size_t length, variants_take_named *take, void *context);

/* Text, whose line ends readers write in their own way, and the last of which may be the boundary's
 * or the body's. */
bool variants_text(const uint8_t *body, size_t length, variants_take *take, void *context);

/* Whether the first lines of it look like base64. */
bool variants_look_base64(const uint8_t *body, size_t length);

#endif

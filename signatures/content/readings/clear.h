/* clear.h: whether the message as it came is all there is to scan.
 *
 * Two questions. Does every reader take the mail for the same? The strict parser of
 * signatures/content/mime and the decoders go through the whole of it, as they do on a packet core
 * where there is a prefilter (signatures/content/inspect). And does the engine open what is in it?
 * Each part is held against what signatures/content/open opens, or has a name for. For scanners.
 *
 * Threads: any. Memory: heap for the call, as long as the message and some 50 KiB. Linear.
 */
#ifndef SIGNATURES_CONTENT_READINGS_CLEAR_H
#define SIGNATURES_CONTENT_READINGS_CLEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Null: it is clear. Else a doubt, in fixed words. `seen`: every reader takes it for the same, as
 * somebody has found who looked before; only the second question is left. */
const char *clear_doubt(const uint8_t *message, size_t length, bool seen);

#endif

/* clear.h: whether every reader takes a mail for the same.
 *
 * The strict parser of signatures/content/mime and the decoders go through the whole message, as
 * they do on a packet core where there is a prefilter (signatures/content/inspect): where neither
 * has a doubt, the message as it came is all there is to scan. For scanners, where nobody has
 * looked before.
 *
 * Threads: any. Memory: heap for the call, some 50 KiB. Linear.
 */
#ifndef SIGNATURES_CONTENT_READINGS_CLEAR_H
#define SIGNATURES_CONTENT_READINGS_CLEAR_H

#include <stddef.h>
#include <stdint.h>

/* Null: it is clear. Else the first doubt, in fixed words. */
const char *clear_doubt(const uint8_t *message, size_t length);

#endif

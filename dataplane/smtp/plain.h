/* plain.h: how far message data goes on without anything to be done about it.
 *
 * A byte is plain behind the one before it when both can stand as they are: LF behind CR and only
 * there, CR before LF and only there, no dot behind LF, no NUL. Nearly every byte is, so whole runs
 * of them are kept at once; what is to be done about the others is data.c's business.
 *
 * Threads: any; the choice of instructions is made before the first connection. Hot path.
 */
#ifndef DATAPLANE_SMTP_PLAIN_H
#define DATAPLANE_SMTP_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plain_level { PLAIN_PORTABLE, PLAIN_SSE2, PLAIN_AVX2, PLAIN_LEVELS };

/* How many of `length` (> 0) bytes at the front are plain, each behind the one before it; the first
 * is the caller's to judge, and counts. With `lines` the first byte of a line is not plain,
 * whatever it is. Reads no byte but these. */
size_t smtp_plain(const uint8_t *bytes, size_t length, bool lines);

/* At the start: the best that this CPU has. */
void smtp_plain_init(void);

/* For tests: that level, or false when this CPU has not got it. */
bool smtp_plain_use(enum plain_level level);

#endif

/* squeeze.h: the homomorphism h under which text is searched.
 *
 * h keeps printable ASCII (0x21..0x7e), letters as lower case, and drops everything else: white
 * space, control bytes, 0x7f and above. It works byte by byte, so h(ab) = h(a)h(b): if a fragment F
 * occurs in what libclamav's normalisation makes of x (white space runs, line ends, blank lines,
 * control and high bytes, case), then h(F) occurs in h(x). See docs/prefilter.md.
 *
 * Bytes are *plain* when they are printable ASCII, space, tab, CR or LF, and *odd* otherwise: a
 * fragment with an odd byte cannot be found in h(x) and is searched for exactly, around odd bytes.
 *
 * Threads: any, no state. Hot path; SIMD where the CPU has it (chosen once, by squeeze_init()),
 * with a portable path that gives the same bytes.
 */
#ifndef SIGNATURES_CONTENT_DECODE_SQUEEZE_H
#define SIGNATURES_CONTENT_DECODE_SQUEEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/content/decode/simd.h"

#define SQUEEZE_SLACK 64u   /* bytes the output may be written past its end */
#define SQUEEZE_ODD   0xffu /* in the table: nothing is left of an odd byte */

/* [byte]: what is left of it; 0 when it is white space; SQUEEZE_ODD. */
extern const uint8_t squeeze_table[256];

/* h of one byte, or 0: nothing is left. */
static inline uint8_t squeeze_byte(uint8_t byte)
{
    uint8_t left = squeeze_table[byte];

    return left == SQUEEZE_ODD ? 0 : left;
}

static inline bool squeeze_is_white(uint8_t byte)
{
    return squeeze_table[byte] == 0;
}

static inline bool squeeze_is_odd(uint8_t byte)
{
    return squeeze_table[byte] == SQUEEZE_ODD;
}

/* Main thread, before the first call. `portable` forbids SIMD (tests). */
void squeeze_init(bool portable);

/* The same for a level of one's own choice (tests); false when the CPU does not have it. */
bool squeeze_use(enum simd_level level);

/* Writes h(from[0..length)) to `to` (room: length + SQUEEZE_SLACK; not overlapping); returns its
 * length. *odd is set to true when there was an odd byte (never to false). */
size_t squeeze(const uint8_t *from, size_t length, uint8_t *to, bool *odd);

#endif

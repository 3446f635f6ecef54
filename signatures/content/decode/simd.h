/* simd.h: which vector instructions squeeze.c and base64.c may use, and a table they share.
 *
 * Threads: simd_init() on the main thread before anything else here; the rest is read-only.
 */
#ifndef SIGNATURES_CONTENT_DECODE_SIMD_H
#define SIGNATURES_CONTENT_DECODE_SIMD_H

#include <stdint.h>

enum simd_level {
    SIMD_NONE,
    SIMD_AVX2,
    SIMD_AVX512, /* with BW, VL, VBMI and VBMI2 */
    SIMD_LEVEL_COUNT
};

/* Makes the table; returns the best level of this CPU. */
enum simd_level simd_init(void);

/* For each mask of eight bytes the order that brings those in the mask to the front. */
extern uint64_t simd_order[256];

#endif

#include "signatures/content/decode/simd.h"

uint64_t simd_order[256];

enum simd_level simd_init(void)
{
    for (unsigned mask = 0; mask < 256; mask++) {
        uint64_t order = 0;
        unsigned count = 0;

        for (unsigned bit = 0; bit < 8; bit++) {
            if ((mask >> bit & 1) != 0)
                order |= (uint64_t)bit << (8 * count++);
        }
        simd_order[mask] = order;
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2"))
        return SIMD_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return SIMD_AVX2;
#endif
    return SIMD_NONE;
}

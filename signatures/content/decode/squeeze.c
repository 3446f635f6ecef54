#include "signatures/content/decode/squeeze.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define SQUEEZE_OF(c)                                                                       \
    (uint8_t)((c) >= 'A' && (c) <= 'Z'                                  ? (c) + ('a' - 'A') \
              : (c) > ' ' && (c) < 0x7f                                 ? (c)               \
              : (c) == ' ' || (c) == '\t' || (c) == '\r' || (c) == '\n' ? 0                 \
                                                                        : SQUEEZE_ODD)
#define SQUEEZE_OF4(c) SQUEEZE_OF(c), SQUEEZE_OF((c) + 1), SQUEEZE_OF((c) + 2), SQUEEZE_OF((c) + 3)
#define SQUEEZE_OF16(c) \
    SQUEEZE_OF4(c), SQUEEZE_OF4((c) + 4), SQUEEZE_OF4((c) + 8), SQUEEZE_OF4((c) + 12)
#define SQUEEZE_OF64(c) \
    SQUEEZE_OF16(c), SQUEEZE_OF16((c) + 16), SQUEEZE_OF16((c) + 32), SQUEEZE_OF16((c) + 48)

const uint8_t squeeze_table[256] = {
    SQUEEZE_OF64(0),
    SQUEEZE_OF64(64),
    SQUEEZE_OF64(128),
    SQUEEZE_OF64(192),
};

typedef size_t squeeze_function(const uint8_t *from, size_t length, uint8_t *to, bool *odd);

static size_t squeeze_portable(const uint8_t *from, size_t length, uint8_t *to, bool *odd)
{
    uint8_t *start = to;
    uint8_t seen = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t byte = squeeze_table[from[i]];

        *to = byte;
        to += (uint8_t)(byte - 1) >> 7 ^ 1; /* 1 to 0x7f stay; no branch */
        seen |= byte;
    }
    if (seen > 0x7f)
        *odd = true;
    return (size_t)(to - start);
}

static squeeze_function *squeeze_chosen = squeeze_portable;

#if defined(__x86_64__)

/* White space by its low four bits: a byte is white when the entry it selects equals it. */
#define SQUEEZE_WHITE ' ', -1, -1, -1, -1, -1, -1, -1, -1, '\t', '\n', -1, -1, '\r', -1, 0

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,popcnt"))) static size_t
squeeze_avx512(const uint8_t *from, size_t length, uint8_t *to, bool *odd)
{
    const __m512i white = _mm512_broadcast_i32x4(_mm_setr_epi8(SQUEEZE_WHITE));
    uint8_t *start = to;
    __mmask64 seen = 0;

    for (size_t i = 0; i < length; i += 64) {
        __mmask64 valid = length - i >= 64 ? ~(__mmask64)0 : ~(__mmask64)0 >> (64 - (length - i));
        __m512i bytes = _mm512_maskz_loadu_epi8(valid, from + i);
        __mmask64 keep = _mm512_mask_cmplt_epu8_mask(
            valid, _mm512_sub_epi8(bytes, _mm512_set1_epi8('!')), _mm512_set1_epi8(0x7f - '!'));
        __mmask64 upper = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('A')),
                                                 _mm512_set1_epi8(26));

        seen |= valid & ~keep & _mm512_cmpneq_epi8_mask(_mm512_shuffle_epi8(white, bytes), bytes);
        bytes = _mm512_mask_add_epi8(bytes, upper, bytes, _mm512_set1_epi8('a' - 'A'));
        _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(keep, bytes));
        to += __builtin_popcountll(keep);
    }
    if (seen != 0)
        *odd = true;
    return (size_t)(to - start);
}

__attribute__((target("avx2,popcnt"))) static size_t
squeeze_avx2(const uint8_t *from, size_t length, uint8_t *to, bool *odd)
{
    const __m256i white = _mm256_broadcastsi128_si256(_mm_setr_epi8(SQUEEZE_WHITE));
    uint8_t *start = to;
    uint32_t seen = 0;
    size_t i;

    for (i = 0; length - i >= 32; i += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(from + i));
        /* Signed: high bytes are below everything. */
        __m256i graphic = _mm256_and_si256(_mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(' ')),
                                           _mm256_cmpgt_epi8(_mm256_set1_epi8(0x7f), bytes));
        __m256i upper = _mm256_and_si256(_mm256_cmpgt_epi8(bytes, _mm256_set1_epi8('A' - 1)),
                                         _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), bytes));
        __m256i blank = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(white, bytes), bytes);
        uint32_t keep = (uint32_t)_mm256_movemask_epi8(graphic);
        uint64_t lanes[4];

        seen |= ~(keep | (uint32_t)_mm256_movemask_epi8(blank));
        bytes = _mm256_add_epi8(bytes, _mm256_and_si256(upper, _mm256_set1_epi8('a' - 'A')));
        _mm256_storeu_si256((__m256i *)(void *)lanes, bytes);
        for (unsigned lane = 0; lane < 4; lane++, keep >>= 8) {
            __m128i order = _mm_cvtsi64_si128((long long)simd_order[keep & 0xff]);

            _mm_storel_epi64((__m128i *)(void *)to,
                             _mm_shuffle_epi8(_mm_cvtsi64_si128((long long)lanes[lane]), order));
            to += __builtin_popcount(keep & 0xff);
        }
    }
    if (seen != 0)
        *odd = true;
    return (size_t)(to - start) + squeeze_portable(from + i, length - i, to, odd);
}

#endif

bool squeeze_use(enum simd_level level)
{
    if (level > simd_init())
        return false;
    squeeze_chosen = squeeze_portable;
#if defined(__x86_64__)
    if (level == SIMD_AVX512)
        squeeze_chosen = squeeze_avx512;
    else if (level == SIMD_AVX2)
        squeeze_chosen = squeeze_avx2;
#endif
    return true;
}

void squeeze_init(bool portable)
{
    (void)squeeze_use(portable ? SIMD_NONE : simd_init());
}

size_t squeeze(const uint8_t *from, size_t length, uint8_t *to, bool *odd)
{
    return squeeze_chosen(from, length, to, odd);
}

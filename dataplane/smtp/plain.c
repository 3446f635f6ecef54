#include "dataplane/smtp/plain.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PLAIN_PIECE  ((size_t)64)
#define PLAIN_INLINE static inline __attribute__((always_inline))

/* A bit for each of PLAIN_PIECE bytes that is not plain. Reads the one before them, too. */
typedef uint64_t plain_piece(const uint8_t *at, bool lines);

/* A run shorter than a piece and the byte before it is copied into one, where a NUL ends it. The
 * last piece of a longer one overlaps the piece before: what was plain still is. */
PLAIN_INLINE size_t plain_run(const uint8_t *bytes, size_t length, bool lines, plain_piece *piece)
{
    uint8_t copy[1 + PLAIN_PIECE];

    if (length < sizeof(copy)) {
        memset(copy, 0, sizeof(copy));
        bytes = memcpy(copy, bytes, length);
        length = sizeof(copy);
    }
    for (size_t at = 1; at < length; at += PLAIN_PIECE) {
        uint64_t odd;

        if (at > length - PLAIN_PIECE)
            at = length - PLAIN_PIECE;
        odd = piece(bytes + at, lines);
        if (odd != 0)
            return at + (size_t)__builtin_ctzll(odd);
    }
    return length;
}

PLAIN_INLINE uint64_t plain_odd_portable(const uint8_t *at, bool lines)
{
    uint8_t before = at[-1];
    uint64_t odd = 0;

    for (unsigned i = 0; i < PLAIN_PIECE; i++) {
        uint8_t here = at[i];

        if ((before == '\r') != (here == '\n') || (before == '\n' && (here == '.' || lines)) ||
            here == '\0')
            odd |= UINT64_C(1) << i;
        before = here;
    }
    return odd;
}

static size_t plain_portable(const uint8_t *bytes, size_t length, bool lines)
{
    return plain_run(bytes, length, lines, plain_odd_portable);
}

static size_t (*plain_chosen)(const uint8_t *bytes, size_t length, bool lines) = plain_portable;

#if defined(__x86_64__)

PLAIN_INLINE uint32_t plain_odd_16(const uint8_t *at, __m128i every)
{
    const __m128i cr = _mm_set1_epi8('\r');
    const __m128i feed = _mm_set1_epi8('\n');
    __m128i before = _mm_loadu_si128((const __m128i *)(const void *)(at - 1));
    __m128i here = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i first = _mm_or_si128(_mm_cmpeq_epi8(here, _mm_set1_epi8('.')), every);
    __m128i odd = _mm_and_si128(_mm_cmpeq_epi8(before, feed), first);

    odd = _mm_or_si128(odd, _mm_xor_si128(_mm_cmpeq_epi8(before, cr), _mm_cmpeq_epi8(here, feed)));
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(here, _mm_setzero_si128()));
    return (uint32_t)_mm_movemask_epi8(odd);
}

PLAIN_INLINE uint64_t plain_odd_sse2(const uint8_t *at, bool lines)
{
    __m128i every = _mm_set1_epi8(lines ? -1 : 0);
    uint64_t low = plain_odd_16(at, every) | plain_odd_16(at + 16, every) << 16;
    uint64_t high = plain_odd_16(at + 32, every) | plain_odd_16(at + 48, every) << 16;

    return high << 32 | low;
}

static size_t plain_sse2(const uint8_t *bytes, size_t length, bool lines)
{
    return plain_run(bytes, length, lines, plain_odd_sse2);
}

#define PLAIN_TARGET __attribute__((target("avx2")))

PLAIN_TARGET PLAIN_INLINE uint32_t plain_odd_32(const uint8_t *at, __m256i every)
{
    const __m256i cr = _mm256_set1_epi8('\r');
    const __m256i feed = _mm256_set1_epi8('\n');
    __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(at - 1));
    __m256i here = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i first = _mm256_or_si256(_mm256_cmpeq_epi8(here, _mm256_set1_epi8('.')), every);
    __m256i odd = _mm256_and_si256(_mm256_cmpeq_epi8(before, feed), first);

    odd = _mm256_or_si256(
        odd, _mm256_xor_si256(_mm256_cmpeq_epi8(before, cr), _mm256_cmpeq_epi8(here, feed)));
    odd = _mm256_or_si256(odd, _mm256_cmpeq_epi8(here, _mm256_setzero_si256()));
    return (uint32_t)_mm256_movemask_epi8(odd);
}

PLAIN_TARGET PLAIN_INLINE uint64_t plain_odd_avx2(const uint8_t *at, bool lines)
{
    __m256i every = _mm256_set1_epi8(lines ? -1 : 0);

    return (uint64_t)plain_odd_32(at + 32, every) << 32 | plain_odd_32(at, every);
}

PLAIN_TARGET static size_t plain_avx2(const uint8_t *bytes, size_t length, bool lines)
{
    return plain_run(bytes, length, lines, plain_odd_avx2);
}

#endif

bool smtp_plain_use(enum plain_level level)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (level == PLAIN_SSE2) {
        plain_chosen = plain_sse2;
        return true;
    }
    if (level == PLAIN_AVX2 && __builtin_cpu_supports("avx2")) {
        plain_chosen = plain_avx2;
        return true;
    }
#endif
    if (level == PLAIN_PORTABLE)
        plain_chosen = plain_portable;
    return level == PLAIN_PORTABLE;
}

void smtp_plain_init(void)
{
    for (int level = PLAIN_LEVELS - 1; level >= 0; level--) {
        if (smtp_plain_use((enum plain_level)level))
            return;
    }
}

size_t smtp_plain(const uint8_t *bytes, size_t length, bool lines)
{
    return plain_chosen(bytes, length, lines);
}

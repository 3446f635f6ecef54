#include "signatures/content/decode/base64.h"

#include <assert.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "base64_put()");

#define BASE64_OTHER      0x80  /* any other byte */
#define BASE64_PADDING    0xc0  /* '=' */
#define BASE64_LINE       0xa0  /* CR, LF */
#define BASE64_LINE_BYTES 78u   /* of the lines most senders write, CRLF included */
#define BASE64_PORTION    2048u /* characters the forced decoder collects at a time */

/* What a byte is: the value of a character of the alphabet, or one of the above. */
#define BASE64_OF(c)                                        \
    (uint8_t)((c) >= 'A' && (c) <= 'Z'     ? (c) - 'A'      \
              : (c) >= 'a' && (c) <= 'z'   ? (c) - 'a' + 26 \
              : (c) >= '0' && (c) <= '9'   ? (c) - '0' + 52 \
              : (c) == '+'                 ? 62             \
              : (c) == '/'                 ? 63             \
              : (c) == '='                 ? BASE64_PADDING \
              : (c) == '\r' || (c) == '\n' ? BASE64_LINE    \
                                           : BASE64_OTHER)
#define BASE64_OF4(c)  BASE64_OF(c), BASE64_OF((c) + 1), BASE64_OF((c) + 2), BASE64_OF((c) + 3)
#define BASE64_OF16(c) BASE64_OF4(c), BASE64_OF4((c) + 4), BASE64_OF4((c) + 8), BASE64_OF4((c) + 12)
#define BASE64_OF64(c) \
    BASE64_OF16(c), BASE64_OF16((c) + 16), BASE64_OF16((c) + 32), BASE64_OF16((c) + 48)

static const uint8_t base64_table[256] = {
    BASE64_OF64(0),
    BASE64_OF64(64),
    BASE64_OF64(128),
    BASE64_OF64(192),
};

/* What a CPU does best. Each may write up to BASE64_SLACK bytes more than it says. */
struct base64_kernels {
    /* Decodes whole groups and the line ends between them as far as it goes; returns the bytes
     * taken. */
    size_t (*run)(const uint8_t *from, size_t length, uint8_t *to, size_t *written);
    /* Writes the values of those characters of a text that count; returns how many. */
    size_t (*collect)(const uint8_t *from, size_t length, uint8_t *to, bool *skipping);
    /* Packs `groups` times four values into three bytes; reads up to BASE64_SLACK more. */
    void (*pack)(const uint8_t *from, size_t groups, uint8_t *to);
};

/* Writes three bytes, the first the highest, and one that counts for nothing. */
static inline uint8_t *base64_put(uint8_t *to, uint32_t bits)
{
    uint32_t bytes = __builtin_bswap32(bits << 8);

    memcpy(to, &bytes, sizeof(bytes));
    return to + 3;
}

static size_t base64_run_portable(const uint8_t *from, size_t length, uint8_t *to, size_t *written)
{
    const uint8_t *at = from;
    const uint8_t *end = from + length;
    uint8_t *start = to;

    while (end - at >= 4) {
        uint32_t a = base64_table[at[0]];
        uint32_t b = base64_table[at[1]];
        uint32_t c = base64_table[at[2]];
        uint32_t d = base64_table[at[3]];

        if (((a | b | c | d) & BASE64_OTHER) == 0) {
            to = base64_put(to, a << 18 | b << 12 | c << 6 | d);
            at += 4;
        } else if (at[0] == '\r' && at[1] == '\n') {
            at += 2;
        } else {
            break;
        }
    }
    *written = (size_t)(to - start);
    return (size_t)(at - from);
}

static size_t base64_collect_portable(const uint8_t *from, size_t length, uint8_t *to,
                                      bool *skipping)
{
    const uint8_t *end = from + length;
    uint8_t *start = to;

    while (from < end) {
        uint8_t value = 0;

        if (*skipping) {
            from = memchr(from, '\n', (size_t)(end - from));
            if (from == NULL)
                break;
            *skipping = false;
        }
        while (from < end && value != BASE64_PADDING) {
            value = base64_table[*from++];
            *to = value;
            to += (value >> 7) ^ 1; /* no branch: text would mispredict it */
        }
        *skipping = value == BASE64_PADDING;
    }
    return (size_t)(to - start);
}

static void base64_pack_portable(const uint8_t *from, size_t groups, uint8_t *to)
{
    for (size_t i = 0; i < groups; i++, from += 4)
        to = base64_put(to, (uint32_t)from[0] << 18 | (uint32_t)from[1] << 12 |
                                (uint32_t)from[2] << 6 | from[3]);
}

static const struct base64_kernels base64_portable = {
    .run = base64_run_portable,
    .collect = base64_collect_portable,
    .pack = base64_pack_portable,
};

#if defined(__x86_64__)

/* Which of a block's bytes follow a '=' on their line: bits of '=' and LF in, bits to drop out. */
static uint64_t base64_skip(uint64_t padding, uint64_t line_end, bool *skipping)
{
    uint64_t dropped = 0;
    unsigned at = 0;

    for (;;) {
        unsigned length;

        if (!*skipping) {
            if (padding >> at == 0)
                return dropped;
            at += (unsigned)__builtin_ctzll(padding >> at);
            *skipping = true;
        }
        if (line_end >> at == 0)
            return dropped | ~(uint64_t)0 << at;
        length = (unsigned)__builtin_ctzll(line_end >> at);
        dropped |= (((uint64_t)1 << length) - 1) << at;
        at += length;
        *skipping = false;
    }
}

/* Four values of six bits become three bytes: by multiplication first two, then four of them are
 * put together, then the bytes are put in order. */
#define BASE64_PAIRS 0x01400140
#define BASE64_FOURS 0x00011000
#define BASE64_ORDER 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1

#define BASE64_AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,popcnt")))

/* The values, and a mask of bytes out of the alphabet. */
BASE64_AVX512 static inline __m512i base64_values_avx512(__m512i bytes, __mmask64 *wrong)
{
    __m512i low = _mm512_loadu_si512(base64_table);
    __m512i high = _mm512_loadu_si512(base64_table + 64);
    __m512i values = _mm512_permutex2var_epi8(low, bytes, high);

    *wrong = _mm512_movepi8_mask(_mm512_or_si512(values, bytes));
    return values;
}

BASE64_AVX512 static inline void base64_store_avx512(__m512i values, uint8_t *to)
{
    static const uint8_t order[64] = {
        2,  1,  0,  6,  5,  4,  10, 9,  8,  14, 13, 12, 18, 17, 16, 22,
        21, 20, 26, 25, 24, 30, 29, 28, 34, 33, 32, 38, 37, 36, 42, 41,
        40, 46, 45, 44, 50, 49, 48, 54, 53, 52, 58, 57, 56, 62, 61, 60,
    };
    __m512i pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi32(BASE64_PAIRS));
    __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(BASE64_FOURS));

    _mm512_storeu_si512(to, _mm512_permutexvar_epi8(_mm512_loadu_si512(order), fours));
}

/* A line of the usual length, as two blocks that overlap; false when a character is wrong. */
BASE64_AVX512 static inline bool base64_line_avx512(const uint8_t *from, uint8_t *to)
{
    __mmask64 wrong[2];
    __m512i first = base64_values_avx512(_mm512_loadu_si512(from), &wrong[0]);
    __m512i last = base64_values_avx512(_mm512_loadu_si512(from + 12), &wrong[1]);

    base64_store_avx512(first, to);
    base64_store_avx512(last, to + 9);
    return (wrong[0] | wrong[1]) == 0;
}

BASE64_AVX512 static size_t base64_run_avx512(const uint8_t *from, size_t length, uint8_t *to,
                                              size_t *written)
{
    uint8_t *start = to;
    size_t i = 0;

    while (i < length) {
        size_t left = length - i;

        if (left >= BASE64_LINE_BYTES && from[i + BASE64_LINE_BYTES - 2] == '\r' &&
            from[i + BASE64_LINE_BYTES - 1] == '\n' && base64_line_avx512(from + i, to)) {
            to += BASE64_LINE_BYTES / 4 * 3;
            i += BASE64_LINE_BYTES;
            continue;
        }
        __mmask64 valid = left >= 64 ? ~(__mmask64)0 : ~(~(__mmask64)0 << left);
        __m512i bytes = _mm512_maskz_loadu_epi8(valid, from + i);
        __mmask64 wrong;
        __m512i values = base64_values_avx512(bytes, &wrong);
        unsigned count = (wrong | ~valid) == 0 ? 64 : (unsigned)__builtin_ctzll(wrong | ~valid);
        unsigned taken = count & ~3u;

        base64_store_avx512(values, to);
        to += taken / 4 * 3;
        i += taken;
        if (count == 64)
            continue;
        if (count % 4 != 0 || length - i < 2 || from[i] != '\r' || from[i + 1] != '\n')
            break;
        i += 2;
    }
    *written = (size_t)(to - start);
    return i;
}

BASE64_AVX512 static size_t base64_collect_avx512(const uint8_t *from, size_t length, uint8_t *to,
                                                  bool *skipping)
{
    uint8_t *start = to;

    for (size_t i = 0; i < length; i += 64) {
        size_t left = length - i;
        __mmask64 valid = left >= 64 ? ~(__mmask64)0 : ~(~(__mmask64)0 << left);
        __m512i bytes = _mm512_maskz_loadu_epi8(valid, from + i);
        __mmask64 wrong;
        __m512i values = base64_values_avx512(bytes, &wrong);
        __mmask64 keep = valid & ~wrong;
        __mmask64 padding = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('='));

        if (padding != 0 || *skipping)
            keep &= ~base64_skip(padding, _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')),
                                 skipping);
        _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(keep, values));
        to += __builtin_popcountll(keep);
    }
    return (size_t)(to - start);
}

BASE64_AVX512 static void base64_pack_avx512(const uint8_t *from, size_t groups, uint8_t *to)
{
    for (size_t i = 0; i < groups; i += 16, from += 64, to += 48)
        base64_store_avx512(_mm512_loadu_si512(from), to);
}

static const struct base64_kernels base64_avx512 = {
    .run = base64_run_avx512,
    .collect = base64_collect_avx512,
    .pack = base64_pack_avx512,
};

#define BASE64_AVX2 __attribute__((target("avx2,popcnt")))

/* The values, and a mask of bytes out of the alphabet. Two tables, by the low and the high four
 * bits, have a common bit where the byte is wrong; a third has what to add to the right ones. */
BASE64_AVX2 static inline __m256i base64_values_avx2(__m256i bytes, uint32_t *wrong)
{
    const __m256i by_low =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                                  0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a));
    const __m256i by_high =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
                                                  0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10));
    const __m256i offsets = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i four = _mm256_set1_epi8(0x0f);
    __m256i high = _mm256_and_si256(_mm256_srli_epi32(bytes, 4), four);
    __m256i slash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('/'));
    __m256i common = _mm256_and_si256(_mm256_shuffle_epi8(by_low, _mm256_and_si256(bytes, four)),
                                      _mm256_shuffle_epi8(by_high, high));

    *wrong = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(common, _mm256_setzero_si256()));
    return _mm256_add_epi8(bytes, _mm256_shuffle_epi8(offsets, _mm256_add_epi8(high, slash)));
}

BASE64_AVX2 static inline void base64_store_avx2(__m256i values, uint8_t *to)
{
    __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(BASE64_PAIRS));
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(BASE64_FOURS));
    __m256i bytes =
        _mm256_shuffle_epi8(fours, _mm256_broadcastsi128_si256(_mm_setr_epi8(BASE64_ORDER)));

    _mm256_storeu_si256(
        (__m256i *)(void *)to,
        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7)));
}

/* A line of the usual length, as three blocks of which two overlap; false when a character is
 * wrong. */
BASE64_AVX2 static inline bool base64_line_avx2(const uint8_t *from, uint8_t *to)
{
    static const unsigned starts[3] = {0, 32, 44};
    uint32_t wrong[3];

    for (unsigned i = 0; i < 3; i++) {
        const __m256i *block = (const __m256i *)(const void *)(from + starts[i]);

        base64_store_avx2(base64_values_avx2(_mm256_loadu_si256(block), &wrong[i]),
                          to + starts[i] / 4 * 3);
    }
    return (wrong[0] | wrong[1] | wrong[2]) == 0;
}

BASE64_AVX2 static size_t base64_run_avx2(const uint8_t *from, size_t length, uint8_t *to,
                                          size_t *written)
{
    uint8_t *start = to;
    size_t more;
    size_t i = 0;

    while (length - i >= 32) {
        uint32_t wrong;

        if (length - i >= BASE64_LINE_BYTES && from[i + BASE64_LINE_BYTES - 2] == '\r' &&
            from[i + BASE64_LINE_BYTES - 1] == '\n' && base64_line_avx2(from + i, to)) {
            to += BASE64_LINE_BYTES / 4 * 3;
            i += BASE64_LINE_BYTES;
            continue;
        }
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(from + i));
        __m256i values = base64_values_avx2(bytes, &wrong);
        unsigned count = wrong == 0 ? 32 : (unsigned)__builtin_ctz(wrong);
        unsigned taken = count & ~3u;

        base64_store_avx2(values, to);
        to += taken / 4 * 3;
        i += taken;
        if (count == 32)
            continue;
        if (count % 4 != 0 || from[i] != '\r' || length - i < 2 || from[i + 1] != '\n')
            break;
        i += 2;
    }
    i += base64_run_portable(from + i, length - i, to, &more);
    *written = (size_t)(to - start) + more;
    return i;
}

BASE64_AVX2 static size_t base64_collect_avx2(const uint8_t *from, size_t length, uint8_t *to,
                                              bool *skipping)
{
    uint8_t *start = to;
    size_t i;

    for (i = 0; length - i >= 32; i += 32) {
        uint32_t wrong;
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(from + i));
        uint32_t padding =
            (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('=')));
        uint64_t lanes[4];
        uint32_t keep;

        _mm256_storeu_si256((__m256i *)(void *)lanes, base64_values_avx2(bytes, &wrong));
        keep = ~wrong;
        if (padding != 0 || *skipping)
            keep &= ~(uint32_t)base64_skip(
                padding,
                (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\n'))),
                skipping);
        for (unsigned lane = 0; lane < 4; lane++, keep >>= 8) {
            __m128i order = _mm_cvtsi64_si128((long long)simd_order[keep & 0xff]);

            _mm_storel_epi64((__m128i *)(void *)to,
                             _mm_shuffle_epi8(_mm_cvtsi64_si128((long long)lanes[lane]), order));
            to += __builtin_popcount(keep & 0xff);
        }
    }
    to += base64_collect_portable(from + i, length - i, to, skipping);
    return (size_t)(to - start);
}

BASE64_AVX2 static void base64_pack_avx2(const uint8_t *from, size_t groups, uint8_t *to)
{
    for (size_t i = 0; i < groups; i += 8, from += 32, to += 24)
        base64_store_avx2(_mm256_loadu_si256((const __m256i *)(const void *)from), to);
}

static const struct base64_kernels base64_avx2 = {
    .run = base64_run_avx2,
    .collect = base64_collect_avx2,
    .pack = base64_pack_avx2,
};

#endif

static const struct base64_kernels *base64_chosen = &base64_portable;

bool base64_use(enum simd_level level)
{
    if (level > simd_init())
        return false;
    base64_chosen = &base64_portable;
#if defined(__x86_64__)
    if (level == SIMD_AVX512)
        base64_chosen = &base64_avx512;
    else if (level == SIMD_AVX2)
        base64_chosen = &base64_avx2;
#endif
    return true;
}

void base64_init(bool portable)
{
    (void)base64_use(portable ? SIMD_NONE : simd_init());
}

/* One byte of strict base64. */
static uint8_t *base64_byte(struct base64_decoder *decoder, uint8_t byte, uint8_t *to)
{
    uint8_t value = base64_table[byte];

    if (decoder->line_end) {
        decoder->line_end = false;
        decoder->refused = byte != '\n';
        return to;
    }
    if (value < BASE64_OTHER && decoder->padding == 0) {
        decoder->bits = decoder->bits << 6 | value;
        if (++decoder->count == 4) {
            *to++ = (uint8_t)(decoder->bits >> 16);
            *to++ = (uint8_t)(decoder->bits >> 8);
            *to++ = (uint8_t)decoder->bits;
            decoder->count = 0;
            decoder->bits = 0;
        }
        return to;
    }
    if (byte == '\r' && (decoder->padding == 0 || decoder->count == 0)) {
        decoder->line_end = true;
        return to;
    }
    if (byte == ' ' || byte == '\t') {
        decoder->loose = true;
        return to;
    }
    if (byte != '=' || decoder->count < 2) {
        decoder->refused = true;
        return to;
    }
    decoder->padding++;
    if (decoder->count + decoder->padding < 4)
        return to;
    /* Two characters hold one byte and four bits, three hold two bytes and two bits. */
    if ((decoder->bits & (decoder->count == 2 ? 0xfu : 0x3u)) != 0)
        decoder->loose = true;
    if (decoder->count == 3)
        *to++ = (uint8_t)(decoder->bits >> 10);
    *to++ = (uint8_t)(decoder->count == 3 ? decoder->bits >> 2 : decoder->bits >> 4);
    decoder->count = 0;
    return to;
}

bool base64_is_character(uint8_t byte)
{
    return base64_table[byte] < BASE64_OTHER;
}

size_t base64_decode(struct base64_decoder *decoder, const uint8_t *from, size_t length,
                     uint8_t *to)
{
    const uint8_t *end = from + length;
    uint8_t *start = to;

    while (from < end && !decoder->refused) {
        if (decoder->count == 0 && decoder->padding == 0 && !decoder->line_end) {
            size_t written;

            from += base64_chosen->run(from, (size_t)(end - from), to, &written);
            to += written;
            if (from == end)
                break;
        }
        to = base64_byte(decoder, *from++, to);
    }
    return (size_t)(to - start);
}

bool base64_end(const struct base64_decoder *decoder)
{
    return !decoder->refused && !decoder->loose && decoder->count == 0 && !decoder->line_end;
}

size_t base64_force(struct base64_forced *forced, const uint8_t *from, size_t length, uint8_t *to)
{
    uint8_t values[4 + BASE64_PORTION + 2 * BASE64_SLACK];
    uint8_t *start = to;

    while (length > 0) {
        size_t portion = length < BASE64_PORTION ? length : BASE64_PORTION;
        size_t count = forced->held_count;

        memcpy(values, forced->held, sizeof(forced->held));
        count += base64_chosen->collect(from, portion, values + count, &forced->skipping);
        base64_chosen->pack(values, count / 4, to);
        to += count / 4 * 3;
        forced->held_count = count % 4;
        memcpy(forced->held, values + count / 4 * 4, sizeof(forced->held));
        from += portion;
        length -= portion;
    }
    return (size_t)(to - start);
}

size_t base64_force_end(struct base64_forced *forced, uint8_t *to)
{
    const uint8_t *held = forced->held;
    unsigned count = forced->held_count;
    size_t length = 0;

    forced->held_count = 0;
    if (count == 0)
        return 0;
    to[length++] = (uint8_t)(held[0] << 2 | (count > 1 ? held[1] >> 4 : 0));
    if (count > 2 || (count == 2 && (held[1] & 0xf) != 0))
        to[length++] = (uint8_t)(held[1] << 4 | (count > 2 ? held[2] >> 2 : 0));
    if (count > 2 && (held[2] & 0x3) != 0)
        to[length++] = (uint8_t)(held[2] << 6);
    return length;
}

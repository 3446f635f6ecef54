#include "dataplane/mime/base64.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BASE64_OTHER           0x80  /* any other byte */
#define BASE64_PADDING         0xc0  /* '=' */
#define BASE64_LINE            0xa0  /* CR, LF */
#define BASE64_LINE_CHARACTERS 76u   /* of the lines that most senders write */
#define BASE64_PORTION         2048u /* characters the forced decoder collects at a time */

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

/* The three kernels of a CPU. */
struct base64_kernels {
    /* Decodes characters of the alphabet, whole groups, as far as it goes; returns the characters
     * taken. Writes up to BASE64_SLACK bytes more. */
    size_t (*run)(const uint8_t *from, size_t length, uint8_t *to);
    /* Writes the values of what counts of the text, up to BASE64_SLACK bytes more. */
    size_t (*collect)(const uint8_t *from, size_t length, uint8_t *to, bool *skipping);
    /* Packs `groups` times four values into three bytes. */
    void (*pack)(const uint8_t *from, size_t groups, uint8_t *to);
};

static size_t base64_run_portable(const uint8_t *from, size_t length, uint8_t *to)
{
    size_t i;

    for (i = 0; length - i >= 4; i += 4) {
        uint32_t a = base64_table[from[i]];
        uint32_t b = base64_table[from[i + 1]];
        uint32_t c = base64_table[from[i + 2]];
        uint32_t d = base64_table[from[i + 3]];
        uint32_t bits = a << 18 | b << 12 | c << 6 | d;

        if (((a | b | c | d) & BASE64_OTHER) != 0)
            break;
        *to++ = (uint8_t)(bits >> 16);
        *to++ = (uint8_t)(bits >> 8);
        *to++ = (uint8_t)bits;
    }
    return i;
}

static size_t base64_collect_portable(const uint8_t *from, size_t length, uint8_t *to,
                                      bool *skipping)
{
    uint8_t *start = to;

    for (size_t i = 0; i < length; i++) {
        uint8_t value = base64_table[from[i]];

        if (*skipping) {
            const uint8_t *end = memchr(from + i, '\n', length - i);

            if (end == NULL)
                break;
            *skipping = false;
            i = (size_t)(end - from);
            continue;
        }
        *to = value;
        to += value < BASE64_OTHER;
        *skipping = value == BASE64_PADDING;
    }
    return (size_t)(to - start);
}

static void base64_pack_portable(const uint8_t *from, size_t groups, uint8_t *to)
{
    for (size_t i = 0; i < groups; i++, from += 4) {
        uint32_t bits =
            (uint32_t)from[0] << 18 | (uint32_t)from[1] << 12 | (uint32_t)from[2] << 6 | from[3];

        *to++ = (uint8_t)(bits >> 16);
        *to++ = (uint8_t)(bits >> 8);
        *to++ = (uint8_t)bits;
    }
}

static const struct base64_kernels base64_portable = {
    .run = base64_run_portable,
    .collect = base64_collect_portable,
    .pack = base64_pack_portable,
};
static const struct base64_kernels *base64_chosen = &base64_portable;

void base64_init(bool portable)
{
    (void)portable;
    base64_chosen = &base64_portable;
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
    if (byte != '=' || decoder->count < 2) {
        decoder->refused = true;
        return to;
    }
    decoder->padding++;
    if (decoder->count + decoder->padding < 4)
        return to;
    /* Two characters hold one byte and four bits, three hold two bytes and two bits. */
    if ((decoder->bits & (decoder->count == 2 ? 0xfu : 0x3u)) != 0) {
        decoder->refused = true;
        return to;
    }
    if (decoder->count == 3)
        *to++ = (uint8_t)(decoder->bits >> 10);
    *to++ = (uint8_t)(decoder->count == 3 ? decoder->bits >> 2 : decoder->bits >> 4);
    decoder->count = 0;
    return to;
}

size_t base64_decode(struct base64_decoder *decoder, const uint8_t *from, size_t length,
                     uint8_t *to)
{
    const uint8_t *end = from + length;
    uint8_t *start = to;

    while (from < end && !decoder->refused) {
        if (decoder->count == 0 && decoder->padding == 0 && !decoder->line_end) {
            size_t taken = base64_chosen->run(from, (size_t)(end - from), to);

            from += taken;
            to += taken / 4 * 3;
            if (from == end)
                break;
        }
        to = base64_byte(decoder, *from++, to);
    }
    return (size_t)(to - start);
}

bool base64_end(const struct base64_decoder *decoder)
{
    return !decoder->refused && decoder->count == 0 && !decoder->line_end;
}

size_t base64_force(struct base64_forced *forced, const uint8_t *from, size_t length, uint8_t *to)
{
    uint8_t values[4 + BASE64_PORTION + BASE64_SLACK];
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

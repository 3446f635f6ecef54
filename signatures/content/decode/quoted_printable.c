#include "signatures/content/decode/quoted_printable.h"

#include <string.h>

#define QP_WRONG 0x100u

/* The value of a hex digit, or QP_WRONG. */
static inline unsigned qp_hex(uint8_t c)
{
    unsigned digit = c - (unsigned)'0';
    unsigned letter = (c | 0x20u) - (unsigned)'a';

    return digit < 10 ? digit : letter < 6 ? letter + 10 : QP_WRONG;
}

/* What `from`, which begins with '=', says, with `length` bytes to look at: the bytes it takes (2
 * or 3; one is written unless *written is 0), 0 when there are too few bytes to tell. Refuses. */
static unsigned qp_escape(struct qp_decoder *decoder, const uint8_t *from, size_t length,
                          uint8_t *to, unsigned *written)
{
    unsigned high;
    unsigned low;

    *written = 0;
    if (length < 2)
        return 0;
    if (from[1] == '\n')
        return 2;
    if (from[1] == '\r') {
        if (length < 3)
            return 0;
        decoder->refused = from[2] != '\n';
        return 3;
    }
    high = qp_hex(from[1]);
    if (high == QP_WRONG) {
        decoder->refused = true;
        return 2;
    }
    if (length < 3)
        return 0;
    low = qp_hex(from[2]);
    if (low == QP_WRONG || (high | low) == 0) {
        decoder->refused = true;
        return 3;
    }
    *to = (uint8_t)(high << 4 | low);
    *written = 1;
    return 3;
}

/* Finishes an escape that the last piece began; returns the bytes taken from `from`. */
static size_t qp_resume(struct qp_decoder *decoder, const uint8_t *from, size_t length, uint8_t *to,
                        unsigned *written)
{
    size_t taken = 0;

    *written = 0;
    while (decoder->held_count != 0 && taken < length) {
        decoder->held[decoder->held_count++] = from[taken++];
        if (qp_escape(decoder, decoder->held, decoder->held_count, to, written) != 0)
            decoder->held_count = 0;
    }
    return taken;
}

size_t qp_decode(struct qp_decoder *decoder, const uint8_t *from, size_t length, uint8_t *to)
{
    const uint8_t *end = from + length;
    uint8_t *start = to;
    unsigned written;

    if (decoder->refused)
        return 0;
    from += qp_resume(decoder, from, length, to, &written);
    to += written;
    while (from < end && !decoder->refused) {
        const uint8_t *escape;
        size_t run;
        unsigned taken;

        while (end - from >= 3 && from[0] == '=') {
            unsigned byte = qp_hex(from[1]) << 4 | qp_hex(from[2]);

            if (byte == 0 || byte > 0xff)
                break;
            *to++ = (uint8_t)byte;
            from += 3;
        }
        if (from == end)
            break;
        escape = memchr(from, '=', (size_t)(end - from));
        run = (size_t)((escape != NULL ? escape : end) - from);
        memmove(to, from, run); /* decoding in place is allowed */
        to += run;
        from += run;
        if (escape == NULL)
            break;
        taken = qp_escape(decoder, from, (size_t)(end - from), to, &written);
        if (taken == 0) {
            decoder->held_count = (uint8_t)(end - from);
            memcpy(decoder->held, from, decoder->held_count);
            break;
        }
        from += taken;
        to += written;
    }
    return (size_t)(to - start);
}

size_t qp_decode_loose(const uint8_t *from, size_t length, uint8_t *to)
{
    const uint8_t *end = from + length;
    uint8_t *start = to;

    while (from < end) {
        const uint8_t *escape = memchr(from, '=', (size_t)(end - from));
        size_t run = (size_t)((escape != NULL ? escape : end) - from);
        struct qp_decoder one = {0};
        unsigned written;
        unsigned taken;

        memmove(to, from, run);
        to += run;
        from += run;
        if (escape == NULL)
            break;
        taken = qp_escape(&one, from, (size_t)(end - from), to, &written);
        if (taken == 0 || one.refused) {
            *to++ = '=';
            from++;
            continue;
        }
        from += taken;
        to += written;
    }
    return (size_t)(to - start);
}

bool qp_end(struct qp_decoder *decoder)
{
    return !decoder->refused && decoder->held_count == 0;
}

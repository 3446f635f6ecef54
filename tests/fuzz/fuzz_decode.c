/* A part's body from arbitrary bytes, cut arbitrarily.
 *
 * The first four bytes choose the part and the cuts. Oracles: the result does not depend on the
 * cuts; it is what a plain reader of the whole body makes of it; what is decoded by force and h are
 * the same on every path the CPU has.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/decode/decode.h"
#include "signatures/content/decode/squeeze.h"

#define FUZZ_HEAD      4u
#define FUZZ_BYTES_MAX 8192u
#define FUZZ_ROOM      (FUZZ_BYTES_MAX * 2 + DECODE_ROOM)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct fuzz_output {
    enum decode_gate gate;
    size_t length;
    uint8_t bytes[FUZZ_ROOM];
};

static struct mime_part fuzz_part(const uint8_t *head)
{
    return (struct mime_part){
        .depth = head[0] & 1u,
        .media = (enum mime_media)((head[0] >> 1) % (MIME_MEDIA_APPLICATION + 1)),
        .encoding = (enum mime_encoding)(head[1] % (MIME_ENCODING_BASE64 + 1)),
        .type = (head[0] & 0x80) != 0 ? "" : "text/plain",
    };
}

static size_t fuzz_piece(uint32_t *random, unsigned scale, size_t left)
{
    size_t piece;

    *random = *random * 1664525u + 1013904223u;
    piece = 1 + (*random >> 12) % (1u << (scale % 14));
    return piece < left ? piece : left;
}

/* Feeds in pieces whose memory ends with them. */
static void fuzz_decode(struct decoder *decoder, const uint8_t *body, size_t length, unsigned scale,
                        struct fuzz_output *output)
{
    uint32_t random = scale;
    size_t at = 0;

    output->length = 0;
    while (at < length) {
        size_t piece = fuzz_piece(&random, scale, length - at);
        uint8_t *from = malloc(piece);

        CHECK(from != NULL);
        memcpy(from, body + at, piece);
        output->length += decode_feed(decoder, from, piece, output->bytes + output->length);
        free(from);
        at += piece;
    }
    output->length += decode_end(decoder, output->bytes + output->length);
    output->gate = decoder->gate;
}

/* What becomes of a line without its end; -1: nothing, not even a line. */
static int fuzz_line(const uint8_t *line, size_t length, bool join, bool *empty, bool *semicolon,
                     uint8_t *to)
{
    bool white = true;
    bool options = true;

    if (length == 0) {
        bool dropped = join && *empty;

        *empty = true;
        return dropped ? -1 : 0;
    }
    for (size_t i = 0; i < length; i++) {
        white = white && line[i] != 0 && strchr(" \t\v\f", line[i]) != NULL;
        options = options && line[i] != 0 && strchr(" \t;", line[i]) != NULL;
    }
    if (options && *semicolon)
        return -1;
    *semicolon = options;
    *empty = false;
    memcpy(to, white ? (const uint8_t *)" " : line, white ? 1 : length);
    return white ? 1 : (int)length;
}

/* The lines as they are stored, of the whole body at once. */
static size_t fuzz_lines(const struct mime_part *part, const uint8_t *body, size_t length,
                         uint8_t *to)
{
    bool text = part->media <= MIME_MEDIA_TEXT_OTHER && part->type[0] != '\0';
    bool empty = part->depth > 0;
    bool semicolon = false;
    size_t written = 0;
    size_t at = 0;

    while (at <= length) {
        const uint8_t *line = body + at;
        const uint8_t *end = memchr(line, '\n', length - at);
        size_t size = end != NULL ? (size_t)(end - line) : length - at;
        int stored;

        at += size + 1;
        if (end == NULL && size == 0 && part->depth == 0)
            break;
        if (end != NULL && size > 0 && line[size - 1] == '\r')
            size--;
        stored = fuzz_line(line, size, part->depth > 0 || !text, &empty, &semicolon, to + written);
        if (stored >= 0) {
            written += (size_t)stored;
            to[written++] = '\n';
        }
    }
    return written;
}

static int fuzz_hex(uint8_t c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* Quoted-printable of lines with LF, in place; false when it is not canonical. */
static bool fuzz_quoted(uint8_t *text, size_t *length)
{
    size_t written = 0;
    size_t at = 0;

    while (at < *length) {
        if (text[at] != '=') {
            text[written++] = text[at++];
        } else if (at + 1 < *length && text[at + 1] == '\n') {
            at += 2;
        } else if (at + 2 < *length && text[at + 1] == '\r' && text[at + 2] == '\n') {
            at += 3;
        } else {
            int high = at + 2 < *length ? fuzz_hex(text[at + 1]) : -1;
            int low = at + 2 < *length ? fuzz_hex(text[at + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return false;
            text[written++] = (uint8_t)(high * 16 + low);
            at += 3;
        }
    }
    *length = written;
    return true;
}

/* Base64, of the whole body at once. */
static enum decode_gate fuzz_base64(const uint8_t *body, size_t length, uint8_t *to,
                                    size_t *written)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned count = 0;
    unsigned padding = 0;
    bool loose = false;

    *written = 0;
    for (size_t i = 0; i < length; i++) {
        const char *at = body[i] != 0 ? strchr(alphabet, body[i]) : NULL;

        if (at != NULL && padding == 0) {
            bits = bits << 6 | (uint32_t)(at - alphabet);
            count++;
            if (count % 4 != 1)
                to[(*written)++] = (uint8_t)(bits >> (6 - 2 * ((count - 1) % 4)));
        } else if (body[i] == ' ' || body[i] == '\t') {
            loose = true;
        } else if (body[i] == '=' && count % 4 > 1 && count % 4 + padding < 4) {
            padding++;
        } else if (body[i] == '\r' && (padding == 0 || count % 4 + padding == 4)) {
            if (++i == length)
                loose = true;
            else if (body[i] != '\n')
                return DECODE_GATE_BASE64;
        } else {
            return DECODE_GATE_BASE64;
        }
    }
    loose = loose || (count + padding) % 4 != 0;
    loose = loose || (count % 4 == 2 && (bits & 0xf) != 0) || (count % 4 == 3 && (bits & 3) != 0);
    return loose ? DECODE_GATE_BASE64_LOOSE : DECODE_GATE_NONE;
}

static void fuzz_check(const struct mime_part *part, const uint8_t *body, size_t length,
                       const struct fuzz_output *output)
{
    static uint8_t expected[FUZZ_ROOM];
    enum decode_gate gate = DECODE_GATE_NONE;
    size_t written;

    if (output->gate == DECODE_GATE_LONG_LINE || output->gate == DECODE_GATE_BOUNCE)
        return;
    if (part->encoding == MIME_ENCODING_BASE64) {
        gate = fuzz_base64(body, length, expected, &written);
    } else {
        written = fuzz_lines(part, body, length, expected);
        if (part->encoding == MIME_ENCODING_QUOTED_PRINTABLE && !fuzz_quoted(expected, &written))
            gate = DECODE_GATE_QUOTED_PRINTABLE;
    }
    CHECK(output->gate == gate);
    if (gate == DECODE_GATE_NONE) {
        CHECK(output->length == written);
        CHECK(memcmp(output->bytes, expected, written) == 0);
    }
}

/* The levels against the first, whose result stands. */
static void fuzz_levels(const uint8_t *body, size_t length, unsigned scale)
{
    static uint8_t results[2][FUZZ_ROOM];
    size_t lengths[2] = {0, 0};
    bool odd[2];

    for (int level = SIMD_NONE; level < SIMD_LEVEL_COUNT; level++) {
        struct base64_forced forced = {0};
        unsigned which = level != SIMD_NONE;
        uint32_t random = scale + (uint32_t)level;
        size_t at = 0;

        if (!base64_use((enum simd_level)level) || !squeeze_use((enum simd_level)level))
            break;
        lengths[which] = 0;
        while (at < length) {
            size_t piece = fuzz_piece(&random, scale, length - at);

            lengths[which] +=
                base64_force(&forced, body + at, piece, results[which] + lengths[which]);
            at += piece;
        }
        lengths[which] += base64_force_end(&forced, results[which] + lengths[which]);
        odd[which] = false;
        lengths[which] += squeeze(body, length, results[which] + lengths[which], &odd[which]);
        if (level == SIMD_NONE)
            continue;
        CHECK(lengths[0] == lengths[1] && odd[0] == odd[1]);
        CHECK(memcmp(results[0], results[1], lengths[0]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static struct fuzz_output first;
    static struct fuzz_output second;
    struct mime_part part;
    struct decoder decoder;
    struct decoder again;
    const uint8_t *body = input + FUZZ_HEAD;

    if (length < FUZZ_HEAD || length > FUZZ_BYTES_MAX)
        return 0;
    length -= FUZZ_HEAD;
    part = fuzz_part(input);
    fuzz_levels(body, length, input[2]);
    CHECK(base64_use((enum simd_level)(input[3] % 2)) || base64_use(SIMD_NONE));
    decode_begin(&decoder, &part);
    fuzz_decode(&decoder, body, length, 13, &first);
    decode_begin(&decoder, &part);
    fuzz_decode(&decoder, body, length, input[2], &second);
    CHECK(first.gate == second.gate);
    CHECK(first.gate != DECODE_GATE_NONE ||
          (first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0));
    fuzz_check(&part, body, length, &first);
    part.related = true;
    part.depth = 1;
    if (!decode_twice(&part))
        return 0;
    decode_begin_twice(&decoder, &again, &part);
    fuzz_decode(&again, body, length, 13, &first);
    decode_begin_twice(&decoder, &again, &part);
    fuzz_decode(&again, body, length, input[2], &second);
    CHECK(first.gate == second.gate);
    CHECK(first.gate != DECODE_GATE_NONE ||
          (first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0));
    return 0;
}

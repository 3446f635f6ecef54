#include "signatures/content/decode/decode.h"

#include <string.h>
#include <strings.h>

#include "platform/check.h"

#define DECODE_AGAIN_AHEAD 8u

static const char decode_field[DECODE_RECENT_MAX + 1] = "content-type";

const char *decode_gate_text(enum decode_gate gate)
{
    static const char *const texts[] = {
#define X(name, class, text) [DECODE_GATE_##name] = (text),
        DECODE_GATE_LIST(X)
#undef X
    };

    CHECK(gate < DECODE_GATE_COUNT);
    return texts[gate];
}

enum gate_class decode_gate_class(enum decode_gate gate)
{
    static const enum gate_class classes[] = {
#define X(name, class, text) [DECODE_GATE_##name] = (class),
        DECODE_GATE_LIST(X)
#undef X
    };

    CHECK(gate < DECODE_GATE_COUNT);
    return classes[gate];
}

static bool decode_is_text(enum mime_media media)
{
    return media == MIME_MEDIA_TEXT_PLAIN || media == MIME_MEDIA_TEXT_HTML ||
           media == MIME_MEDIA_TEXT_OTHER;
}

bool decode_forced(const struct mime_part *part)
{
    /* Other text than text/plain the library names itself. */
    if (part->encoding == MIME_ENCODING_7BIT)
        return !part->unnamed || part->media == MIME_MEDIA_TEXT_HTML ||
               part->media == MIME_MEDIA_TEXT_OTHER;
    /* Text as well: its links are looked at first, and that decides it before the part gets the
     * "filename" that would keep it from this. */
    return part->encoding == MIME_ENCODING_NONE && part->name_length > 0 && !part->attachment;
}

static bool decode_is_encoded(const struct mime_part *part)
{
    return part->encoding == MIME_ENCODING_QUOTED_PRINTABLE ||
           part->encoding == MIME_ENCODING_BASE64;
}

bool decode_twice(const struct mime_part *part)
{
    return part->related && decode_is_text(part->media) && decode_is_encoded(part);
}

void decode_begin(struct decoder *decoder, const struct mime_part *part)
{
    bool text = decode_is_text(part->media);

    *decoder = (struct decoder){
        .encoding = part->encoding,
        .multipart = part->depth > 0,
        /* Without a Content-Type field it is no text to the library. */
        .join_empty = part->depth > 0 || !text || part->type[0] == '\0',
        .after_empty = part->depth > 0,
        .watched = decode_is_encoded(part) && part->media == MIME_MEDIA_TEXT_PLAIN,
    };
    if (decode_twice(part))
        decoder->gate = DECODE_GATE_RELATED;
    /* The library guesses by similarity, and may guess "text". */
    if (part->depth == 0 && part->media == MIME_MEDIA_OTHER &&
        part->encoding != MIME_ENCODING_BASE64)
        decoder->gate = DECODE_GATE_MEDIA;
}

void decode_begin_twice(struct decoder *decoder, struct decoder *again,
                        const struct mime_part *part)
{
    struct mime_part alone = *part;

    CHECK(decode_twice(part));
    alone.related = false;
    decode_begin(decoder, &alone);
    decode_begin(again, &alone);
    again->again = true;
}

/* White space of the C locale but for CR and LF, and ';': what decides whether a line is kept. */
static bool decode_undecided(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == ';' || byte == '\v' || byte == '\f';
}

static uint8_t *decode_line_end(struct decoder *decoder, uint8_t *to)
{
    bool semicolon = true;
    bool white = true;

    decoder->after_cr = false;
    if (decoder->in_line) {
        decoder->in_line = false;
        *to++ = '\n';
        return to;
    }
    if (decoder->held_count == 0) {
        if (!decoder->join_empty || !decoder->after_empty)
            *to++ = '\n';
        decoder->after_empty = true;
        return to;
    }
    for (size_t i = 0; i < decoder->held_count; i++) {
        semicolon = semicolon && decoder->held[i] != '\v' && decoder->held[i] != '\f';
        white = white && decoder->held[i] != ';';
    }
    if (!semicolon || !decoder->after_semicolon) {
        size_t length = white ? 1 : decoder->held_count;

        memcpy(to, white ? (const uint8_t *)" " : decoder->held, length);
        to += length;
        *to++ = '\n';
        decoder->after_empty = false;
        decoder->after_semicolon = semicolon;
    }
    decoder->held_count = 0;
    return to;
}

/* The line is one that is stored as it is. */
static uint8_t *decode_line_begin(struct decoder *decoder, uint8_t *to)
{
    memcpy(to, decoder->held, decoder->held_count);
    to += decoder->held_count;
    decoder->held_count = 0;
    decoder->in_line = true;
    decoder->after_empty = false;
    decoder->after_semicolon = false;
    return to;
}

/* One byte where a line may not be stored as it is, or after a CR. */
static uint8_t *decode_byte(struct decoder *decoder, uint8_t byte, uint8_t *to)
{
    if (byte == '\n')
        return decode_line_end(decoder, to);
    if (decoder->after_cr) { /* a bare one: the MIME parser's business */
        decoder->after_cr = false;
        if (!decoder->in_line)
            to = decode_line_begin(decoder, to);
        *to++ = '\r';
    }
    if (byte == '\r') {
        decoder->after_cr = true;
        return to;
    }
    if (!decoder->in_line && decode_undecided(byte)) {
        if (decoder->held_count == DECODE_HELD_MAX)
            decoder->gate = DECODE_GATE_LONG_LINE;
        else
            decoder->held[decoder->held_count++] = byte;
        return to;
    }
    if (!decoder->in_line)
        to = decode_line_begin(decoder, to);
    *to++ = byte;
    return to;
}

/* The lines as the library stores them. */
static size_t decode_lines(struct decoder *decoder, const uint8_t *from, size_t length, uint8_t *to)
{
    const uint8_t *end = from + length;
    uint8_t *start = to;

    /* Behind a doubt nothing counts: what is there may not give another one. */
    while (from < end && decoder->gate == DECODE_GATE_NONE) {
        const uint8_t *line_end;
        size_t run;

        if (decoder->after_cr || (!decoder->in_line && (decode_undecided(*from) || *from < ' ' ||
                                                        decoder->held_count > 0))) {
            to = decode_byte(decoder, *from++, to);
            continue;
        }
        if (!decoder->in_line)
            to = decode_line_begin(decoder, to);
        line_end = memchr(from, '\n', (size_t)(end - from));
        run = (size_t)((line_end != NULL ? line_end : end) - from);
        memcpy(to, from, run);
        to += run;
        from += run;
        if (run > 0 && from[-1] == '\r') {
            decoder->after_cr = true;
            to--;
        }
        if (line_end != NULL) {
            to = decode_line_end(decoder, to);
            from++;
        }
    }
    return (size_t)(to - start);
}

/* The part's end is the last line's, or no line. */
static uint8_t *decode_lines_end(struct decoder *decoder, uint8_t *to)
{
    if (decoder->after_cr) { /* a bare one, again */
        if (!decoder->in_line)
            to = decode_line_begin(decoder, to);
        *to++ = '\r';
    }
    if (decoder->multipart || decoder->in_line || decoder->held_count > 0)
        to = decode_line_end(decoder, to);
    return to;
}

/* Gates text that libclamav might take for a bounced message: it would need a Content-Type field
 * at the start of a line, as the library cuts lines. */
static void decode_watch(struct decoder *decoder, const uint8_t *bytes, size_t length)
{
    uint8_t window[2 * DECODE_RECENT_MAX];
    const uint8_t *end = bytes + length;
    const uint8_t *colon = bytes;
    size_t head = length < DECODE_RECENT_MAX ? length : DECODE_RECENT_MAX;

    memcpy(window, decoder->recent, DECODE_RECENT_MAX);
    memcpy(window + DECODE_RECENT_MAX, bytes, head);
    while (colon < end && (colon = memchr(colon, ':', (size_t)(end - colon))) != NULL) {
        size_t at = (size_t)(colon - bytes);
        const uint8_t *before = at < DECODE_RECENT_MAX ? window + at : colon - DECODE_RECENT_MAX;

        if (strncasecmp((const char *)before, decode_field, DECODE_RECENT_MAX) == 0)
            decoder->gate = DECODE_GATE_BOUNCE;
        colon++;
    }
    if (length >= DECODE_RECENT_MAX)
        memcpy(decoder->recent, end - DECODE_RECENT_MAX, DECODE_RECENT_MAX);
    else
        memcpy(decoder->recent, window + length, DECODE_RECENT_MAX);
}

/* A line of quoted-printable (LF included) as text: one more line end unless it is what it was, and
 * nothing but a line end when it begins with one. */
static uint8_t *decode_again_quoted(struct decoder *decoder, const uint8_t *line, size_t length,
                                    uint8_t *to)
{
    struct qp_decoder escapes = {0};
    size_t written;

    if (memchr(line, '=', length) == NULL) {
        memmove(to, line, length);
        return to + length;
    }
    written = qp_decode(&escapes, line, length, to);
    if (!qp_end(&escapes))
        decoder->gate = DECODE_GATE_QUOTED_PRINTABLE;
    if (written == 0 || *to == '\n') {
        *to = '\n';
        return to + 1;
    }
    to[written] = '\n';
    return to + written + 1;
}

/* A line of base64 (LF included) as text: up to a NUL, nothing but a line end when it begins with
 * one, and as it was when it begins with what it was (short ones can). */
static uint8_t *decode_again_base64(struct decoder *decoder, const uint8_t *line, size_t length,
                                    uint8_t *to)
{
    uint8_t text[BASE64_ROOM(DECODE_HELD_MAX)];
    const uint8_t *end;
    size_t written;

    if (decoder->again_over || length == 1)
        return to;
    decoder->again_over = memchr(line, '=', length) != NULL;
    written = base64_force(&decoder->lines, line, length, text);
    end = memchr(text, '\0', written);
    if (end != NULL)
        written = (size_t)(end - text);
    if (written >= length - 1 && memcmp(text, line, length - 1) == 0)
        written = length - 1;
    if (written > 0 && text[0] != '\n') {
        memcpy(to, text, written);
        to += written;
    }
    *to = '\n';
    return to + 1;
}
/* Turns the lines at `text`, DECODE_AGAIN_AHEAD behind `to`, into what is stored the second time,
 * and keeps the start of the last one. */
static uint8_t *decode_again_lines(struct decoder *decoder, const uint8_t *text, const uint8_t *end,
                                   uint8_t *to)
{
    const uint8_t *line_end;

    while (decoder->gate == DECODE_GATE_NONE &&
           (line_end = memchr(text, '\n', (size_t)(end - text))) != NULL &&
           line_end - text <= (ptrdiff_t)DECODE_HELD_MAX) {
        size_t length = (size_t)(line_end - text) + 1;

        to = decoder->encoding == MIME_ENCODING_BASE64
                 ? decode_again_base64(decoder, text, length, to)
                 : decode_again_quoted(decoder, text, length, to);
        text += length;
    }
    if (decoder->gate != DECODE_GATE_NONE)
        return to;
    if (end - text > (ptrdiff_t)DECODE_HELD_MAX) {
        decoder->gate = DECODE_GATE_LONG_LINE;
        return to;
    }
    decoder->line_count = (uint16_t)(end - text);
    memcpy(decoder->line, text, decoder->line_count);
    return to;
}

/* The second time. Lines never grow, but for three bytes of base64 that the line before began: so
 * they are read a little ahead of where they are written. */
static size_t decode_again(struct decoder *decoder, const uint8_t *from, size_t length, uint8_t *to)
{
    const uint8_t *start = to;
    uint8_t *text = to + DECODE_AGAIN_AHEAD;
    uint8_t *end = text + decoder->line_count;
    enum decode_gate behind;

    memcpy(text, decoder->line, decoder->line_count);
    end += decode_lines(decoder, from, length, end);
    /* A doubt about the lines that came out stands before one about a line that did not. */
    behind = decoder->gate;
    decoder->gate = DECODE_GATE_NONE;
    to = decode_again_lines(decoder, text, end, to);
    if (decoder->gate == DECODE_GATE_NONE)
        decoder->gate = behind;
    return (size_t)(to - start);
}

static size_t decode_again_end(struct decoder *decoder, uint8_t *to)
{
    uint8_t *text = to + DECODE_AGAIN_AHEAD;
    uint8_t *end = text + decoder->line_count;
    uint8_t rest[BASE64_ROOM(0)] = {0};

    memcpy(text, decoder->line, decoder->line_count);
    end = decode_lines_end(decoder, end);
    end = decode_again_lines(decoder, text, end, to);
    if (decoder->encoding == MIME_ENCODING_BASE64 && base64_force_end(&decoder->lines, rest) > 0 &&
        rest[0] != '\0') {
        end = (uint8_t *)stpcpy((char *)end, (const char *)rest);
        *end++ = '\n';
    }
    return (size_t)(end - to);
}

/* Behind a doubt, too, base64 that readers take differently is malformed. */
static void decode_only_look(struct decoder *decoder, const uint8_t *from, size_t length,
                             uint8_t *to)
{
    if (decoder->encoding != MIME_ENCODING_BASE64 || decoder->again)
        return;
    (void)base64_decode(&decoder->base64, from, length, to);
    if (decoder->base64.refused)
        decoder->gate = DECODE_GATE_BASE64;
}

size_t decode_feed(struct decoder *decoder, const uint8_t *from, size_t length, uint8_t *to)
{
    size_t written;

    CHECK(length <= DECODE_PIECE_MAX);
    if (decoder->gate != DECODE_GATE_NONE) {
        decode_only_look(decoder, from, length, to);
        return 0;
    }
    if (decoder->again) {
        written = decode_again(decoder, from, length, to);
        return decoder->gate == DECODE_GATE_NONE ? written : 0;
    }
    if (decoder->encoding == MIME_ENCODING_BASE64) {
        written = base64_decode(&decoder->base64, from, length, to);
        if (decoder->base64.refused)
            decoder->gate = DECODE_GATE_BASE64;
    } else {
        written = decode_lines(decoder, from, length, to);
    }
    if (decoder->encoding == MIME_ENCODING_QUOTED_PRINTABLE) {
        written = qp_decode(&decoder->quoted_printable, to, written, to);
        if (decoder->quoted_printable.refused)
            decoder->gate = DECODE_GATE_QUOTED_PRINTABLE;
    }
    if (decoder->watched)
        decode_watch(decoder, to, written);
    return decoder->gate == DECODE_GATE_NONE ? written : 0;
}

size_t decode_end(struct decoder *decoder, uint8_t *to)
{
    uint8_t *end = to;

    if (decoder->gate != DECODE_GATE_NONE)
        return 0;
    if (decoder->again) {
        size_t written = decode_again_end(decoder, to);

        return decoder->gate == DECODE_GATE_NONE ? written : 0;
    }
    if (decoder->encoding == MIME_ENCODING_BASE64) {
        if (!base64_end(&decoder->base64))
            decoder->gate = DECODE_GATE_BASE64_LOOSE;
        return 0;
    }
    end = decode_lines_end(decoder, end);
    if (decoder->encoding == MIME_ENCODING_QUOTED_PRINTABLE) {
        end = to + qp_decode(&decoder->quoted_printable, to, (size_t)(end - to), to);
        if (!qp_end(&decoder->quoted_printable))
            decoder->gate = DECODE_GATE_QUOTED_PRINTABLE;
    }
    if (decoder->watched)
        decode_watch(decoder, to, (size_t)(end - to));
    return decoder->gate == DECODE_GATE_NONE ? (size_t)(end - to) : 0;
}

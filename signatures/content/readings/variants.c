#include "signatures/content/readings/variants.h"

#include <stdlib.h>
#include <string.h>

static bool is_line_end(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || is_line_end(byte);
}

/* -- base64 ------------------------------------------------------------------------------------ */

static int base64_value(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* What a reader does about what is not base64. */
struct base64_way {
    bool end_at_padding;  /* '=' ends the body; else it ends a string, and another may follow */
    bool padding_is_none; /* '=' is passed over like any other rubbish */
    bool end_at_rubbish;  /* so does anything else but white space; else it is passed over */
    bool lines_alone;     /* what is left of a group at a line's end is dropped */
    bool line_to_padding; /* '=' ends the line, and no string */
};

/* What stands in a body besides. */
struct base64_look {
    bool rubbish;
    bool inner_padding; /* something follows '=' */
    bool uneven_lines;  /* a line before the last has no whole number of groups */
    unsigned string_count;
};

static struct base64_look base64_look(const uint8_t *body, size_t length)
{
    struct base64_look look = {0};
    bool padded = false;
    size_t in_line = 0;
    bool uneven = false;

    for (size_t i = 0; i < length; i++) {
        if (base64_value(body[i]) >= 0) {
            look.inner_padding |= padded;
            look.uneven_lines |= uneven;
            look.string_count += padded || look.string_count == 0;
            padded = false;
            in_line++;
        } else if (body[i] == '=') {
            padded = true;
            in_line++;
        } else if (is_line_end(body[i])) {
            uneven |= in_line % 4 != 0;
            in_line = 0;
        } else {
            look.rubbish |= !is_white(body[i]);
        }
    }
    return look;
}

/* The bytes of a group that is not whole. */
static size_t base64_rest(uint32_t bits, unsigned count, uint8_t *to)
{
    if (count == 2) {
        to[0] = (uint8_t)(bits >> 4);
        return 1;
    }
    if (count == 3) {
        to[0] = (uint8_t)(bits >> 10);
        to[1] = (uint8_t)(bits >> 2);
        return 2;
    }
    return 0;
}

/* Decodes from `*at` on in that way; `*at` is where it has stopped. Returns the bytes written. */
static size_t base64_go(const uint8_t *body, size_t length, const struct base64_way *way,
                        bool one_string, size_t *at, uint8_t *to)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t made = 0;
    size_t i = *at;
    bool skipping = false;

    for (; i < length; i++) {
        int value = base64_value(body[i]);

        if (is_line_end(body[i])) {
            skipping = false;
            if (way->lines_alone) {
                made += base64_rest(bits, count, to + made);
                count = 0;
                bits = 0;
            }
            continue;
        }
        if (skipping)
            continue;
        if (value >= 0) {
            bits = bits << 6 | (uint32_t)value;
            if (++count == 4) {
                to[made++] = (uint8_t)(bits >> 16);
                to[made++] = (uint8_t)(bits >> 8);
                to[made++] = (uint8_t)bits;
                count = 0;
                bits = 0;
            }
        } else if (body[i] == '=' && !way->padding_is_none) {
            if (way->line_to_padding) {
                skipping = true;
                continue;
            }
            if (way->end_at_padding || one_string)
                break;
            made += base64_rest(bits, count, to + made);
            count = 0;
            bits = 0;
        } else if (way->end_at_rubbish && !is_white(body[i])) {
            break;
        }
    }
    made += base64_rest(bits, count, to + made);
    while (i < length && base64_value(body[i]) < 0) /* the padding, and what is between strings */
        i++;
    *at = i;
    return made;
}

static bool base64_way_take(const uint8_t *body, size_t length, const struct base64_way *way,
                            uint8_t *room, variants_take *take, void *context)
{
    size_t at = 0;

    return take(context, room, base64_go(body, length, way, false, &at, room));
}

/* Each string alone. */
static bool base64_strings(const uint8_t *body, size_t length, uint8_t *room, variants_take *take,
                           void *context)
{
    static const struct base64_way way = {0};
    size_t at = 0;

    for (unsigned i = 0; i < VARIANTS_STRINGS_MAX && at < length; i++) {
        if (!take(context, room, base64_go(body, length, &way, true, &at, room)))
            return false;
    }
    return true;
}

/* The lines that have nothing but base64 in them. Returns how many bytes they are. */
static size_t base64_clean_lines(const uint8_t *body, size_t length, uint8_t *to)
{
    size_t made = 0;
    size_t from = 0;

    while (from < length) {
        size_t end = from;
        bool clean = true;

        for (; end < length && body[end] != '\n'; end++)
            clean =
                clean && (base64_value(body[end]) >= 0 || body[end] == '=' || is_white(body[end]));
        if (end < length)
            end++;
        if (clean) {
            memcpy(to + made, body + from, end - from);
            made += end - from;
        }
        from = end;
    }
    return made;
}

/* Those that differ where there is rubbish, or padding that is not the end. */
static bool base64_ways(const uint8_t *body, size_t length, const struct base64_look *look,
                        uint8_t *room, variants_take *take, void *context)
{
    static const struct base64_way padded[] = {
        {0},
        {.padding_is_none = true},
        {.line_to_padding = true},
        {.line_to_padding = true, .lines_alone = true},
    };
    static const struct base64_way rubbish[] = {
        {.end_at_padding = true, .end_at_rubbish = true},
        {.end_at_rubbish = true},
    };
    static const struct base64_way uneven[] = {
        {.end_at_padding = true, .lines_alone = true},
        {.lines_alone = true},
    };

    for (size_t i = 0; look->inner_padding && i < sizeof(padded) / sizeof(padded[0]); i++) {
        if (!base64_way_take(body, length, &padded[i], room, take, context))
            return false;
    }
    for (size_t i = 0; look->rubbish && i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
        if (!base64_way_take(body, length, &rubbish[i], room, take, context))
            return false;
    }
    for (size_t i = 0; look->uneven_lines && i < sizeof(uneven) / sizeof(uneven[0]); i++) {
        if (!base64_way_take(body, length, &uneven[i], room, take, context))
            return false;
    }
    return !look->inner_padding || base64_strings(body, length, room, take, context);
}

static bool base64_all(const uint8_t *body, size_t length, uint8_t *room, variants_take *take,
                       void *context)
{
    static const struct base64_way first = {.end_at_padding = true};
    struct base64_look look = base64_look(body, length);

    return base64_way_take(body, length, &first, room, take, context) &&
           base64_ways(body, length, &look, room, take, context);
}

bool variants_base64(const uint8_t *body, size_t length, variants_take *take, void *context)
{
    uint8_t *room = malloc(length + 4);
    uint8_t *lines = NULL;
    bool more = false;

    if (room != NULL) {
        more = base64_all(body, length, room, take, context);
        lines = more && base64_look(body, length).rubbish ? malloc(length + 1) : NULL;
    }
    if (lines != NULL)
        more = base64_all(lines, base64_clean_lines(body, length, lines), room, take, context);
    free(lines);
    free(room);
    return more;
}

bool variants_look_base64(const uint8_t *body, size_t length)
{
    size_t run = 0;

    if (length > 4096)
        length = 4096;
    for (size_t i = 0; i < length; i++) {
        run = base64_value(body[i]) >= 0 ? run + 1 : 0;
        if (run >= 24)
            return true;
    }
    return false;
}

/* -- quoted-printable -------------------------------------------------------------------------- */

struct quoted_way {
    bool padded_break; /* blanks between '=' and the line end are passed over */
    bool keep_blanks;  /* those at a line's end */
    bool drop_invalid; /* '=' of what is no escape */
    bool drop_two;     /* and what stands behind it */
};

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The length of what ends a line softly behind a '=', or 0. */
static size_t quoted_break(const uint8_t *at, size_t left, bool padded)
{
    size_t i = 0;

    while (padded && i < left && (at[i] == ' ' || at[i] == '\t'))
        i++;
    if (i == left)
        return padded || i == 0 ? i : 0; /* '=' at the very end */
    if (at[i] == '\r' && i + 1 < left && at[i + 1] == '\n')
        return i + 2;
    return is_line_end(at[i]) ? i + 1 : 0;
}

static size_t quoted_go(const uint8_t *body, size_t length, const struct quoted_way *way,
                        uint8_t *to)
{
    size_t made = 0;
    size_t text = 0; /* of it up to the last byte that is no blank of this line */

    for (size_t i = 0; i < length; i++) {
        int high = i + 1 < length ? hex_value(body[i + 1]) : -1;
        int low = i + 2 < length ? hex_value(body[i + 2]) : -1;
        size_t rest = length - i - 1;

        if (body[i] == '=' && high >= 0 && low >= 0) {
            to[made++] = (uint8_t)(high * 16 + low);
            text = made;
            i += 2;
        } else if (body[i] == '=' &&
                   (rest == 0 || quoted_break(body + i + 1, rest, way->padded_break) > 0)) {
            i += rest == 0 ? 0 : quoted_break(body + i + 1, rest, way->padded_break);
            text = made;
        } else if (body[i] == '=' && way->drop_invalid) {
            i += way->drop_two && rest >= 2 ? 2 : 0;
        } else {
            if (is_line_end(body[i]) && !way->keep_blanks)
                made = text;
            to[made++] = body[i];
            if (body[i] != ' ' && body[i] != '\t')
                text = made;
        }
    }
    return made;
}

struct text_taker {
    variants_take *take;
    void *context;
};

bool variants_quoted_printable(const uint8_t *body, size_t length, variants_take *take,
                               void *context)
{
    static const struct quoted_way ways[] = {
        {.padded_break = true, .keep_blanks = true},
        {.padded_break = true},
        {.keep_blanks = true},
        {.padded_break = true, .keep_blanks = true, .drop_invalid = true},
        {.padded_break = true, .keep_blanks = true, .drop_invalid = true, .drop_two = true},
        {.padded_break = true, .drop_invalid = true},
    };
    uint8_t *room = malloc(length + 1);
    bool more = room != NULL;

    for (size_t i = 0; more && i < sizeof(ways) / sizeof(ways[0]); i++)
        more = variants_text(room, quoted_go(body, length, &ways[i], room), take, context);
    free(room);
    return more;
}

/* -- text -------------------------------------------------------------------------------------- */

/* With LF where it has CRLF, or the other way round. */
static size_t text_convert(const uint8_t *body, size_t length, bool crlf, uint8_t *to)
{
    size_t made = 0;

    for (size_t i = 0; i < length; i++) {
        if (body[i] == '\r' && i + 1 < length && body[i + 1] == '\n')
            continue;
        if (body[i] == '\n' && crlf)
            to[made++] = '\r';
        to[made++] = body[i];
    }
    return made;
}

/* With its last line end and without, and with one where it has none. */
static bool text_ends(uint8_t *text, size_t length, bool crlf, variants_take *take, void *context)
{
    size_t end = crlf ? 2 : 1;

    if (!take(context, text, length))
        return false;
    if (length >= end && text[length - 1] == '\n')
        return take(context, text, length - end);
    memcpy(text + length, crlf ? "\r\n" : "\n", end);
    return take(context, text, length + end);
}

bool variants_text(const uint8_t *body, size_t length, variants_take *take, void *context)
{
    size_t feeds = 0;
    uint8_t *room;
    bool more;

    for (size_t i = 0; i < length; i++)
        feeds += body[i] == '\n';
    room = malloc(length + feeds + 2);
    if (room == NULL)
        return false;
    more = text_ends(room, text_convert(body, length, false, room), false, take, context) &&
           text_ends(room, text_convert(body, length, true, room), true, take, context);
    free(room);
    return more;
}

/* -- uuencode ---------------------------------------------------------------------------------- */

struct uu_line {
    const uint8_t *at;
    size_t length;
};

static struct uu_line uu_next(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *from = *at;
    const uint8_t *feed = memchr(from, '\n', (size_t)(end - from));
    size_t length = (size_t)((feed != NULL ? feed : end) - from);

    *at = feed != NULL ? feed + 1 : end;
    if (length > 0 && from[length - 1] == '\r')
        length--;
    return (struct uu_line){from, length};
}

static uint8_t uu_value(struct uu_line line, size_t at)
{
    return at < line.length ? (uint8_t)((line.at[at] - ' ') & 0x3f) : 0;
}

/* One line; returns the bytes written, at most 63. */
static size_t uu_line_go(struct uu_line line, uint8_t *to)
{
    size_t count = uu_value(line, 0);
    size_t made = 0;

    for (size_t at = 1; made < count; at += 4) {
        uint32_t bits = (uint32_t)uu_value(line, at) << 18 |
                        (uint32_t)uu_value(line, at + 1) << 12 |
                        (uint32_t)uu_value(line, at + 2) << 6 | uu_value(line, at + 3);

        for (unsigned i = 0; i < 3 && made < count; i++)
            to[made++] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return made;
}

/* "begin 644 name" or "begin-base64 644 name"; the name, or null. */
static bool uu_begins(struct uu_line line, bool *base64, char *name, size_t size)
{
    size_t at = sizeof("begin ") - 1;
    size_t length = 0;

    *base64 = line.length > 13 && memcmp(line.at, "begin-base64 ", 13) == 0;
    if (!*base64 && (line.length < at || memcmp(line.at, "begin ", at) != 0))
        return false;
    at = *base64 ? 13 : at;
    while (at < line.length && line.at[at] >= '0' && line.at[at] <= '7')
        at++;
    if (at == line.length || line.at[at] != ' ' || line.at[at - 1] == ' ')
        return false;
    for (at++; at < line.length && length + 1 < size; at++)
        name[length++] = line.at[at] != 0 ? (char)line.at[at] : '_';
    name[length] = '\0';
    return true;
}

static bool uu_ends(struct uu_line line)
{
    return (line.length == 3 && memcmp(line.at, "end", 3) == 0) ||
           (line.length == 4 && memcmp(line.at, "====", 4) == 0);
}

struct uu_named {
    variants_take_named *take;
    void *context;
    const char *name;
};

static bool uu_take(void *context, const uint8_t *bytes, size_t length)
{
    const struct uu_named *named = context;

    return named->take(named->context, bytes, length, named->name);
}

/* The file whose first line is at `*at`. */
static bool uu_file(const uint8_t **at, const uint8_t *end, bool base64, struct uu_named *named)
{
    const uint8_t *from = *at;
    const uint8_t *last = from;
    uint8_t *room = malloc((size_t)(end - from) + 64);
    size_t made = 0;
    char name[256];
    bool again;
    bool more = room != NULL;

    while (*at < end && more) {
        struct uu_line line;

        last = *at;
        line = uu_next(at, end);
        if (uu_ends(line))
            break;
        if (uu_begins(line, &again, name, sizeof(name))) {
            *at = last; /* another one */
            break;
        }
        last = *at;
        if (!base64 && line.length > 0 && line.length < 128)
            made += uu_line_go(line, room + made);
        if (made > (size_t)(end - from))
            made = (size_t)(end - from); /* longer than its lines: counts that are none */
    }
    if (more)
        more = base64 ? variants_base64(from, (size_t)(last - from), uu_take, named)
                      : uu_take(named, room, made);
    free(room);
    return more;
}

bool variants_uuencode(const uint8_t *body, size_t length, variants_take_named *take, void *context)
{
    const uint8_t *at = body;
    const uint8_t *end = body + length;
    char name[256];
    struct uu_named named = {take, context, name};

    while (at < end) {
        bool base64;

        if (uu_begins(uu_next(&at, end), &base64, name, sizeof(name)) &&
            !uu_file(&at, end, base64, &named))
            return false;
    }
    return true;
}

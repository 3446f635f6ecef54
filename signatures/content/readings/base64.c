/* A body in base64, as mail readers undo it that differ on padding, rubbish and the end. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/mime/text.h"
#include "signatures/content/readings/ways.h"

/* What '=' is. */
enum base64_padding {
    PADDING_ENDS,       /* the end of the body (MIME::Base64) */
    PADDING_WHOLE_ENDS, /* that where it makes a group whole, else nothing (Python) */
    PADDING_STRING,     /* the end of a string, another may follow (JavaMail) */
    PADDING_NONE,       /* rubbish like any other (MIME::Parser, PHP, postal-mime) */
    PADDING_LINE        /* the end of its line, and of no string (libclamav) */
};

struct base64_way {
    enum base64_padding padding;
    bool end_at_rubbish; /* anything else but white space ends the body; else it is passed over */
    bool lines_alone;    /* what is left of a group at a line's end is dropped */
    bool drop_rest;      /* what is left at the body's is (munpack, ripmime, GMime) */
    bool url;            /* '-' and '_' are letters (Node) */
    bool end_at_empty;   /* two empty lines end the body (ripmime) */
};

/* What stands in a body besides. */
struct base64_look {
    bool rubbish;
    bool url;           /* '-' or '_' */
    bool inner_padding; /* something follows '=', or it makes no group whole */
    bool uneven;        /* it ends inside a group */
    bool uneven_lines;  /* a line before the last has no whole number of groups */
    bool empty_line;    /* and another one behind it */
};

struct base64_state {
    uint32_t bits;
    unsigned count; /* letters of a group that is not whole */
    unsigned pads;
    size_t made;
    uint8_t *to;
};

static int base64_way_value(const struct base64_way *way, uint8_t byte)
{
    if (way->url && (byte == '-' || byte == '_'))
        return byte == '-' ? 62 : 63;
    return mime_base64_value(byte);
}

static void base64_look(const uint8_t *body, size_t length, struct base64_look *look)
{
    size_t letters = 0;
    size_t pads = 0;
    size_t in_line = 0;
    bool uneven = false;
    bool empty = false;

    *look = (struct base64_look){0};
    for (size_t i = 0; i < length; i++) {
        if (mime_base64_value(body[i]) >= 0) {
            look->inner_padding |= pads > 0;
            look->uneven_lines |= uneven;
            look->empty_line |= empty;
            letters++;
            in_line++;
        } else if (body[i] == '=') {
            pads++;
            in_line++;
        } else if (ways_line_end(body[i])) {
            empty |= in_line == 0 && body[i] == '\n' && letters > 0;
            uneven |= in_line % 4 != 0;
            in_line = body[i] == '\n' ? 0 : in_line;
        } else {
            look->rubbish |= !ways_white(body[i]);
            look->url |= body[i] == '-' || body[i] == '_';
        }
    }
    look->uneven = letters % 4 == 1 || (letters % 4 != 0 && letters % 4 + pads != 4);
    look->inner_padding |= pads > 2 || (pads > 0 && letters % 4 + pads != 4);
}

/* The bytes of a group that is not whole. */
static void base64_rest(struct base64_state *state)
{
    if (state->count == 2) {
        state->to[state->made++] = (uint8_t)(state->bits >> 4);
    } else if (state->count == 3) {
        state->to[state->made++] = (uint8_t)(state->bits >> 10);
        state->to[state->made++] = (uint8_t)(state->bits >> 2);
    }
    state->count = 0;
    state->bits = 0;
}

static void base64_letter(struct base64_state *state, int value)
{
    state->pads = 0;
    state->bits = state->bits << 6 | (uint32_t)value;
    if (++state->count < 4)
        return;
    state->to[state->made++] = (uint8_t)(state->bits >> 16);
    state->to[state->made++] = (uint8_t)(state->bits >> 8);
    state->to[state->made++] = (uint8_t)state->bits;
    state->count = 0;
    state->bits = 0;
}

/* A '='; false when nothing more counts. */
static bool base64_pad(struct base64_state *state, const struct base64_way *way, bool one_string,
                       bool *skipping)
{
    switch (way->padding) {
    case PADDING_ENDS:
        return false;
    case PADDING_WHOLE_ENDS:
        return state->count < 2 || state->count + ++state->pads < 4;
    case PADDING_STRING:
        if (!one_string)
            base64_rest(state);
        return !one_string;
    case PADDING_LINE:
        *skipping = true;
        return true;
    case PADDING_NONE:
    default:
        return true;
    }
}

/* Whether the two lines behind the one that ends there are empty. */
static bool base64_empty_lines(struct piece body, size_t at)
{
    unsigned lines = 0;

    for (; at < body.length && ways_line_end(body.at[at]); at++)
        lines += body.at[at] == '\n';
    return lines >= 3;
}

/* Decodes from `*at` on in that way; `*at` is where it has stopped. Returns the bytes written.
 * `open`: it has ended with one letter of a group. */
static size_t base64_go(struct piece body, const struct base64_way *way, bool one_string,
                        size_t *at, uint8_t *to, bool *open)
{
    struct base64_state state = {.to = to};
    bool skipping = false;
    size_t i = *at;

    for (; i < body.length; i++) {
        int value = base64_way_value(way, body.at[i]);

        if (ways_line_end(body.at[i])) {
            skipping = false;
            if (way->lines_alone)
                base64_rest(&state);
            if (way->end_at_empty && state.made > 0 && base64_empty_lines(body, i))
                break;
        } else if (skipping) {
            continue;
        } else if (value >= 0) {
            base64_letter(&state, value);
        } else if (body.at[i] == '=') {
            if (!base64_pad(&state, way, one_string, &skipping))
                break;
        } else if (way->end_at_rubbish && !ways_white(body.at[i])) {
            break;
        }
    }
    *open = state.count == 1;
    if (!way->drop_rest)
        base64_rest(&state);
    while (i < body.length && mime_base64_value(body.at[i]) < 0) /* padding, and what is between */
        i++;
    *at = i;
    return state.made;
}

static bool base64_way_take(struct piece body, const struct base64_way *way, uint8_t *room,
                            const struct ways_sink *sink)
{
    size_t at = 0;
    bool open;

    return sink->take(sink->context, room, base64_go(body, way, false, &at, room, &open));
}

/* Python gives up at one letter left over, and shows the text, its lines put together. */
static bool base64_python(struct piece body, uint8_t *room, const struct ways_sink *sink)
{
    static const struct base64_way way = {.padding = PADDING_WHOLE_ENDS};
    size_t at = 0;
    size_t joined = 0;
    bool open;
    size_t made = base64_go(body, &way, false, &at, room, &open);

    if (!open)
        return sink->take(sink->context, room, made);
    for (size_t i = 0; i < body.length; i++) {
        if (!ways_line_end(body.at[i]))
            room[joined++] = body.at[i];
    }
    return sink->take(sink->context, room, joined);
}

/* Each string alone. */
static bool base64_strings(struct piece body, uint8_t *room, const struct ways_sink *sink)
{
    static const struct base64_way way = {.padding = PADDING_STRING};
    size_t at = 0;
    bool open;

    for (unsigned i = 0; i < VARIANTS_STRINGS_MAX && at < body.length; i++) {
        if (!sink->take(sink->context, room, base64_go(body, &way, true, &at, room, &open)))
            return false;
    }
    return true;
}

/* -- readers to whom '=' is one letter of four ------------------------------------------------- */

enum base64_group {
    GROUP_GMIME,       /* a zero; it takes away the byte at its place */
    GROUP_THUNDERBIRD, /* a zero; each takes away a last byte */
    GROUP_COURIER,     /* the same with 99 */
    GROUP_COUNT
};

static size_t base64_group_end(enum base64_group kind, const uint8_t group[4], uint8_t *to)
{
    uint32_t letter[4];
    unsigned pads = 0;
    size_t made = 0;

    for (unsigned i = 0; i < 4; i++) {
        pads += group[i] == '=';
        letter[i] = group[i] != '='         ? (uint32_t)mime_base64_value(group[i])
                    : kind == GROUP_COURIER ? 99
                                            : 0;
    }
    to[made++] = (uint8_t)(letter[0] << 2 | letter[1] >> 4);
    if (kind == GROUP_THUNDERBIRD || group[2] != '=')
        to[made++] = (uint8_t)(letter[1] << 4 | letter[2] >> 2);
    if (kind == GROUP_THUNDERBIRD || group[3] != '=')
        to[made++] = (uint8_t)(letter[2] << 6 | letter[3]);
    if (kind == GROUP_THUNDERBIRD)
        made = pads < 3 ? 3 - pads : 0;
    return made;
}

static bool base64_group_take(struct piece body, enum base64_group kind, uint8_t *room,
                              const struct ways_sink *sink)
{
    uint8_t group[4];
    unsigned count = 0;
    size_t made = 0;

    for (size_t i = 0; i < body.length; i++) {
        if (mime_base64_value(body.at[i]) < 0 && body.at[i] != '=')
            continue;
        group[count++] = body.at[i];
        if (count == 4) {
            made += base64_group_end(kind, group, room + made);
            count = 0;
        }
    }
    return sink->take(sink->context, room, made);
}

/* -- all of them ------------------------------------------------------------------------------- */

/* The ways that differ from the first where the body has something of `needs`. */
struct base64_row {
    size_t needs; /* offset of a flag of struct base64_look */
    struct base64_way way;
};

#define NEEDS(flag) offsetof(struct base64_look, flag)

static const struct base64_row base64_rows[] = {
    {NEEDS(inner_padding), {.padding = PADDING_STRING}},
    {NEEDS(inner_padding), {.padding = PADDING_NONE}},
    {NEEDS(inner_padding), {.padding = PADDING_NONE, .drop_rest = true}},
    {NEEDS(inner_padding), {.padding = PADDING_LINE}},
    {NEEDS(inner_padding), {.padding = PADDING_LINE, .lines_alone = true}},
    {NEEDS(inner_padding), {.padding = PADDING_ENDS, .drop_rest = true}},
    {NEEDS(rubbish), {.padding = PADDING_ENDS, .end_at_rubbish = true}},
    {NEEDS(rubbish), {.padding = PADDING_STRING, .end_at_rubbish = true}},
    {NEEDS(url), {.padding = PADDING_ENDS, .url = true}},
    {NEEDS(url), {.padding = PADDING_NONE, .url = true}},
    {NEEDS(uneven), {.padding = PADDING_ENDS, .drop_rest = true}},
    {NEEDS(empty_line), {.padding = PADDING_STRING, .end_at_empty = true}},
    {NEEDS(empty_line), {.padding = PADDING_STRING, .end_at_empty = true, .drop_rest = true}},
    {NEEDS(uneven_lines), {.padding = PADDING_ENDS, .lines_alone = true}},
    {NEEDS(uneven_lines), {.padding = PADDING_STRING, .lines_alone = true}},
};

/* The first way, and where it gives text what readers make of its line ends. */
static bool base64_first(struct piece body, uint8_t *room, const struct ways_sink *sink)
{
    static const struct base64_way first = {.padding = PADDING_ENDS};
    size_t at = 0;
    bool open;
    size_t made = base64_go(body, &first, false, &at, room, &open);

    if (made > 0 && memchr(room, '\n', made) != NULL && memchr(room, 0, made) == NULL &&
        !variants_text(room, made, sink->take, sink->context))
        return false;
    return sink->take(sink->context, room, made);
}

static bool base64_all(struct piece body, uint8_t *room, const struct ways_sink *sink)
{
    struct base64_look look;

    base64_look(body.at, body.length, &look);
    if (!base64_first(body, room, sink))
        return false;
    for (size_t i = 0; i < sizeof(base64_rows) / sizeof(base64_rows[0]); i++) {
        const struct base64_row *row = &base64_rows[i];

        if (*(const bool *)((const uint8_t *)&look + row->needs) &&
            !base64_way_take(body, &row->way, room, sink))
            return false;
    }
    if ((look.inner_padding || look.uneven) && !base64_python(body, room, sink))
        return false;
    for (unsigned i = 0; look.inner_padding && i < GROUP_COUNT; i++) {
        if (!base64_group_take(body, (enum base64_group)i, room, sink))
            return false;
    }
    return !look.inner_padding || base64_strings(body, room, sink);
}

/* The lines that have nothing but base64 in them. Returns how many bytes they are. */
static size_t base64_clean_lines(struct piece body, uint8_t *to)
{
    size_t made = 0;
    size_t from = 0;

    while (from < body.length) {
        size_t end = from;
        bool clean = true;

        for (; end < body.length && body.at[end] != '\n'; end++)
            clean = clean && (mime_base64_value(body.at[end]) >= 0 || body.at[end] == '=' ||
                              ways_white(body.at[end]));
        if (end < body.length)
            end++;
        if (clean) {
            memcpy(to + made, body.at + from, end - from);
            made += end - from;
        }
        from = end;
    }
    return made;
}

bool variants_base64(const uint8_t *body, size_t length, variants_take *take, void *context)
{
    const struct ways_sink sink = {take, context};
    const struct piece whole = {body, length};
    uint8_t *room = malloc(length + 4);
    uint8_t *lines = malloc(length + 1);
    bool more = room != NULL && lines != NULL && base64_all(whole, room, &sink);

    if (more) {
        size_t clean = base64_clean_lines(whole, lines);

        if (clean < length)
            more = base64_all((struct piece){lines, clean}, room, &sink);
    }
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
        run = mime_base64_value(body[i]) >= 0 ? run + 1 : 0;
        if (run >= 24)
            return true;
    }
    return false;
}

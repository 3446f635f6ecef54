/* A body in quoted-printable, as mail readers undo it that differ on what is no escape, and on
 * blanks. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/ways.h"

#define QUOTED_NO_HEX 0x7fu /* what munpack takes for the value of what is no digit */

/* What becomes of '=' that is neither an escape nor the end of a line. */
enum quoted_invalid {
    INVALID_KEEP,       /* it stays, and what follows is looked at (PHP, Perl, libqp) */
    INVALID_KEEP_THREE, /* it stays with the two that follow, not looked at; at the end they go
                           (GMime) */
    INVALID_PYTHON,     /* it stays; of two one goes; with CR all goes up to LF */
    INVALID_DROP,       /* it goes */
    INVALID_DROP_HEX,   /* and a digit, or a blank and the line behind it (reformime) */
    INVALID_DROP_TWO,   /* and the two that follow */
    INVALID_VALUE       /* three are a byte, whatever they are (munpack) */
};

struct quoted_way {
    enum quoted_invalid invalid;
    bool padded_break; /* blanks between '=' and the line end are passed over */
    bool strip;        /* blanks at a line's end go */
    bool strip_last;   /* those at the body's end, too */
    bool keep_last;    /* '=' at the very end stays */
};

static const struct quoted_way quoted_plain = {.padded_break = true};

/* Where all escapes are right. */
static const struct quoted_way quoted_blanks[] = {
    {.padded_break = true, .strip = true},
    {.padded_break = true, .strip = true, .strip_last = true},
};

static const struct quoted_way quoted_odd[] = {
    {.invalid = INVALID_KEEP},
    {.invalid = INVALID_KEEP, .keep_last = true},
    {.padded_break = true, .strip = true, .keep_last = true},
    {.invalid = INVALID_KEEP_THREE},
    {.invalid = INVALID_PYTHON},
    {.invalid = INVALID_DROP, .padded_break = true},
    {.invalid = INVALID_DROP, .padded_break = true, .strip = true},
    {.invalid = INVALID_DROP_HEX, .padded_break = true},
    {.invalid = INVALID_DROP_HEX, .padded_break = true, .strip = true},
    {.invalid = INVALID_DROP_TWO, .padded_break = true},
    {.invalid = INVALID_VALUE, .keep_last = true},
};

struct quoted_state {
    const struct quoted_way *way;
    struct piece body;
    size_t at;
    uint8_t *to;
    size_t made;
    size_t text; /* of it up to the last byte that is no blank at a line's end so far */
};

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static int quoted_hex(struct piece body, size_t at)
{
    return at < body.length ? hex_value(body.at[at]) : -1;
}

/* The length of a line end there, or 0. */
static size_t quoted_line_end(struct piece body, size_t at)
{
    if (at + 1 < body.length && body.at[at] == '\r' && body.at[at + 1] == '\n')
        return 2;
    return at < body.length && body.at[at] == '\n';
}

/* The length of what ends a line softly from '=' on, or 0. */
static size_t quoted_break(const struct quoted_way *way, struct piece body, size_t at)
{
    size_t i = at + 1;

    while (way->padded_break && i < body.length && ways_blank(body.at[i]))
        i++;
    if (i == body.length)
        return way->keep_last ? 0 : i - at;
    if (quoted_line_end(body, i) > 0)
        return i - at + quoted_line_end(body, i);
    return way->padded_break && body.at[i] == '\r' ? i - at + 1 : 0;
}

static void quoted_put(struct quoted_state *state, uint8_t byte, bool blank)
{
    state->to[state->made++] = byte;
    if (!blank)
        state->text = state->made;
}

static void quoted_keep(struct quoted_state *state, size_t count)
{
    for (size_t i = 0; i < count && state->at < state->body.length; i++)
        quoted_put(state, state->body.at[state->at++], false);
}

static void quoted_python(struct quoted_state *state)
{
    struct piece body = state->body;

    if (state->at + 1 < body.length && body.at[state->at + 1] == '=') {
        quoted_put(state, '=', false);
        state->at += 2;
    } else if (state->at + 1 < body.length && body.at[state->at + 1] == '\r') {
        while (state->at < body.length && body.at[state->at] != '\n')
            state->at++;
        state->at += state->at < body.length;
    } else {
        quoted_keep(state, 1);
    }
}

static void quoted_value(struct quoted_state *state)
{
    int high = quoted_hex(state->body, state->at + 1);
    int low = quoted_hex(state->body, state->at + 2);

    quoted_put(state,
               (uint8_t)((high < 0 ? QUOTED_NO_HEX : (unsigned)high) << 4 |
                         (low < 0 ? QUOTED_NO_HEX : (unsigned)low)),
               false);
    state->at += 3;
}

static void quoted_drop(struct quoted_state *state)
{
    struct piece body = state->body;

    state->at++;
    if (quoted_hex(body, state->at) >= 0) {
        state->at++;
    } else if (state->at < body.length && ways_blank(body.at[state->at])) {
        while (state->at < body.length && body.at[state->at] != '\n')
            state->at++;
        state->at += state->at < body.length;
    }
}

static void quoted_invalid(struct quoted_state *state)
{
    switch (state->way->invalid) {
    case INVALID_KEEP_THREE:
        if (state->body.length - state->at < 3)
            state->at = state->body.length;
        quoted_keep(state, 3);
        break;
    case INVALID_PYTHON:
        quoted_python(state);
        break;
    case INVALID_DROP:
        state->at++;
        break;
    case INVALID_DROP_HEX:
        quoted_drop(state);
        break;
    case INVALID_DROP_TWO:
        state->at += 3;
        break;
    case INVALID_VALUE:
        quoted_value(state);
        break;
    case INVALID_KEEP:
    default:
        quoted_keep(state, 1);
        break;
    }
}

static void quoted_equals(struct quoted_state *state)
{
    size_t end = quoted_break(state->way, state->body, state->at);

    if (quoted_hex(state->body, state->at + 1) >= 0 &&
        quoted_hex(state->body, state->at + 2) >= 0) {
        quoted_value(state);
    } else if (end > 0) {
        state->at += end;
        state->text = state->made;
    } else {
        quoted_invalid(state);
    }
}

static size_t quoted_go(struct piece body, const struct quoted_way *way, uint8_t *to)
{
    struct quoted_state state = {.way = way, .body = body, .to = to};

    while (state.at < body.length) {
        size_t end = quoted_line_end(body, state.at);

        if (end > 0) {
            if (way->strip)
                state.made = state.text;
            quoted_keep(&state, end);
        } else if (body.at[state.at] == '=') {
            quoted_equals(&state);
        } else {
            quoted_put(&state, body.at[state.at], ways_blank(body.at[state.at]));
            state.at++;
        }
    }
    return way->strip_last ? state.text : state.made;
}

/* A body, all of whose lines end in one way, and where what is made of it goes. */
struct quoted_body {
    struct piece piece;
    bool crlf;
    uint8_t *room;
    const struct ways_sink *sink;
};

static bool quoted_take(const struct quoted_body *body, const struct quoted_way *way)
{
    size_t length = quoted_go(body->piece, way, body->room);

    if (!ways_text_ends(body->room, length, body->crlf, body->sink))
        return false;
    if (body->crlf || memchr(body->room, '\r', length) == NULL)
        return true;
    length =
        ways_text_convert(body->room, length, false, body->room); /* encoded CR, too (munpack) */
    return ways_text_ends(body->room, length, false, body->sink);
}

static bool quoted_take_each(const struct quoted_body *body, const struct quoted_way *ways,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!quoted_take(body, &ways[i]))
            return false;
    }
    return true;
}

#define QUOTED_EACH(ways) ways, sizeof(ways) / sizeof((ways)[0])

/* Readers that put soft line breaks together first, and undo escapes then (libqp). */
static bool quoted_joined(const struct quoted_body *body)
{
    struct piece from = body->piece;
    struct quoted_body joined = *body;
    uint8_t *lines = malloc(from.length + 1);
    size_t length = 0;
    bool more = lines != NULL;

    for (size_t i = 0; more && i < from.length;) {
        size_t end = from.at[i] == '=' ? quoted_break(&quoted_plain, from, i) : 0;

        if (end == 0)
            lines[length++] = from.at[i++];
        i += end;
    }
    joined.piece = (struct piece){lines, length};
    more = more && quoted_take(&joined, &quoted_plain) &&
           quoted_take_each(&joined, QUOTED_EACH(quoted_blanks));
    free(lines);
    return more;
}

/* Whether '=' stands there that is neither an escape nor right before a line end; whether there are
 * blanks at a line's end. */
static void quoted_look(struct piece body, bool *odd, bool *blanks)
{
    *odd = false;
    *blanks = body.length > 0 && ways_blank(body.at[body.length - 1]);
    for (size_t i = 0; i < body.length; i++) {
        if (body.at[i] == '=')
            *odd |= (quoted_hex(body, i + 1) < 0 || quoted_hex(body, i + 2) < 0) &&
                    quoted_line_end(body, i + 1) == 0;
        else if (i > 0 && ways_blank(body.at[i - 1]))
            *blanks |= quoted_line_end(body, i) > 0;
    }
}

static bool quoted_all(const struct quoted_body *body)
{
    bool odd;
    bool blanks;

    quoted_look(body->piece, &odd, &blanks);
    if (!quoted_take(body, &quoted_plain))
        return false;
    if ((odd || blanks) && !quoted_take_each(body, QUOTED_EACH(quoted_blanks)))
        return false;
    return !odd || (quoted_take_each(body, QUOTED_EACH(quoted_odd)) && quoted_joined(body));
}

bool variants_quoted_printable(const uint8_t *body, size_t length, variants_take *take,
                               void *context)
{
    const struct ways_sink sink = {take, context};
    size_t size = ways_text_room(body, length);
    uint8_t *lines = malloc(size);
    struct quoted_body whole = {.room = malloc(size), .sink = &sink};
    bool more = lines != NULL && whole.room != NULL;

    for (unsigned i = 0; more && i < 2; i++) {
        whole.crlf = i == 1;
        whole.piece = (struct piece){lines, ways_text_convert(body, length, whole.crlf, lines)};
        more = quoted_all(&whole);
    }
    free(lines);
    free(whole.room);
    return more;
}

/* Files in uuencode, and in base64 with its frame (sharutils), wherever they stand in a text. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/ways.h"

#define UU_NAME     256u
#define UU_LINE_MAX 128u /* of a line; longer ones are none */
#define UU_EMPTY_CR 45u  /* ('\r' - ' ') & 63 */
#define UU_EMPTY_LF 42u
#define UU_ROOM     64u /* the most that a line gives */

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

static bool uu_odd(struct uu_line line)
{
    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] >= 'a' && line.at[i] <= 'z')
            return true;
    }
    return line.length > 0 && (uu_value(line, 0) + 2u) / 3 != (line.length + 1) / 4;
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

/* A line that starts with "begin" is enough for MIME::Parser. Words that start so are in many
 * texts: lines of a file must follow. */
static bool uu_begins_oddly(struct uu_line line, const uint8_t *at, const uint8_t *end)
{
    struct uu_line first;

    if (line.length < 5 || memcmp(line.at, "begin", 5) != 0 || at == end)
        return false;
    first = uu_next(&at, end);
    return first.length > 1 && first.length < UU_LINE_MAX && !uu_odd(first);
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

/* What is in the lines between "begin" and "end". */
enum uu_way {
    UU_PLAIN,
    UU_STRICT,    /* lines with small letters, and those that are not as long as they say, are none
                     (MIME::Parser) */
    UU_PYTHON_CR, /* the CR of an empty line says 45, and nothing is zero */
    UU_PYTHON_LF  /* where lines end with LF: 42 */
};

/* `room`: of the lines' bytes and UU_ROOM more. */
static size_t uu_lines(struct piece lines, enum uu_way way, uint8_t *room, bool *odd, bool *empty)
{
    const uint8_t *at = lines.at;
    const uint8_t *end = lines.at + lines.length;
    size_t made = 0;

    while (at < end) {
        struct uu_line line = uu_next(&at, end);

        *odd |= uu_odd(line);
        *empty |= line.length == 0;
        if (line.length == 0 && way >= UU_PYTHON_CR) {
            size_t count = way == UU_PYTHON_CR ? UU_EMPTY_CR : UU_EMPTY_LF;

            memset(room + made, 0, count);
            made += count;
        } else if (line.length > 0 && line.length < UU_LINE_MAX &&
                   (way != UU_STRICT || !uu_odd(line))) {
            made += uu_line_go(line, room + made);
        }
        if (way < UU_PYTHON_CR && made > lines.length)
            made = lines.length; /* longer than its lines: counts that are none */
    }
    return made;
}

static bool uu_ways(struct piece lines, struct uu_named *named)
{
    size_t feeds = ways_text_room(lines.at, lines.length) - lines.length;
    uint8_t *room = malloc(lines.length + feeds * UU_EMPTY_CR + UU_ROOM);
    bool odd = false;
    bool empty = false;
    bool more = room != NULL && uu_take(named, room, uu_lines(lines, UU_PLAIN, room, &odd, &empty));

    if (more && odd)
        more = uu_take(named, room, uu_lines(lines, UU_STRICT, room, &odd, &empty));
    for (enum uu_way way = UU_PYTHON_CR; more && empty && way <= UU_PYTHON_LF; way++)
        more = uu_take(named, room, uu_lines(lines, way, room, &odd, &empty));
    free(room);
    return more;
}

/* The file whose first line is at `*at`. */
static bool uu_file(const uint8_t **at, const uint8_t *end, bool base64, struct uu_named *named)
{
    const uint8_t *from = *at;
    const uint8_t *last = from;
    struct piece lines;
    char name[UU_NAME];
    bool again;

    while (*at < end) {
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
    }
    lines = (struct piece){from, (size_t)(last - from)};
    return base64 ? variants_base64(lines.at, lines.length, uu_take, named) : uu_ways(lines, named);
}

bool variants_uuencode(const uint8_t *body, size_t length, variants_take_named *take, void *context)
{
    const uint8_t *at = body;
    const uint8_t *end = body + length;
    char name[UU_NAME];
    struct uu_named named = {take, context, name};

    while (at < end) {
        struct uu_line line = uu_next(&at, end);
        bool base64 = false;
        bool begins = uu_begins(line, &base64, name, sizeof(name));

        if (!begins && uu_begins_oddly(line, at, end)) {
            begins = true;
            base64 = false;
            name[0] = '\0';
        }
        if (begins && !uu_file(&at, end, base64, &named))
            return false;
    }
    return true;
}

bool variants_embedded(const uint8_t *text, size_t length, variants_take_named *take, void *context)
{
    return variants_uuencode(text, length, take, context) &&
           variants_yenc(text, length, take, context) &&
           variants_binhex(text, length, take, context);
}

/* Whether `word` stands at the start of a line. */
static bool embedded_line(struct piece text, const char *word)
{
    const uint8_t *at = text.at;
    const uint8_t *end = text.at + text.length;

    while ((at = memmem(at, (size_t)(end - at), word, strlen(word))) != NULL) {
        if (at == text.at || ways_line_end(at[-1]))
            return true;
        at++;
    }
    return false;
}

bool variants_look_embedded(const uint8_t *text, size_t length)
{
    const struct piece whole = {text, length};

    return embedded_line(whole, "begin") || embedded_line(whole, "=ybegin ") ||
           memmem(text, length, "must be converted", 17) != NULL;
}

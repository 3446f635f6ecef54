/* Where a text may be cut: at lines that start with "--" and then a boundary, whoever names it, or
 * that stand before what looks like a header. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/mime/text.h"
#include "signatures/content/readings/internal.h"

#define LINES_BOUNDARIES_MAX 20000u
#define LINES_CUTS_MAX       200000u

/* -- boundaries -------------------------------------------------------------------------------- */

static int boundary_compare(const void *left, const void *right)
{
    const struct boundary *a = left;
    const struct boundary *b = right;
    size_t shorter = a->value.length < b->value.length ? a->value.length : b->value.length;
    int order = memcmp(a->value.at, b->value.at, shorter);

    if (order != 0)
        return order;
    return a->value.length < b->value.length ? -1 : a->value.length > b->value.length;
}

static bool boundary_starts(struct piece text, struct piece value)
{
    return text.length >= value.length && memcmp(text.at, value.at, value.length) == 0;
}

/* Borrows the value. */
static bool boundary_add(struct lines *lines, struct piece value)
{
    struct readings *readings = lines->readings;

    if (value.length == 0)
        return true;
    if (lines->boundary_count >= LINES_BOUNDARIES_MAX)
        return readings_stop(readings, STATUS_NO_SPACE);
    if (lines->boundary_count == lines->boundary_room) {
        size_t room = lines->boundary_room == 0 ? 16 : lines->boundary_room * 2;
        void *grown = realloc(lines->boundaries, room * sizeof(*lines->boundaries));

        if (grown == NULL)
            return readings_stop(readings, STATUS_NO_MEMORY);
        lines->boundaries = grown;
        lines->boundary_room = room;
    }
    lines->boundaries[lines->boundary_count++] =
        (struct boundary){value, LINES_NONE, LINES_NONE, LINES_NONE};
    return true;
}

static bool boundary_take(void *context, const uint8_t *value, size_t length)
{
    struct lines *lines = context;
    uint8_t *copy;

    for (size_t i = 0; i < lines->boundary_count && i < 64; i++) { /* the last ones: repeats */
        struct piece last = lines->boundaries[lines->boundary_count - 1 - i].value;

        if (last.length == length && memcmp(last.at, value, length) == 0)
            return true;
    }
    copy = collection_buffer(lines->readings, length);
    if (copy == NULL)
        return false;
    memcpy(copy, value, length);
    return boundary_add(lines, (struct piece){copy, length});
}

/* All values that a "boundary" has anywhere: in which field, and whether in a field at all, readers
 * do not agree. */
static bool boundaries_named(struct lines *lines, struct piece text)
{
    const uint8_t *end = text.at + text.length;
    const uint8_t *at = text_find(text, text.at, "boundary");

    while (at < end) {
        at += strlen("boundary");
        values_find(text, at, boundary_take, lines);
        if (!readings_work(lines->readings, VALUES_ROOM))
            return false;
        at = text_find(text, at, "boundary");
    }
    return lines->readings->end == STATUS_OK;
}

/* Sorts them, each once, and finds which ones others start with. */
static void boundaries_order(struct lines *lines)
{
    size_t count = 0;

    if (lines->boundary_count == 0)
        return;
    qsort(lines->boundaries, lines->boundary_count, sizeof(*lines->boundaries), boundary_compare);
    for (size_t i = 0; i < lines->boundary_count; i++) {
        if (count > 0 &&
            boundary_compare(&lines->boundaries[count - 1], &lines->boundaries[i]) == 0)
            continue;
        lines->boundaries[count++] = lines->boundaries[i];
    }
    lines->boundary_count = count;
    for (size_t i = 1; i < count; i++) {
        uint32_t shorter = (uint32_t)i - 1;

        while (shorter != LINES_NONE &&
               !boundary_starts(lines->boundaries[i].value, lines->boundaries[shorter].value))
            shorter = lines->boundaries[shorter].shorter;
        lines->boundaries[i].shorter = shorter;
    }
}

/* The longest one that the line goes on with, or LINES_NONE. */
static uint32_t boundary_of(const struct lines *lines, struct piece line)
{
    const struct boundary key = {.value = line};
    size_t low = 0;
    size_t high = lines->boundary_count;
    uint32_t found;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (boundary_compare(&lines->boundaries[middle], &key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    found = low == 0 ? LINES_NONE : (uint32_t)low - 1;
    while (found != LINES_NONE && !boundary_starts(line, lines->boundaries[found].value))
        found = lines->boundaries[found].shorter;
    return found;
}

/* -- cuts -------------------------------------------------------------------------------------- */

/* What stands behind the "--" of a line, blanks before and behind it left out; length 0: no such
 * line, or nothing does. */
static struct piece line_dashes(struct piece line)
{
    const uint8_t *at = line.at;
    const uint8_t *end = line.at + line.length;

    while (at < end && mime_is_blank(*at))
        at++;
    if (end - at < 2 || at[0] != '-' || at[1] != '-')
        return (struct piece){at, 0};
    at += 2;
    while (end > at && (mime_is_blank(end[-1]) || end[-1] == '\r'))
        end--;
    return (struct piece){at, (size_t)(end - at)};
}

/* What stands behind the dashes before a header is a boundary, whoever names it; also without what
 * readers may pass over. */
static bool boundaries_seen(struct lines *lines, struct piece text)
{
    const uint8_t *end = text.at + text.length;
    const uint8_t *next;

    for (const uint8_t *at = text.at; at < end; at = next) {
        struct piece name = line_dashes(line_at(at, end, &next));

        if (name.length > 0 && text_looks_header((struct piece){next, (size_t)(end - next)}) &&
            !boundary_add(lines, name))
            return false;
    }
    return true;
}

static bool cut_add(struct lines *lines, const struct cut *cut)
{
    struct readings *readings = lines->readings;

    if (lines->cut_count >= LINES_CUTS_MAX)
        return readings_stop(readings, STATUS_NO_SPACE);
    if (lines->cut_count == lines->cut_room) {
        size_t room = lines->cut_room == 0 ? 16 : lines->cut_room * 2;
        void *grown = realloc(lines->cuts, room * sizeof(*lines->cuts));

        if (grown == NULL)
            return readings_stop(readings, STATUS_NO_MEMORY);
        lines->cuts = grown;
        lines->cut_room = room;
    }
    lines->cuts[lines->cut_count++] = *cut;
    return true;
}

static bool cuts_find(struct lines *lines, struct piece text)
{
    const uint8_t *end = text.at + text.length;
    const uint8_t *before = text.at;
    const uint8_t *next;

    for (const uint8_t *at = text.at; at < end; at = next) {
        struct piece line = line_at(at, end, &next);
        struct piece name = line_dashes(line);
        struct cut cut = {.before = before, .next = next, .boundary = LINES_NONE};

        before = line.at + line.length;
        if (name.length == 0 && (line.length < 2 || line.at[0] != '-' || line.at[1] != '-'))
            continue;
        cut.boundary = boundary_of(lines, name);
        if (cut.boundary == LINES_NONE &&
            !text_looks_header((struct piece){next, (size_t)(end - next)}))
            continue;
        if (cut.boundary != LINES_NONE) {
            size_t more = name.length - lines->boundaries[cut.boundary].value.length;

            cut.exact = more == 0 || (more == 2 && memcmp(name.at + name.length - 2, "--", 2) == 0);
        }
        if (!cut_add(lines, &cut))
            return false;
    }
    return true;
}

bool lines_find(struct readings *readings, struct piece text, struct lines *lines)
{
    *lines = (struct lines){.readings = readings};
    if (!readings_work(readings, text.length) || !boundaries_named(lines, text) ||
        !boundaries_seen(lines, text))
        return false;
    boundaries_order(lines);
    return cuts_find(lines, text);
}

void lines_free(struct lines *lines)
{
    free(lines->cuts);
    free(lines->boundaries);
}

#include "signatures/content/readings/readings.h"

#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/internal.h"

#define READINGS_HEAD (4u << 20) /* bytes of a message that may come out many times */

struct readings_limits readings_limits(size_t length)
{
    /* Honest mail: an attachment comes out once, a text in four ways of ending its lines. But a
     * bounce that holds a mail of 60 KB, or base64 that is cut short, has come out as 40 to 400
     * times itself: what is added to the length is for such. */
    unsigned more = length / 64 > 20000 ? 20000 : (unsigned)(length / 64);
    uint64_t head = length < READINGS_HEAD ? length : READINGS_HEAD;

    return (struct readings_limits){
        .depth = 8,
        .forks = 2000 + more,
        .parts = 4000 + more / 4,
        .bytes = (32u << 20) + 32 * head + 4 * (length - head),
        .work = 400 * (uint64_t)length + (64u << 20),
    };
}

/* From a line that may be a boundary to another one. */
static bool readings_between(struct readings *readings, const uint8_t *from, const uint8_t *to,
                             unsigned depth, bool cut)
{
    return to <= from ||
           entity_read(readings, (struct piece){from, (size_t)(to - from)}, depth, cut);
}

/* What a part that starts at cut `i` may end at: the next line that may be any boundary; the next
 * one of each that this line may be; and the next that is that one and no more. */
static bool readings_from_cut(struct readings *readings, const struct lines *lines, size_t i,
                              const uint8_t *end, unsigned depth)
{
    const struct cut *cut = &lines->cuts[i];
    const uint8_t *next = i + 1 < lines->cut_count ? lines->cuts[i + 1].before : end;
    uint32_t boundary = cut->boundary;

    if (!readings_between(readings, cut->next, next, depth, false))
        return false;
    for (; boundary != LINES_NONE; boundary = lines->boundaries[boundary].shorter) {
        const struct boundary *known = &lines->boundaries[boundary];
        const uint8_t *any = known->next == LINES_NONE ? end : lines->cuts[known->next].before;
        const uint8_t *exact = known->exact == LINES_NONE ? end : lines->cuts[known->exact].before;

        if (any != next && !readings_between(readings, cut->next, any, depth, true))
            return false;
        if (exact != any && exact != next &&
            !readings_between(readings, cut->next, exact, depth, true))
            return false;
        if (!readings_work(readings, 0))
            return false;
    }
    return true;
}

/* From the last to the first, so that each knows which ones come behind it. */
static bool readings_cuts(struct readings *readings, struct lines *lines, struct piece text,
                          unsigned depth)
{
    const uint8_t *end = text.at + text.length;

    for (size_t i = lines->cut_count; i-- > 0;) {
        const struct cut *cut = &lines->cuts[i];

        if (!readings_from_cut(readings, lines, i, end, depth))
            return false;
        for (uint32_t b = cut->boundary; b != LINES_NONE; b = lines->boundaries[b].shorter) {
            lines->boundaries[b].next = (uint32_t)i;
            if (cut->exact && b == cut->boundary)
                lines->boundaries[b].exact = (uint32_t)i;
        }
    }
    return true;
}

static bool readings_text(struct readings *readings, const struct text *text)
{
    const uint8_t *from = text->bytes.at;
    const uint8_t *end = from + text->bytes.length;
    struct lines lines;
    bool more = lines_find(readings, text->bytes, &lines);

    if (more)
        more = readings_between(readings, from, end, text->depth, lines.cut_count > 0);
    if (more && lines.cut_count > 0)
        more = readings_between(readings, from, lines.cuts[0].before, text->depth, false);
    if (more)
        more = readings_cuts(readings, &lines, text->bytes, text->depth);
    lines_free(&lines);
    return more;
}

/* Readers that end a line at a bare CR, or pass over NULs. */
static bool readings_bare(struct readings *readings, struct piece message, unsigned depth)
{
    bool nul = memchr(message.at, 0, message.length) != NULL;
    bool bare = false;
    uint8_t *copy;
    size_t length = 0;

    for (size_t i = 0; i + 1 < message.length && !bare; i++)
        bare = message.at[i] == '\r' && message.at[i + 1] != '\n';
    if (!nul && !bare)
        return true;
    copy = collection_buffer(readings, message.length);
    if (copy == NULL)
        return false;
    for (size_t i = 0; i < message.length; i++) {
        bool before_feed = i + 1 < message.length && message.at[i + 1] == '\n';

        if (message.at[i] == 0)
            continue;
        copy[length++] = message.at[i] == '\r' && !before_feed ? (uint8_t)'\n' : message.at[i];
    }
    return collection_text(readings, (struct piece){copy, length}, depth);
}

enum status readings_collect(const uint8_t *message, size_t length,
                             const struct readings_limits *limits, struct readings **collected)
{
    struct readings *readings = calloc(1, sizeof(*readings));
    const struct piece whole = {message, length};

    *collected = readings;
    if (readings == NULL)
        return STATUS_NO_MEMORY;
    readings->limits = *limits;
    open_begin(&readings->opener, &OPEN_LIMITS_DEFAULT);
    if (!collection_text(readings, whole, 0))
        return readings->end;
    while (readings->text_next < readings->text_count) {
        struct text text = readings->texts[readings->text_next++];

        readings->opened = text.opened;
        if (!readings_bare(readings, text.bytes, text.depth) || !readings_text(readings, &text))
            return readings->end;
    }
    return readings->end;
}

void readings_free(struct readings *readings)
{
    if (readings == NULL)
        return;
    for (unsigned i = 0; i < readings->report.parts; i++) {
        free(readings->parts[i].type);
        free(readings->parts[i].name);
    }
    for (size_t i = 0; i < readings->buffer_count; i++)
        free(readings->buffers[i]);
    free(readings->parts);
    free(readings->table);
    free(readings->buffers);
    free(readings->texts);
    free(readings);
}

const struct readings_report *readings_report(const struct readings *readings)
{
    return &readings->report;
}

unsigned readings_count(const struct readings *readings)
{
    return readings->report.parts;
}

struct reading_part readings_part(const struct readings *readings, unsigned number)
{
    const struct collected *part = &readings->parts[number];

    return (struct reading_part){part->bytes.at, part->bytes.length, part->type, part->name,
                                 part->opened};
}

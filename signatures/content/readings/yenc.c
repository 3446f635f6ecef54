/* Files in yEnc, wherever they stand in a text: from "=ybegin" to "=yend". */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/ways.h"

#define YENC_BEGIN  "=ybegin "
#define YENC_PART   "=ypart "
#define YENC_END    "=yend"
#define YENC_SHIFT  42u
#define YENC_ESCAPE 64u

static bool yenc_is(struct piece line, const char *word)
{
    return line.length >= strlen(word) && memcmp(line.at, word, strlen(word)) == 0;
}

/* What stands behind "name=", to the end of the line. */
static void yenc_name(struct piece line, char name[READINGS_NAME_BYTES])
{
    const uint8_t *at = memmem(line.at, line.length, "name=", 5);
    const uint8_t *end = line.at + line.length;
    size_t length = 0;

    if (at != NULL)
        at += 5;
    for (; at != NULL && at < end && length + 1 < READINGS_NAME_BYTES; at++)
        name[length++] = *at != 0 ? (char)*at : '_';
    while (length > 0 && ways_blank((uint8_t)name[length - 1]))
        length--;
    name[length] = '\0';
}

static size_t yenc_line(struct piece line, uint8_t *to)
{
    size_t made = 0;

    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] == '=' && i + 1 < line.length)
            to[made++] = (uint8_t)(line.at[++i] - YENC_ESCAPE - YENC_SHIFT);
        else
            to[made++] = (uint8_t)(line.at[i] - YENC_SHIFT);
    }
    return made;
}

/* The lines from `*at` on; `*at` is the one behind them. Returns the bytes written. */
static size_t yenc_lines(const uint8_t **at, const uint8_t *end, uint8_t *to)
{
    size_t made = 0;

    while (*at < end) {
        const uint8_t *next;
        struct piece line = line_at(*at, end, &next);

        if (yenc_is(line, YENC_BEGIN))
            break;
        *at = next;
        if (yenc_is(line, YENC_END))
            break;
        if (!yenc_is(line, YENC_PART))
            made += yenc_line(line, to + made);
    }
    return made;
}

/* Each part alone, and all of the text together: a file may be sent in several. */
static bool yenc_files(struct piece text, uint8_t *room, variants_take_named *take, void *context)
{
    const uint8_t *at = text.at;
    const uint8_t *end = text.at + text.length;
    char name[READINGS_NAME_BYTES] = "";
    size_t made = 0;
    unsigned count = 0;

    while (at < end) {
        struct piece line = line_at(at, end, &at);
        size_t part;

        if (!yenc_is(line, YENC_BEGIN))
            continue;
        yenc_name(line, name);
        part = yenc_lines(&at, end, room + made);
        if (!take(context, room + made, part, name))
            return false;
        made += part;
        count++;
    }
    return count < 2 || take(context, room, made, name);
}

bool variants_yenc(const uint8_t *text, size_t length, variants_take_named *take, void *context)
{
    uint8_t *room;
    bool more;

    if (memmem(text, length, YENC_BEGIN, strlen(YENC_BEGIN)) == NULL)
        return true;
    room = malloc(length);
    more = room != NULL && yenc_files((struct piece){text, length}, room, take, context);
    free(room);
    return more;
}

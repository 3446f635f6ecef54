/* Text, whose line ends mail readers write each in its own way. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/ways.h"

size_t ways_text_room(const uint8_t *body, size_t length)
{
    size_t feeds = 0;

    for (size_t i = 0; i < length; i++)
        feeds += body[i] == '\n';
    return length + feeds + 2;
}

size_t ways_text_convert(const uint8_t *body, size_t length, bool crlf, uint8_t *to)
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

bool ways_text_ends(uint8_t *text, size_t length, bool crlf, const struct ways_sink *sink)
{
    size_t end = crlf ? 2 : 1;

    if (!sink->take(sink->context, text, length))
        return false;
    /* CR and LF where lines end with LF: encoded, and no line end to those who add one. */
    if (length >= 1 && text[length - 1] == '\n' &&
        (length >= 2 && text[length - 2] == '\r') == crlf)
        return sink->take(sink->context, text, length - end);
    memcpy(text + length, crlf ? "\r\n" : "\n", end);
    return sink->take(sink->context, text, length + end);
}

bool variants_text(const uint8_t *body, size_t length, variants_take *take, void *context)
{
    const struct ways_sink sink = {take, context};
    uint8_t *room = malloc(ways_text_room(body, length));
    bool more = room != NULL;

    more = more && ways_text_ends(room, ways_text_convert(body, length, false, room), false, &sink);
    more = more && ways_text_ends(room, ways_text_convert(body, length, true, room), true, &sink);
    free(room);
    return more;
}

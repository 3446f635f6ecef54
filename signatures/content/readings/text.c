/* Lines and words of a text, as little as all readers agree on. */
#include <string.h>

#include "signatures/content/mime/text.h"
#include "signatures/content/readings/internal.h"

#define TEXT_LOOK 65536u

struct piece line_at(const uint8_t *at, const uint8_t *end, const uint8_t **next)
{
    const uint8_t *feed = memchr(at, '\n', (size_t)(end - at));
    const uint8_t *last = feed != NULL ? feed : end;

    *next = feed != NULL ? feed + 1 : end;
    if (feed != NULL && last > at && last[-1] == '\r')
        last--;
    return (struct piece){at, (size_t)(last - at)};
}

bool line_white(struct piece line)
{
    for (size_t i = 0; i < line.length; i++) {
        if (!mime_is_blank(line.at[i]) && line.at[i] != '\r')
            return false;
    }
    return true;
}

const uint8_t *text_find(struct piece text, const uint8_t *at, const char *word)
{
    const uint8_t *end = text.at + text.length;
    size_t length = strlen(word);

    for (; (size_t)(end - at) >= length; at++) {
        if ((*at | 0x20) == (uint8_t)word[0] && mime_starts(at, length, word))
            return at;
    }
    return end;
}

/* A field's name and a colon, blanks before it or not (RFC 5322 4.5.8). */
bool line_is_field(struct piece line)
{
    size_t at = 0;

    while (at < line.length && line.at[at] > ' ' && line.at[at] < 0x7f && line.at[at] != ':')
        at++;
    if (at == 0)
        return false;
    while (at < line.length && mime_is_blank(line.at[at]))
        at++;
    return at < line.length && line.at[at] == ':';
}

bool text_looks_header(struct piece text)
{
    const uint8_t *end = text.at + (text.length < TEXT_LOOK ? text.length : TEXT_LOOK);
    const uint8_t *next;

    for (const uint8_t *at = text.at; at < end; at = next) {
        struct piece line = line_at(at, end, &next);

        if (line.length == 0 || (line.length >= 2 && line.at[0] == '-' && line.at[1] == '-'))
            return false;
        if (text_find(line, line.at, "content-") < line.at + line.length)
            return true;
    }
    return false;
}

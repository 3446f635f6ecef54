/* ARJ and ARC: what their headers say. */
#include <string.h>

#include "signatures/content/open/internal.h"

#define ARJ_GARBLED     1u
#define ARJ_HEADER_MAX  2600u
#define ARJ_FLAGS       8u
#define ARJ_PACKED_SIZE 16u

#define ARC_HEADER     29u
#define ARC_NAME       13u
#define ARC_METHOD_MAX 11u

static uint32_t arj_number(const uint8_t *at, unsigned octets)
{
    uint32_t number = 0;

    for (unsigned i = octets; i-- > 0;)
        number = number << 8 | at[i];
    return number;
}

/* Steps over the basic header and those behind it. Null: there is none. */
static const uint8_t *arj_header(struct open_span *span)
{
    const uint8_t *header = span->at;
    size_t step = span->length < 4 ? 0 : arj_number(header + 2, 2);

    if (step < 30 || step > ARJ_HEADER_MAX || !open_starts(*span, "\x60\xea", 2))
        return NULL;
    step += 8; /* magic, length and checksum */
    while (span->length >= step + 2 && arj_number(header + step, 2) != 0)
        step += 6 + arj_number(header + step, 2);
    step += 2;
    if (step > span->length)
        return NULL;
    span->at += step;
    span->length -= step;
    return header;
}

void arj_look(struct opener *opener, struct open_span span)
{
    const uint8_t *header = arj_header(&span);
    bool local = false;

    while (header != NULL) {
        size_t size = local ? arj_number(header + ARJ_PACKED_SIZE, 4) : 0;

        if (local && (header[ARJ_FLAGS] & ARJ_GARBLED) != 0) {
            open_finds(opener, UNSCANNABLE_ENCRYPTED, "archive");
            return;
        }
        if (size > span.length)
            return;
        span.at += size;
        span.length -= size;
        header = arj_header(&span);
        local = true;
    }
}

/* A name of DOS: printable, ended by a zero. */
static bool arc_name(const uint8_t *name)
{
    const uint8_t *end = memchr(name, '\0', ARC_NAME);

    if (end == NULL || end == name)
        return false;
    for (; name < end; name++) {
        if (*name <= ' ' || *name > '~')
            return false;
    }
    return true;
}

bool arc_is(struct open_span span)
{
    unsigned entries = 0;

    while (span.length >= 2 && span.at[0] == 0x1a && span.at[1] != 0) {
        size_t step = span.length < ARC_HEADER ? 0 : arj_number(span.at + 15, 4);

        if (span.at[1] > ARC_METHOD_MAX || span.length < ARC_HEADER || !arc_name(span.at + 2))
            return false;
        if (step > span.length - ARC_HEADER)
            return false;
        span.at += ARC_HEADER + step;
        span.length -= ARC_HEADER + step;
        entries++;
    }
    return entries > 0 && span.length >= 2 && span.at[0] == 0x1a && span.at[1] == 0;
}

#include "signatures/content/open/ber.h"

#define BER_LENGTH_BYTES 8u

static uint8_t ber_byte(struct open_span *span)
{
    uint8_t byte = span->at[0];

    span->at++;
    span->length--;
    return byte;
}

/* Tags over 30 go on while the high bit is set; nothing that we look for has one. */
static bool ber_tag(struct open_span *span, uint8_t *tag)
{
    if (span->length < 2 || (span->at[0] == 0 && span->at[1] == 0))
        return false;
    *tag = ber_byte(span);
    if ((*tag & 0x1f) != 0x1f)
        return true;
    while (span->length > 0 && (ber_byte(span) & 0x80) != 0)
        continue;
    return span->length > 0;
}

bool ber_enter(struct open_span *span, struct ber_value *value)
{
    struct open_span at = *span;
    uint64_t length = 0;
    uint8_t first;

    if (!ber_tag(&at, &value->tag))
        return false;
    first = ber_byte(&at);
    value->indefinite = first == 0x80;
    if (first < 0x80)
        length = first;
    else if (!value->indefinite && ((first & 0x7fu) > at.length || first == 0xff))
        return false;
    for (unsigned i = 0; first > 0x80 && i < (first & 0x7fu); i++) {
        if (length >> (8 * (BER_LENGTH_BYTES - 1)) != 0)
            return false;
        length = length << 8 | ber_byte(&at);
    }
    if (value->indefinite || length > at.length)
        length = at.length;
    value->content = (struct open_span){at.at, (size_t)length};
    if (!value->indefinite) {
        at.at += length;
        at.length -= (size_t)length;
    }
    *span = at;
    return true;
}

/* Past the end-of-contents that closes as many values as are open. */
bool ber_skip(struct open_span *span)
{
    unsigned open = 0;

    do {
        struct ber_value value;

        if (open > 0 && span->length >= 2 && span->at[0] == 0 && span->at[1] == 0) {
            span->at += 2;
            span->length -= 2;
            open--;
            continue;
        }
        if (!ber_enter(span, &value))
            return false;
        if (value.indefinite && ++open > BER_DEPTH_MAX)
            return false;
    } while (open > 0);
    return true;
}

bool ber_into(struct open_span *span, uint8_t tag)
{
    struct open_span at = *span;
    struct ber_value value;

    if (!ber_enter(&at, &value) || value.tag != tag)
        return false;
    *span = value.content;
    return true;
}

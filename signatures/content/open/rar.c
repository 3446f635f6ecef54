/* RAR: whether its headers say that something in it is encrypted, which libarchive 3.6 says of some
 * only, or that it is one volume of several, which cannot be unpacked alone. Both formats are
 * blocks that tell their length.
 */
#include <string.h>

#include "signatures/content/open/internal.h"

#define RAR_BLOCKS_MAX 100000u

#define RAR4_MARK        7u
#define RAR4_MAIN        0x73u
#define RAR4_FILE        0x74u
#define RAR4_MAIN_VOLUME 1u
#define RAR4_MAIN_SECRET 0x80u
#define RAR4_FILE_SECRET 4u
#define RAR4_HAS_DATA    0x8000u
#define RAR4_LARGE       0x100u /* the high half of the size is there, too */

#define RAR5_MARK         8u
#define RAR5_MAIN         1u
#define RAR5_FILE         2u
#define RAR5_SERVICE      3u
#define RAR5_ENCRYPTION   4u /* of all that follows */
#define RAR5_MAIN_VOLUME  1u
#define RAR5_HAS_EXTRA    1u
#define RAR5_HAS_DATA     2u
#define RAR5_EXTRA_SECRET 1u

struct rar {
    bool encrypted;
    bool volume;
};

static uint64_t rar_number(const uint8_t *at, unsigned octets)
{
    uint64_t number = 0;

    for (unsigned i = octets; i-- > 0;)
        number = number << 8 | at[i];
    return number;
}

static bool rar_step(struct open_span *span, uint64_t length)
{
    if (length > span->length)
        return false;
    span->at += length;
    span->length -= (size_t)length;
    return true;
}

static void rar4_look(struct open_span span, struct rar *rar)
{
    for (unsigned i = 0; i < RAR_BLOCKS_MAX && span.length >= 7; i++) {
        unsigned type = span.at[2];
        unsigned flags = (unsigned)rar_number(span.at + 3, 2);
        uint64_t size = rar_number(span.at + 5, 2);

        if ((type == RAR4_MAIN && (flags & RAR4_MAIN_SECRET) != 0) ||
            (type == RAR4_FILE && (flags & RAR4_FILE_SECRET) != 0))
            rar->encrypted = true;
        if (type == RAR4_MAIN && (flags & RAR4_MAIN_VOLUME) != 0)
            rar->volume = true;
        if (rar->encrypted || size < 7)
            return;
        if ((type == RAR4_FILE || (flags & RAR4_HAS_DATA) != 0) && span.length >= 11)
            size += rar_number(span.at + 7, 4);
        if (type == RAR4_FILE && (flags & RAR4_LARGE) != 0 && span.length >= 36)
            size += rar_number(span.at + 32, 4) << 32;
        if (!rar_step(&span, size))
            return;
    }
}

/* A number of seven bits an octet, the lowest first. */
static bool rar5_number(struct open_span *span, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 63 && span->length > 0; shift += 7) {
        uint8_t octet = span->at[0];

        (void)rar_step(span, 1);
        *number |= (uint64_t)(octet & 0x7f) << shift;
        if ((octet & 0x80) == 0)
            return true;
    }
    return false;
}

/* Whether one of the records behind a header says so. */
static bool rar5_extra(struct open_span extra)
{
    uint64_t size;

    while (rar5_number(&extra, &size) && size <= extra.length) {
        struct open_span record = {extra.at, (size_t)size};
        uint64_t type;

        if (rar5_number(&record, &type) && type == RAR5_EXTRA_SECRET)
            return true;
        (void)rar_step(&extra, size);
    }
    return false;
}

/* One block. Whether another one may follow. */
static bool rar5_block(struct open_span *span, struct rar *rar)
{
    struct open_span header;
    uint64_t size;
    uint64_t type;
    uint64_t flags;
    uint64_t extra = 0;
    uint64_t data = 0;

    if (!rar_step(span, 4) || !rar5_number(span, &size) || size > span->length)
        return false;
    header = (struct open_span){span->at, (size_t)size};
    if (!rar5_number(&header, &type) || !rar5_number(&header, &flags) ||
        ((flags & RAR5_HAS_EXTRA) != 0 && !rar5_number(&header, &extra)) ||
        ((flags & RAR5_HAS_DATA) != 0 && !rar5_number(&header, &data)))
        return false;
    if (type == RAR5_ENCRYPTION ||
        ((type == RAR5_FILE || type == RAR5_SERVICE) && extra <= header.length &&
         rar5_extra((struct open_span){header.at + header.length - extra, (size_t)extra})))
        rar->encrypted = true;
    if (type == RAR5_MAIN && rar5_number(&header, &flags) && (flags & RAR5_MAIN_VOLUME) != 0)
        rar->volume = true;
    return !rar->encrypted && rar_step(span, size) && rar_step(span, data);
}

bool rar_open(struct opener *opener, struct open_span span, bool doubtful, const char *name)
{
    struct open_span blocks = span;
    struct rar rar = {false, false};
    bool fifth = span.length > RAR4_MARK - 1 && span.at[RAR4_MARK - 1] == 1;

    if (!rar_step(&blocks, fifth ? RAR5_MARK : RAR4_MARK))
        blocks.length = 0;
    if (!fifth)
        rar4_look(blocks, &rar);
    for (unsigned i = 0; fifth && i < RAR_BLOCKS_MAX && rar5_block(&blocks, &rar);)
        i++;
    if (rar.encrypted)
        open_finds(opener, UNSCANNABLE_ENCRYPTED, "archive");
    else if (rar.volume)
        open_finds(opener, UNSCANNABLE_UNSUPPORTED, "rar");
    return unpack_open(opener, span, UNPACK_RAR, "rar", doubtful, name);
}

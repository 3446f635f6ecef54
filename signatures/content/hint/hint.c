#include "signatures/content/hint/hint.h"

#include <string.h>

#include "signatures/content/hint/formats.h"

/* Where the object identifier of a CMS content may stand, behind tags and lengths. */
#define HINT_CMS_LOOK 64u

struct hint {
    size_t offset;
    const char *magic;
    size_t length;
};

static const struct hint hints[] = {
#define X(kind, offset, magic, way, unpacker) {offset, magic, sizeof(magic) - 1},
    HINT_FORMAT_LIST(X)
#undef X
    /* What the engine opens, but not all that may be in it: zip, ARJ, OLE2, programs. */
    {0, "PK", 2},
    {0, "\x60\xea", 2},
    {0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8},
    {0, "MZ", 2},
    {0, "\x7f\x45LF", 4},
};

static bool hint_magic(const uint8_t *start, size_t length)
{
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        const struct hint *hint = &hints[i];

        if (length >= hint->offset + hint->length &&
            start[hint->offset] == (uint8_t)hint->magic[0] &&
            memcmp(start + hint->offset, hint->magic, hint->length) == 0)
            return true;
    }
    /* ARC: a mark, and a method of compression. */
    return length >= 2 && start[0] == 0x1a && start[1] < 0x20;
}

/* A sequence, and in it soon the beginning of an identifier: 1.2.840.113549.1 (PKCS). */
static bool hint_cms(const uint8_t *start, size_t length)
{
    static const uint8_t pkcs[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01};

    if (length == 0 || start[0] != 0x30)
        return false;
    for (size_t at = 1; at < HINT_CMS_LOOK && at + sizeof(pkcs) <= length; at++) {
        if (memcmp(start + at, pkcs, sizeof(pkcs)) == 0)
            return true;
    }
    return false;
}

/* The packets an OpenPGP message begins with (RFC 9580 10.3), and the version or kind that stands
 * first in each. */
static bool hint_packet(unsigned tag, uint8_t first)
{
    switch (tag) {
    case 1:  /* session key, by public key */
    case 2:  /* signature */
    case 3:  /* session key, by password */
    case 4:  /* one-pass signature */
    case 18: /* encrypted and protected */
    case 20:
        return first >= 1 && first <= 6;
    case 8: /* compressed */
        return first <= 3;
    case 9: /* encrypted: begins with anything */
    case 10:
        return true;
    case 11: /* literal */
        return first == 'b' || first == 't' || first == 'u' || first == 'l' || first == 'm' ||
               first == '1';
    default:
        return false;
    }
}

static bool hint_pgp(const uint8_t *start, size_t length)
{
    static const uint8_t old_lengths[] = {1, 2, 4, 0};
    size_t at;

    if (length < 2 || (start[0] & 0x80) == 0)
        return false;
    if ((start[0] & 0x40) == 0) {
        at = 1 + old_lengths[start[0] & 3];
        return length > at && hint_packet(start[0] >> 2 & 15, start[at]);
    }
    at = start[1] < 192 || (start[1] >= 224 && start[1] < 255) ? 2 : start[1] < 224 ? 3 : 6;
    return length > at && hint_packet(start[0] & 63, start[at]);
}

bool hint_content(const uint8_t *start, size_t length)
{
    return hint_magic(start, length) || hint_cms(start, length) || hint_pgp(start, length) ||
           hint_line(start, length);
}

bool hint_line(const uint8_t *line, size_t length)
{
    static const char *const kinds[] = {"PGP MESSAGE", "PKCS7", "CMS"};
    static const char begin[] = "-----BEGIN ";
    const size_t at = sizeof(begin) - 1;

    if (length < at || memcmp(line, begin, at) != 0)
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (length - at >= strlen(kinds[i]) && memcmp(line + at, kinds[i], strlen(kinds[i])) == 0)
            return true;
    }
    return false;
}

bool hint_text(const uint8_t *text, size_t length)
{
    const uint8_t *end = text + length;
    const uint8_t *at = text;

    while (at < end && (at = memchr(at, '-', (size_t)(end - at))) != NULL) {
        if (hint_line(at, (size_t)(end - at)))
            return true;
        at++;
    }
    return false;
}

bool hint_name(const uint8_t *name, size_t length)
{
    return length > 3 && name[length - 3] == '.' && (name[length - 2] | 0x20) == 'b' &&
           (name[length - 1] | 0x20) == 'r';
}

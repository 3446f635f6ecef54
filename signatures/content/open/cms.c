/* Cryptographic Message Syntax (RFC 5652), and PKCS #7 before it (RFC 2315).
 *
 * Only the way to the content is read, not who signed it: readers show a content whose signature
 * or certificates are broken, so these must not keep us from it. Nothing here is a reason to call
 * a content encrypted but the object identifier that says so, in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/open/ber.h"

#define CMS_DEPTH_MAX 16u /* contents in contents, strings in strings */

enum cms_type {
    CMS_UNKNOWN,
    CMS_DATA,
    CMS_SIGNED,
    CMS_DIGESTED,
    CMS_AUTHENTICATED,
    CMS_COMPRESSED,
    CMS_ENCRYPTED, /* whichever way */
};

struct cms {
    struct opener *opener;
    unsigned depth;
};

/* Contents. Ends up whether they are known. */
static bool cms_content(struct cms *cms, enum cms_type type, struct open_span content);

static const struct {
    uint8_t bytes[11];
    uint8_t length;
    enum cms_type type;
} cms_types[] = {
#define CMS_PKCS7 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07
#define CMS_SMIME 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01
    {{CMS_PKCS7, 1}, 9, CMS_DATA},           {{CMS_PKCS7, 2}, 9, CMS_SIGNED},
    {{CMS_PKCS7, 3}, 9, CMS_ENCRYPTED}, /* enveloped */
    {{CMS_PKCS7, 4}, 9, CMS_ENCRYPTED}, /* signed and enveloped, PKCS #7 alone */
    {{CMS_PKCS7, 5}, 9, CMS_DIGESTED},       {{CMS_PKCS7, 6}, 9, CMS_ENCRYPTED},
    {{CMS_SMIME, 2}, 11, CMS_AUTHENTICATED}, {{CMS_SMIME, 9}, 11, CMS_COMPRESSED},
    {{CMS_SMIME, 23}, 11, CMS_ENCRYPTED}, /* authenticated and enveloped (RFC 5083) */
};

/* Takes an object identifier. */
static bool cms_type(struct open_span *span, enum cms_type *type)
{
    struct ber_value object;

    if (!ber_enter(span, &object) || object.tag != BER_OBJECT || object.indefinite)
        return false;
    *type = CMS_UNKNOWN;
    for (size_t i = 0; i < sizeof(cms_types) / sizeof(cms_types[0]); i++) {
        if (object.content.length == cms_types[i].length &&
            memcmp(object.content.at, cms_types[i].bytes, cms_types[i].length) == 0)
            *type = cms_types[i].type;
    }
    return true;
}

/* Appends an octet string, which may be made of others. */
static bool cms_string(struct cms *cms, struct open_span *span, struct open_buffer *buffer,
                       unsigned depth)
{
    struct ber_value value;

    if (!ber_enter(span, &value))
        return true;
    if ((value.tag & BER_CONSTRUCTED) == 0)
        return open_append(cms->opener, buffer, value.content.at, value.content.length);
    if (depth >= CMS_DEPTH_MAX)
        return open_over_bound(cms->opener);
    for (;;) {
        struct open_span *inside = value.indefinite ? span : &value.content;
        const uint8_t *before = inside->at;

        if (inside->length < 2)
            return true;
        if (inside->at[0] == 0 && inside->at[1] == 0) {
            inside->at += 2;
            inside->length -= 2;
            return true;
        }
        if (!cms_string(cms, inside, buffer, depth + 1))
            return false;
        if (inside->at == before)
            return true; /* there is no value */
    }
}

/* What an encapsulated content's string holds: a mail, or CMS of the type that was said. */
static bool cms_inner(struct cms *cms, enum cms_type type, struct open_span content)
{
    if (type != CMS_UNKNOWN && type != CMS_DATA && cms_content(cms, type, content))
        return open_goes_on(cms->opener);
    return open_give_mail(cms->opener, content);
}

/* EncapsulatedContentInfo; PKCS #7 has the content itself where CMS has a string of it. */
static bool cms_encapsulated(struct cms *cms, struct open_span span, bool compressed)
{
    struct open_buffer string = {0};
    struct open_buffer plain = {0};
    enum cms_type type;
    bool more;

    if (!ber_into(&span, BER_SEQUENCE) || !cms_type(&span, &type) ||
        !ber_into(&span, BER_CONTEXT_0))
        return true; /* detached: it stands elsewhere */
    if (span.length > 0 && (span.at[0] & ~BER_CONSTRUCTED) != BER_OCTET_STRING)
        return cms_inner(cms, type, span);
    more = cms_string(cms, &span, &string, 0);
    if (more && compressed)
        more = open_inflate(cms->opener, OPEN_STREAM_ZLIB,
                            (struct open_span){string.bytes, string.length}, &plain);
    if (more)
        more = compressed ? cms_inner(cms, type, (struct open_span){plain.bytes, plain.length})
                          : cms_inner(cms, type, (struct open_span){string.bytes, string.length});
    free(string.bytes);
    free(plain.bytes);
    return more;
}

/* Version and what else stands before the content: algorithms, whose originators and recipients. */
static bool cms_sequence(struct cms *cms, enum cms_type type, struct open_span span)
{
    unsigned before = type == CMS_AUTHENTICATED ? 6 : 2;

    if (!ber_into(&span, BER_SEQUENCE))
        return false;
    for (unsigned i = 0; i < before; i++) {
        struct open_span at = span;

        if (!ber_skip(&span))
            return false;
        /* Of authenticated-data, optional values are between: the content is the first sequence
         * that starts with an object and a content. */
        if (type == CMS_AUTHENTICATED && i > 2) {
            struct open_span inside = at;
            enum cms_type ignored;

            if (ber_into(&inside, BER_SEQUENCE) && cms_type(&inside, &ignored) &&
                ber_into(&inside, BER_CONTEXT_0)) {
                span = at;
                break;
            }
        }
    }
    (void)cms_encapsulated(cms, span, type == CMS_COMPRESSED);
    return true;
}

static bool cms_content(struct cms *cms, enum cms_type type, struct open_span content)
{
    bool known = true;

    if (cms->depth >= CMS_DEPTH_MAX) {
        (void)open_over_bound(cms->opener);
        return true;
    }
    cms->depth++;
    switch (type) {
    case CMS_UNKNOWN:
    case CMS_DATA:
        known = false;
        break;
    case CMS_ENCRYPTED:
        known = content.length > 0 && content.at[0] == BER_SEQUENCE;
        if (known)
            open_finds(cms->opener, UNSCANNABLE_ENCRYPTED, "mail");
        break;
    case CMS_SIGNED:
    case CMS_DIGESTED:
    case CMS_AUTHENTICATED:
    case CMS_COMPRESSED:
        known = cms_sequence(cms, type, content);
        break;
    }
    cms->depth--;
    return known;
}

bool cms_open(struct opener *opener, struct open_span span)
{
    struct cms cms = {opener, 0};
    struct open_buffer data = {0};
    enum cms_type type;

    if (!ber_into(&span, BER_SEQUENCE) || !cms_type(&span, &type) ||
        !ber_into(&span, BER_CONTEXT_0))
        return true;
    if (type != CMS_DATA)
        (void)cms_content(&cms, type, span);
    else if (cms_string(&cms, &span, &data, 0))
        (void)open_give_mail(opener, (struct open_span){data.bytes, data.length});
    free(data.bytes);
    return open_goes_on(opener);
}

/* OpenPGP messages (RFC 9580; 4880 and 1991 before it): a sequence of packets.
 *
 * Encrypted data is recognized by its packets, also when only the session keys before it can be
 * read. Signatures and keys are nobody's harm. A file may begin with the same bytes by chance, so
 * without armor a packet must be well-formed, and one that does not say enough about itself must
 * end exactly where the file does.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/open/internal.h"

#define PGP_DEPTH_MAX 16u
#define PGP_PACKETS_MAX                                                       \
    4096u /* of one sequence; signatures come before a content, not thousands \
           */

enum pgp_tag {
    PGP_PUBLIC_KEY_SESSION_KEY = 1,
    PGP_SIGNATURE = 2,
    PGP_PASSWORD_SESSION_KEY = 3,
    PGP_ONE_PASS_SIGNATURE = 4,
    PGP_COMPRESSED = 8,
    PGP_ENCRYPTED = 9,
    PGP_MARKER = 10,
    PGP_LITERAL = 11,
    PGP_ENCRYPTED_PROTECTED = 18,
    PGP_ENCRYPTED_AEAD = 20, /* GnuPG's, of a draft */
    PGP_PADDING = 21,
};

struct pgp {
    struct opener *opener;
    const char *name;
    unsigned depth;
    bool believed; /* armor, or packets before, say that it is OpenPGP */
};

struct pgp_packet {
    unsigned tag;
    bool whole;     /* it ends where the sequence ends, or before it; not cut short */
    bool unbounded; /* it ends where the sequence does, since it does not say where */
    bool partial;   /* its lengths stand between its bytes */
    struct open_span body;
};

/* The length octets of RFC 9580 4.2.1. */
static bool pgp_length(struct open_span *span, size_t *length, bool *partial)
{
    const uint8_t *at = span->at;
    size_t octets = 1;

    if (span->length == 0)
        return false;
    *partial = at[0] >= 224 && at[0] < 255;
    if (at[0] < 192) {
        *length = at[0];
    } else if (at[0] < 224) {
        octets = 2;
        *length = span->length < octets ? 0 : ((size_t)(at[0] - 192) << 8) + at[1] + 192;
    } else if (*partial) {
        *length = (size_t)1 << (at[0] & 0x1f);
    } else {
        octets = 5;
        *length = span->length < octets
                      ? 0
                      : (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
    }
    if (span->length < octets)
        return false;
    span->at += octets;
    span->length -= octets;
    return true;
}

/* Steps `span` over `length` bytes, or what there is of them. */
static bool pgp_step(struct open_span *span, size_t length)
{
    bool all = length <= span->length;
    size_t step = all ? length : span->length;

    span->at += step;
    span->length -= step;
    return all;
}

/* A body in pieces: *body spans them all, with the lengths between. */
static bool pgp_partial(struct open_span *span, size_t length, struct pgp_packet *packet)
{
    bool partial = true;

    packet->body.at = span->at;
    packet->whole = pgp_step(span, length);
    while (partial && packet->whole)
        packet->whole = pgp_length(span, &length, &partial) && pgp_step(span, length);
    packet->body.length = (size_t)(span->at - packet->body.at);
    return true;
}

/* The older form, with a length of 1, 2, 4 octets or none. */
static bool pgp_old(struct open_span *span, unsigned first, struct pgp_packet *packet)
{
    unsigned octets = 1u << (first & 3);
    size_t length = 0;

    packet->tag = first >> 2 & 15;
    packet->unbounded = (first & 3) == 3;
    if (packet->unbounded) {
        octets = 0;
        length = span->length;
    }
    if (span->length < octets)
        return false;
    for (unsigned i = 0; i < octets; i++)
        length = length << 8 | span->at[i];
    (void)pgp_step(span, octets);
    packet->body.at = span->at;
    packet->whole = pgp_step(span, length);
    packet->body.length = (size_t)(span->at - packet->body.at);
    return true;
}

static bool pgp_packet(struct open_span *span, struct pgp_packet *packet)
{
    size_t length = 0;
    unsigned first;

    memset(packet, 0, sizeof(*packet));
    if (span->length < 2 || (span->at[0] & 0x80) == 0)
        return false;
    first = span->at[0];
    (void)pgp_step(span, 1);
    if ((first & 0x40) == 0)
        return pgp_old(span, first, packet);
    packet->tag = first & 63;
    if (!pgp_length(span, &length, &packet->partial))
        return false;
    if (packet->partial)
        return pgp_partial(span, length, packet);
    packet->body.at = span->at;
    packet->whole = pgp_step(span, length);
    packet->body.length = (size_t)(span->at - packet->body.at);
    return true;
}

/* Session keys of the versions there are (RFC 9580 5.1, 5.3). */
static bool pgp_session_key(const struct pgp_packet *packet)
{
    const uint8_t *at = packet->body.at;
    size_t length = packet->body.length;
    static const uint8_t specifiers[] = {2, 10, 0, 10, 20}; /* octets, by type of string-to-key */

    if (packet->partial || packet->unbounded || !packet->whole || length < 4)
        return false;
    if (packet->tag == PGP_PUBLIC_KEY_SESSION_KEY && at[0] == 6)
        return at[1] == 0 || ((at[1] == 21 || at[1] == 33) && length > at[1]);
    if (packet->tag == PGP_PUBLIC_KEY_SESSION_KEY)
        return (at[0] == 2 || at[0] == 3) && length >= 12 &&
               (at[9] <= 3 || (at[9] >= 16 && at[9] <= 30));
    if (at[0] == 5 || at[0] == 6)
        return length >= 16 && length < 256;
    if (at[0] != 4 || at[1] == 0 || at[1] > 13 || at[2] >= sizeof(specifiers) || at[2] == 2)
        return false;
    length -= 2;
    return length == specifiers[at[2]] + (size_t)(at[2] == 3) ||
           (length > specifiers[at[2]] + 15u && length < 64);
}

/* A packet that holds encrypted data: of the version and form that it has to have. */
static bool pgp_encrypted(const struct pgp *pgp, const struct pgp_packet *packet, bool last)
{
    unsigned version = packet->body.length > 0 ? packet->body.at[0] : 0;

    if (pgp->believed)
        return packet->body.length > 0;
    if (!last || !packet->whole || packet->unbounded || packet->body.length < 16)
        return false;
    return packet->tag == PGP_ENCRYPTED || version == 1 ||
           (packet->tag == PGP_ENCRYPTED_PROTECTED && version == 2);
}

/* Joins a body that is in pieces. */
static bool pgp_join(struct opener *opener, const struct pgp_packet *packet,
                     struct open_buffer *joined)
{
    struct open_span left = packet->body;
    size_t length = (size_t)1 << (left.at[-1] & 0x1f); /* the length octet before it */
    bool partial = true;

    for (;;) {
        const uint8_t *at = left.at;

        (void)pgp_step(&left, length);
        if (!open_append(opener, joined, at, (size_t)(left.at - at)))
            return false;
        if (!partial || !pgp_length(&left, &length, &partial))
            return true;
    }
}

static bool pgp_sequence(struct pgp *pgp, struct open_span span);

/* What is compressed is a sequence of packets again; what is none, we were wrong about. */
static void pgp_compressed(struct pgp *pgp, struct open_span body)
{
    static const enum open_stream streams[] = {OPEN_STREAM_DEFLATE, OPEN_STREAM_DEFLATE,
                                               OPEN_STREAM_ZLIB, OPEN_STREAM_BZIP2};
    unsigned algorithm = body.length > 0 ? body.at[0] : 255;
    struct open_buffer plain = {0};

    if (algorithm >= sizeof(streams) / sizeof(streams[0])) {
        if (pgp->believed && body.length > 0)
            open_finds(pgp->opener, UNSCANNABLE_UNSUPPORTED, "mail");
        return;
    }
    (void)pgp_step(&body, 1);
    if (algorithm == 0)
        (void)pgp_sequence(pgp, body);
    else if (open_inflate(pgp->opener, streams[algorithm], body, &plain))
        (void)pgp_sequence(pgp, (struct open_span){plain.bytes, plain.length});
    free(plain.bytes);
}

/* A file (RFC 9580 5.9): its format, its name, a time, and its bytes. */
static void pgp_literal(struct pgp *pgp, struct open_span body)
{
    char name[OPEN_NAME_MAX + 1] = "";
    struct open_span named;

    if (body.length < 6 || body.length < 6u + body.at[1] || strchr("btulm1", body.at[0]) == NULL ||
        body.at[0] == '\0')
        return;
    named = (struct open_span){body.at + 2, body.at[1]};
    memcpy(name, named.at, named.length);
    name[named.length] = '\0';
    (void)pgp_step(&body, 6 + named.length);
    if (open_give_file(pgp->opener, body, name[0] != '\0' ? name : pgp->name))
        (void)open_give_mail(pgp->opener, body);
}

/* A packet that holds others, or a file. */
static void pgp_container(struct pgp *pgp, const struct pgp_packet *packet)
{
    struct open_buffer joined = {0};
    struct open_span body = packet->body;

    if (packet->partial) {
        if (!pgp_join(pgp->opener, packet, &joined)) {
            free(joined.bytes);
            return;
        }
        body = (struct open_span){joined.bytes, joined.length};
    }
    pgp->depth++;
    if (pgp->depth > PGP_DEPTH_MAX)
        (void)open_over_bound(pgp->opener);
    else if (packet->tag == PGP_COMPRESSED)
        pgp_compressed(pgp, body);
    else
        pgp_literal(pgp, body);
    pgp->depth--;
    free(joined.bytes);
}

/* What may follow a session key: another one, data, padding, or the end of a file cut short. */
static bool pgp_follows_key(struct open_span rest)
{
    static const uint8_t tags[] = {
        PGP_PUBLIC_KEY_SESSION_KEY, PGP_PASSWORD_SESSION_KEY, PGP_ENCRYPTED, PGP_MARKER,
        PGP_ENCRYPTED_PROTECTED,    PGP_ENCRYPTED_AEAD,       PGP_PADDING};
    unsigned first = rest.length > 0 ? rest.at[0] : 0;

    return rest.length == 0 ||
           ((first & 0x80) != 0 &&
            memchr(tags, (first & 0x40) != 0 ? first & 63 : first >> 2 & 15, sizeof(tags)) != NULL);
}

/* Looks at one packet, behind which `rest` comes. False: nothing more is to be seen here. */
static bool pgp_one(struct pgp *pgp, const struct pgp_packet *packet, struct open_span rest)
{
    switch (packet->tag) {
    case PGP_MARKER:
        return packet->body.length == 3 && memcmp(packet->body.at, "PGP", 3) == 0;
    case PGP_PADDING:
        return packet->whole;
    case PGP_PUBLIC_KEY_SESSION_KEY:
    case PGP_PASSWORD_SESSION_KEY:
        if (packet->body.length > 0 &&
            (pgp->believed || (pgp_session_key(packet) && pgp_follows_key(rest))))
            open_finds(pgp->opener, UNSCANNABLE_ENCRYPTED, "mail");
        return false;
    case PGP_ENCRYPTED:
    case PGP_ENCRYPTED_PROTECTED:
    case PGP_ENCRYPTED_AEAD:
        if (pgp_encrypted(pgp, packet, rest.length == 0))
            open_finds(pgp->opener, UNSCANNABLE_ENCRYPTED, "mail");
        return false;
    case PGP_SIGNATURE:
    case PGP_ONE_PASS_SIGNATURE:
        return packet->whole && !packet->unbounded && packet->body.length > 2 &&
               packet->body.at[0] >= 2 && packet->body.at[0] <= 6;
    case PGP_COMPRESSED:
    case PGP_LITERAL:
        if (pgp->believed || packet->tag == PGP_COMPRESSED || packet->whole)
            pgp_container(pgp, packet);
        return packet->whole;
    default:
        return false;
    }
}

/* Packets one after the other, until one is none. */
static bool pgp_sequence(struct pgp *pgp, struct open_span span)
{
    unsigned count = 0;
    struct pgp_packet packet;

    while (span.length > 0 && open_goes_on(pgp->opener) && pgp_packet(&span, &packet)) {
        if (++count > PGP_PACKETS_MAX)
            return open_over_bound(pgp->opener);
        if (!pgp_one(pgp, &packet, span))
            break;
    }
    return open_goes_on(pgp->opener);
}

bool pgp_open(struct opener *opener, struct open_span span, bool armored, const char *name)
{
    struct pgp pgp = {opener, name, 0, armored};

    return pgp_sequence(&pgp, span);
}

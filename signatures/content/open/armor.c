/* Armor: "-----BEGIN SOMETHING-----" and base64 (RFC 7468, RFC 9580 6), anywhere in a text, also
 * quoted or in HTML; and CMS that is written as base64 and nothing else.
 *
 * What has a label of OpenPGP is read as such whatever the label says, as GnuPG does; everything
 * else as CMS, which keys and certificates are not.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/open/internal.h"

#define ARMOR_BEGIN "-----BEGIN "
#define ARMOR_PGP   "PGP "

/* Characters that CMS in base64 starts with: a sequence of definite or indefinite length. */
#define ARMOR_SEQUENCE "MI"

static int armor_value(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* How many bytes of markup start there: a tag or a character's name. 0: none. */
static size_t armor_markup(struct open_span text, size_t at)
{
    uint8_t close = text.at[at] == '<' ? '>' : ';';
    size_t most = text.at[at] == '<' ? 256 : 10;

    if (text.at[at] != '<' && text.at[at] != '&')
        return 0;
    for (size_t i = 1; i < most && at + i < text.length && text.at[at + i] != '\n'; i++) {
        if (text.at[at + i] == close)
            return i + 1;
    }
    return 0;
}

/* Whatever is no letter of base64 is passed over. It ends at padding that ends a quantum, or at a
 * checksum. */
static void armor_decode(struct open_span text, struct open_buffer *out)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < text.length; i++) {
        int value = armor_value(text.at[i]);
        size_t markup = armor_markup(text, i);

        if (text.at[i] == '=')
            break;
        if (markup > 0)
            i += markup - 1;
        if (markup > 0 || value < 0)
            continue;
        bits = bits << 6 | (uint32_t)value;
        count = (count + 6) % 8;
        if (count < 6)
            out->bytes[out->length++] = (uint8_t)(bits >> count);
    }
}

static bool armor_room(struct opener *opener, size_t length, struct open_buffer *out)
{
    out->room = length / 4 * 3 + 3;
    out->length = 0;
    out->bytes = malloc(out->room);
    return out->bytes != NULL || open_no_memory(opener);
}

/* What stands behind the label's line and the armor's headers, "Name: value". */
static struct open_span armor_body(struct open_span text)
{
    struct open_span body = text;
    const uint8_t *feed = memchr(body.at, '\n', body.length);
    bool label = true;

    while (feed != NULL && (label || memchr(body.at, ':', (size_t)(feed - body.at)) != NULL)) {
        body.length -= (size_t)(feed + 1 - body.at);
        body.at = feed + 1;
        feed = memchr(body.at, '\n', body.length);
        label = false;
    }
    return body;
}

static bool armor_block(struct opener *opener, struct open_span text, bool pgp, const char *name)
{
    struct open_span body = armor_body(text);
    struct open_buffer out = {0};
    bool more = armor_room(opener, body.length, &out);

    if (more) {
        armor_decode(body, &out);
        more = pgp ? pgp_open(opener, (struct open_span){out.bytes, out.length}, true, name)
                   : cms_open(opener, (struct open_span){out.bytes, out.length});
    }
    free(out.bytes);
    return more;
}

static const uint8_t *armor_find(const uint8_t *at, const uint8_t *end, const char *word)
{
    return at < end ? memmem(at, (size_t)(end - at), word, strlen(word)) : NULL;
}

/* The text after a label: it ends at the next one, whichever. */
static bool armor_labelled(struct opener *opener, const uint8_t *label, const uint8_t *end,
                           const char *name)
{
    bool pgp =
        open_starts((struct open_span){label, (size_t)(end - label)}, ARMOR_PGP, strlen(ARMOR_PGP));
    const uint8_t *line = memchr(label, '\n', (size_t)(end - label));
    const uint8_t *dashes = armor_find(label, line == NULL ? end : line, "-----");
    const uint8_t *begin = dashes == NULL ? line : dashes + strlen("-----");
    const uint8_t *stop;

    if (begin == NULL)
        return true;
    stop = armor_find(begin, end, "-----");
    return armor_block(opener,
                       (struct open_span){begin, (size_t)((stop == NULL ? end : stop) - begin)},
                       pgp, name);
}

static bool armor_bare(struct opener *opener, struct open_span text)
{
    struct open_buffer out = {0};
    bool more = true;

    for (size_t i = 0; i < text.length && i < 4096; i++) {
        if (armor_value(text.at[i]) < 0 && text.at[i] != '=' && text.at[i] > ' ')
            return true;
    }
    more = armor_room(opener, text.length, &out);
    if (more) {
        armor_decode(text, &out);
        more = cms_open(opener, (struct open_span){out.bytes, out.length});
    }
    free(out.bytes);
    return more;
}

bool armor_open(struct opener *opener, struct open_span text, const char *name)
{
    const uint8_t *end = text.at + text.length;
    const uint8_t *at = text.at;

    while (at < end && *at <= ' ')
        at++;
    if (open_starts((struct open_span){at, (size_t)(end - at)}, ARMOR_SEQUENCE,
                    strlen(ARMOR_SEQUENCE)))
        return armor_bare(opener, (struct open_span){at, (size_t)(end - at)});
    for (at = armor_find(at, end, ARMOR_BEGIN); at != NULL; at = armor_find(at, end, ARMOR_BEGIN)) {
        at += strlen(ARMOR_BEGIN);
        if (!armor_labelled(opener, at, end, name))
            return false;
    }
    return true;
}

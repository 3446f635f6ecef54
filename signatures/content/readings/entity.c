/* From a header on to where its body may end. */
#include <string.h>

#include "signatures/content/mime/text.h"
#include "signatures/content/readings/internal.h"

#define ENTITY_HEADER_MAX 262144u /* bytes in which a header ends, or does not */
#define ENTITY_BODIES_MAX 8u
#define ENTITY_HEADS_MAX  3u /* headers one behind the other */

struct entity {
    struct readings *readings;
    struct piece whole;
    const uint8_t *bodies[ENTITY_BODIES_MAX]; /* where its body may start */
    unsigned body_count;
    const uint8_t *header_end; /* nobody takes anything behind for a field */
    bool encoded;              /* some field names an encoding */
    struct leaf leaf;
};

/* -- where the header ends --------------------------------------------------------------------- */

static void entity_body(struct entity *entity, const uint8_t *at)
{
    for (unsigned i = 0; i < entity->body_count; i++) {
        if (entity->bodies[i] == at)
            return;
    }
    if (entity->body_count < ENTITY_BODIES_MAX)
        entity->bodies[entity->body_count++] = at;
}

/* Looks at one line; false when every reader is past the header. */
static bool entity_line(struct entity *entity, struct piece line, const uint8_t *next,
                        unsigned *heads, bool *first, bool *odd, bool *white)
{
    const uint8_t *end = entity->whole.at + entity->whole.length;

    if (line.length == 0) {
        /* What follows may be taken for more of it (mbox.c), and is a header if this is a
         * message inside the message. */
        bool more = *first || text_looks_header((struct piece){next, (size_t)(end - next)});

        if (++*heads == ENTITY_HEADS_MAX && more)
            (void)collection_text(entity->readings, (struct piece){next, (size_t)(end - next)},
                                  entity->leaf.depth + 1);
        entity_body(entity, next);
        return more && *heads < ENTITY_HEADS_MAX;
    }
    if (line_white(line)) {
        if (!*white)
            entity_body(entity, next);
        *white = true;
    } else if (!mime_is_blank(*line.at) && !line_is_field(line)) {
        if (!*odd) {
            entity_body(entity, line.at);
            entity_body(entity, next);
        }
        *odd = true;
    } else if (mime_is_blank(*line.at) && *first) {
        entity_body(entity, line.at);
    }
    *first = false;
    return true;
}

static void entity_header(struct entity *entity)
{
    const uint8_t *end = entity->whole.at + entity->whole.length;
    const uint8_t *most =
        entity->whole.length > ENTITY_HEADER_MAX ? entity->whole.at + ENTITY_HEADER_MAX : end;
    const uint8_t *next = entity->whole.at;
    unsigned heads = 0;
    bool first = true;
    bool odd = false;
    bool white = false;
    bool more = true;

    while (next < most && more) {
        struct piece line = line_at(next, end, &next);

        more = entity_line(entity, line, next, &heads, &first, &odd, &white);
    }
    entity->header_end = next;
}

/* -- what it says ------------------------------------------------------------------------------ */

static bool value_has(struct piece value, const char *word)
{
    return text_find(value, value.at, word) < value.at + value.length;
}

/* The letters and digits of a field's value alone: comments, quotes, escapes and blanks are what
 * readers pass over, each in its own way. */
static struct piece value_bare(const uint8_t *at, const uint8_t *end, uint8_t *to, size_t room)
{
    size_t length = 0;
    const uint8_t *next;

    do {
        struct piece line = line_at(at, end, &next);

        for (size_t i = 0; i < line.length && length < room; i++) {
            uint8_t byte = mime_lower(line.at[i]);

            if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9'))
                to[length++] = byte;
        }
        at = next;
    } while (at < end && mime_is_blank(*at) && length < room);
    return (struct piece){to, length};
}

static unsigned value_encodings(struct piece value)
{
    unsigned encodings = 0;

    if (value_has(value, "base64"))
        encodings |= LEAF_BASE64;
    if (value_has(value, "quoted") || value_has(value, "printable"))
        encodings |= LEAF_QUOTED;
    if (value_has(value, "uuencode") || value_has(value, "uue"))
        encodings |= LEAF_UUENCODE;
    if (value_has(value, "bit") || value_has(value, "binary"))
        encodings |= LEAF_IDENTITY;
    return encodings;
}

/* All that any field of the header names, and identity where that is not one known encoding. */
static void entity_encodings(struct entity *entity, struct piece header)
{
    const uint8_t *end = header.at + header.length;
    const uint8_t *at = text_find(header, header.at, "encoding");
    unsigned fields = 0;
    unsigned encodings = 0;

    for (; at < end; at = text_find(header, at, "encoding")) {
        uint8_t text[256];
        struct piece bare;
        unsigned named;

        at += strlen("encoding");
        bare = value_bare(at, end, text, sizeof(text));
        named = value_encodings(bare);
        fields++;
        encodings |= named;
        if (named == 0 || bare.length == sizeof(text)) /* none that is known, or not all of it */
            encodings |= LEAF_BASE64 | LEAF_QUOTED | LEAF_IDENTITY;
    }
    if (fields != 1 || entity->body_count > 1 || (encodings & (LEAF_BASE64 | LEAF_QUOTED)) == 0 ||
        (encodings & (encodings - 1)) != 0)
        encodings |= LEAF_IDENTITY;
    entity->encoded = fields > 0;
    entity->leaf.encodings = encodings;
}

static void entity_type_add(struct leaf *leaf, const uint8_t *at, size_t length)
{
    char *type = leaf->types[leaf->type_count];

    if (length == 0 || length >= READINGS_TYPE_BYTES || leaf->type_count == READINGS_NAMES_MAX)
        return;
    for (size_t i = 0; i < length; i++)
        type[i] = (char)mime_lower(at[i]);
    type[length] = '\0';
    for (unsigned i = 0; i < leaf->type_count; i++) {
        if (strcmp(leaf->types[i], type) == 0)
            return;
    }
    leaf->type_count++;
}

static void entity_types(struct entity *entity, struct piece header)
{
    const uint8_t *end = header.at + header.length;
    const uint8_t *at = text_find(header, header.at, "content-type");

    for (; at < end; at = text_find(header, at, "content-type")) {
        const uint8_t *from;

        at += strlen("content-type");
        while (at < end && (mime_is_blank(*at) || *at == ':' || *at == '\r' || *at == '\n'))
            at++;
        from = at;
        while (at < end && (mime_is_token(*at) || *at == '/'))
            at++;
        entity_type_add(&entity->leaf, from, (size_t)(at - from));
    }
}

static bool entity_name_take(void *context, const uint8_t *value, size_t length)
{
    struct leaf *leaf = context;
    char *name = leaf->names[leaf->name_count];

    if (length >= READINGS_NAME_BYTES || memchr(value, 0, length) != NULL)
        return true;
    memcpy(name, value, length);
    name[length] = '\0';
    for (unsigned i = 0; i < leaf->name_count; i++) {
        if (strcmp(leaf->names[i], name) == 0)
            return true;
    }
    leaf->name_count++;
    return false; /* one of each attribute: the readers' first choice */
}

static void entity_names(struct entity *entity, struct piece header)
{
    const uint8_t *end = header.at + header.length;
    const uint8_t *at = text_find(header, header.at, "name");

    for (; at < end && entity->leaf.name_count < READINGS_NAMES_MAX;
         at = text_find(header, at, "name")) {
        at += strlen("name");
        values_find(header, at, entity_name_take, &entity->leaf);
    }
}

/* What nobody can read from this message alone. */
static void entity_finding(struct entity *entity)
{
    struct readings_report *report = &entity->readings->report;

    for (unsigned i = 0; i < entity->leaf.type_count; i++) {
        const char *type = entity->leaf.types[i];

        if (strcmp(type, "message/partial") == 0 || strcmp(type, "message/external-body") == 0) {
            report->finding = UNSCANNABLE_PARTIAL;
            memcpy(report->kind, type + sizeof("message/") - 1,
                   strlen(type) - sizeof("message/") + 2);
        }
    }
}

/* Whether it is what its parts are, and no more: only under an encoding of its own it is something
 * else. */
static bool entity_is_parts(const struct entity *entity, bool cut)
{
    bool multipart = cut && entity->leaf.type_count > 0;

    for (unsigned i = 0; i < entity->leaf.type_count; i++)
        multipart = multipart && strncmp(entity->leaf.types[i], "multipart/", 10) == 0;
    return multipart;
}

/* -- its bodies -------------------------------------------------------------------------------- */

bool entity_read(struct readings *readings, struct piece whole, unsigned depth, bool cut)
{
    struct entity entity = {.readings = readings, .whole = whole};
    const uint8_t *end = whole.at + whole.length;
    struct piece header;

    if (++readings->report.forks > readings->limits.forks)
        return readings_stop(readings, STATUS_NO_SPACE);
    entity.leaf.depth = depth;
    entity_header(&entity);
    if (entity.body_count == 0 && entity.header_end < end)
        return readings_stop(readings, STATUS_NO_SPACE); /* a header that does not end */
    header = (struct piece){whole.at, (size_t)(entity.header_end - whole.at)};
    if (!readings_work(readings, 4 * header.length))
        return false;
    entity_encodings(&entity, header);
    entity_types(&entity, header);
    entity_names(&entity, header);
    entity_finding(&entity);
    entity.leaf.depth = depth;
    for (unsigned i = 0; i < entity.body_count; i++) {
        struct leaf *leaf = &entity.leaf;
        unsigned encodings = leaf->encodings;

        leaf->body = (struct piece){entity.bodies[i], (size_t)(end - entity.bodies[i])};
        if (entity_is_parts(&entity, cut))
            leaf->encodings &= ~LEAF_IDENTITY;
        else if (!entity.encoded && variants_look_base64(leaf->body.at, leaf->body.length))
            leaf->encodings |= LEAF_BASE64;
        if (!leaf_read(readings, leaf))
            return false;
        leaf->encodings = encodings;
    }
    return true;
}

#include <string.h>

#include "signatures/content/mime/parts.h"

static void boundary_gate(struct mime_parser *parser, enum mime_gate gate)
{
    mime_doubt(parser, gate);
}

static bool boundary_same(const uint8_t *bytes, const struct mime_multipart *multipart)
{
    for (size_t i = 0; i < multipart->boundary_length; i++)
        if (mime_lower(bytes[i]) != mime_lower(multipart->boundary[i]))
            return false;
    return true;
}

/* What is left of a line when comments and backslashes are taken out (mbox.c rfc822comments()). */
static size_t boundary_uncomment(const uint8_t *line, size_t length, uint8_t *to)
{
    bool backslash = false;
    bool quoted = false;
    unsigned level = 0;
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t byte = line[i];

        if (backslash) {
            if (level == 0)
                to[written++] = byte;
            backslash = false;
        } else if (byte == '\\') {
            backslash = true;
        } else if (byte == '"') {
            to[written++] = byte;
            quoted = !quoted;
        } else if (byte == '(' && !quoted) {
            level++;
        } else if (byte == ')' && !quoted) {
            level -= level > 0;
        } else if (level == 0 || byte == '(' || byte == ')') {
            to[written++] = byte;
        }
    }
    return written;
}

/* Whether libclamav takes the line for this boundary, or nearly so. mbox.c boundaryStart() compares
 * what follows any two bytes and then any number of dashes, boundaryEnd() what follows exactly two
 * dashes; neither minds case. */
static bool boundary_near(const struct mime_multipart *multipart, const uint8_t *line,
                          size_t length)
{
    size_t boundary = multipart->boundary_length;
    size_t at = 2;

    if (length < boundary + 1)
        return false;
    while (at < length - boundary && line[at] == '-')
        at++;
    if (at >= length - boundary && boundary_same(line + length - boundary, multipart))
        return true;
    return length >= boundary + 4 && line[0] == '-' && line[1] == '-' &&
           boundary_same(line + 2, multipart) && line[boundary + 2] == '-' &&
           line[boundary + 3] == '-';
}

/* Whether the line starts like this boundary: there are readers that compare no more. */
static bool boundary_starts(const struct mime_multipart *multipart, const uint8_t *line,
                            size_t length)
{
    return length >= multipart->boundary_length + 2u && line[0] == '-' && line[1] == '-' &&
           boundary_same(line + 2, multipart);
}

static enum mime_line_kind boundary_exact(const struct mime_multipart *multipart,
                                          const uint8_t *line, size_t length)
{
    size_t boundary = multipart->boundary_length;

    if (length < boundary + 2 || line[0] != '-' || line[1] != '-' ||
        memcmp(line + 2, multipart->boundary, boundary) != 0)
        return MIME_LINE_ORDINARY;
    if (length == boundary + 2)
        return MIME_LINE_OPENS;
    if (length == boundary + 4 && line[boundary + 2] == '-' && line[boundary + 3] == '-')
        return MIME_LINE_CLOSES;
    return MIME_LINE_ORDINARY;
}

enum mime_line_kind mime_boundary_line(const struct mime_parser *parser, const uint8_t *line,
                                       size_t length, unsigned *level)
{
    enum mime_line_kind result = MIME_LINE_ORDINARY;
    bool started = false;
    uint8_t bare[MIME_HELD];
    size_t bare_length = 0;
    size_t spaces = length;

    while (length > 0 && mime_is_blank(line[length - 1]))
        length--;
    while (spaces > length && line[spaces - 1] == ' ')
        spaces--;
    if (memchr(line, '(', length) != NULL || memchr(line, '\\', length) != NULL)
        bare_length = boundary_uncomment(line, length, bare);
    for (unsigned i = 0; i < parser->depth; i++) {
        const struct mime_multipart *multipart = &parser->multiparts[i];
        enum mime_line_kind kind = boundary_exact(multipart, line, length);

        if (kind != MIME_LINE_ORDINARY && result == MIME_LINE_ORDINARY && spaces == length) {
            result = kind;
            *level = i;
        } else if (boundary_near(multipart, line, length) ||
                   boundary_near(multipart, bare, bare_length)) {
            return MIME_LINE_DOUBTFUL;
        }
        started = started || boundary_starts(multipart, line, length);
    }
    return result == MIME_LINE_ORDINARY && started ? MIME_LINE_DOUBTFUL : result;
}

static enum mime_gate boundary_kind(const char *type, enum mime_multipart_kind *kind)
{
    static const struct {
        const char *type;
        enum mime_multipart_kind kind;
    } kinds[] = {
        {"multipart/mixed", MIME_MULTIPART_MIXED},
        {"multipart/alternative", MIME_MULTIPART_MIXED},
        {"multipart/report", MIME_MULTIPART_MIXED},
        {"multipart/related", MIME_MULTIPART_RELATED},
        {"multipart/signed", MIME_MULTIPART_SIGNED},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (mime_is(type, kinds[i].type)) {
            *kind = kinds[i].kind;
            return MIME_GATE_NONE;
        }
    return MIME_GATE_MULTIPART_TYPE;
}

void mime_multipart_push(struct mime_parser *parser)
{
    const struct mime_entity *entity = &parser->entity;
    struct mime_multipart *multipart;
    enum mime_multipart_kind kind = MIME_MULTIPART_MIXED;
    enum mime_gate gate = boundary_kind(entity->type, &kind);

    if (gate == MIME_GATE_NONE && entity->boundary_length == 0)
        gate = MIME_GATE_BOUNDARY_NONE;
    else if (gate == MIME_GATE_NONE && parser->depth == MIME_DEPTH_ROOM)
        gate = MIME_GATE_MULTIPART_DEEP;
    boundary_gate(parser, gate);
    if (entity->encoding == MIME_ENCODING_QUOTED_PRINTABLE ||
        entity->encoding == MIME_ENCODING_BASE64)
        boundary_gate(parser, MIME_GATE_MULTIPART_ENCODED);
    if (parser->depth >= MIME_DEPTH_MAX)
        boundary_gate(parser, MIME_GATE_MULTIPART_DEPTH);
    for (unsigned i = 0; !parser->stopped && i < parser->depth; i++) {
        multipart = &parser->multiparts[i];
        if (multipart->boundary_length == entity->boundary_length &&
            boundary_same(entity->boundary, multipart))
            boundary_gate(parser, MIME_GATE_BOUNDARY_NESTED);
        else if (multipart->kind == MIME_MULTIPART_RELATED && kind != MIME_MULTIPART_MIXED)
            boundary_gate(parser, MIME_GATE_RELATED);
    }
    if (parser->stopped)
        return;
    multipart = &parser->multiparts[parser->depth++];
    memset(multipart, 0, sizeof(*multipart));
    multipart->kind = kind;
    memcpy(multipart->boundary, entity->boundary, entity->boundary_length);
    multipart->boundary_length = entity->boundary_length;
}

/* multipart/related: libclamav chooses one child as the root: the first text/html, else the last
 * text, else the first multipart (mbox.c getTextPart). A text/plain root it concatenates with
 * itself; before a multipart root it skips the first child. */
static void boundary_end(struct mime_parser *parser, const struct mime_multipart *multipart)
{
    if (multipart->child_count == 0)
        boundary_gate(parser, MIME_GATE_MULTIPART_EMPTY);
    else if (multipart->kind == MIME_MULTIPART_RELATED && multipart->text_seen &&
             !multipart->html_seen && multipart->text_last_plain)
        boundary_gate(parser, MIME_GATE_RELATED);
    else if (multipart->kind == MIME_MULTIPART_RELATED && !multipart->text_seen &&
             multipart->multipart_seen && !multipart->multipart_first)
        boundary_gate(parser, MIME_GATE_RELATED_ROOT);
    else if (multipart->kind == MIME_MULTIPART_SIGNED && multipart->child_count != 2)
        boundary_gate(parser, MIME_GATE_SIGNED);
}

void mime_multipart_pop(struct mime_parser *parser, unsigned level)
{
    while (parser->depth > level && !parser->stopped)
        boundary_end(parser, &parser->multiparts[--parser->depth]);
}

#include <string.h>

#include "dataplane/mime/parts.h"

void mime_entity_begin(struct mime_parser *parser)
{
    struct mime_entity *entity = &parser->entity;

    memset(entity, 0, sizeof(*entity));
    entity->media = MIME_MEDIA_TEXT_PLAIN;
    entity->encoding = MIME_ENCODING_NONE;
    parser->field = MIME_FIELD_FIRST;
    parser->semicolon = false;
    parser->header_length = 0;
    parser->value_length = 0;
    parser->state = MIME_STATE_HEADER;
}

static void header_gate(struct mime_parser *parser, enum mime_gate gate)
{
    if (parser->gate == MIME_GATE_NONE)
        parser->gate = gate;
}

/* A field is complete. */
static void header_field_end(struct mime_parser *parser)
{
    if (parser->field >= MIME_FIELD_TYPE) {
        size_t at = 0;

        while (at < parser->value_length && mime_is_blank(parser->value[at]))
            at++;
        if (at == parser->value_length) {
            header_gate(parser, MIME_GATE_FIELD_EMPTY);
            return;
        }
        if (!mime_words_decode(parser->value, &parser->value_length)) {
            header_gate(parser, MIME_GATE_ENCODED_NAME);
            return;
        }
    }
    if (parser->field == MIME_FIELD_TYPE)
        mime_field_type(parser, parser->value, parser->value_length);
    else if (parser->field == MIME_FIELD_ENCODING)
        mime_field_encoding(parser, parser->value, parser->value_length);
    else if (parser->field == MIME_FIELD_DISPOSITION)
        mime_field_disposition(parser, parser->value, parser->value_length);
}

static void header_value(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    if (parser->field < MIME_FIELD_TYPE)
        return;
    if (length > MIME_FIELD_MAX - parser->value_length) {
        header_gate(parser, MIME_GATE_HEADER_SIZE);
        return;
    }
    memcpy(parser->value + parser->value_length, bytes, length);
    parser->value_length += length;
}

/* A continuation line. It is one to libclamav only when it shows something (parseEmailFile). */
static void header_continued(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    bool graphic = false;

    if (parser->field == MIME_FIELD_FIRST) {
        header_gate(parser, MIME_GATE_HEADER_LINE);
        return;
    }
    for (size_t i = 0; i < length && !graphic; i++)
        graphic = line[i] > ' ' && line[i] < 0x7f;
    if (!graphic) {
        header_gate(parser, MIME_GATE_HEADER_WHITE);
        return;
    }
    header_value(parser, line, length);
}

static bool header_known(struct mime_parser *parser, enum mime_field field, bool *has)
{
    if (*has)
        header_gate(parser, MIME_GATE_FIELD_TWICE);
    *has = true;
    parser->field = field;
    return true;
}

/* Which field `name` is. Names that a lenient reader takes for one of the three are gated. */
static void header_name(struct mime_parser *parser, const uint8_t *name, size_t length)
{
    struct mime_entity *entity = &parser->entity;
    size_t shown = 0;

    parser->field = MIME_FIELD_OTHER;
    for (size_t i = 0; i < length; i++) {
        bool letter = mime_is_token(name[i]) && name[i] != '\'' && name[i] != '%';

        shown += letter;
    }
    if (length == 0 || shown != length || name[0] == '-') {
        header_gate(parser, mime_starts(name, length, "content-") ? MIME_GATE_HEADER_NAME
                                                                  : MIME_GATE_HEADER_LINE);
        return;
    }
    if (mime_same(name, length, "content-type"))
        header_known(parser, MIME_FIELD_TYPE, &entity->has_type);
    else if (mime_same(name, length, "content-transfer-encoding"))
        header_known(parser, MIME_FIELD_ENCODING, &entity->has_encoding);
    else if (mime_same(name, length, "content-disposition"))
        header_known(parser, MIME_FIELD_DISPOSITION, &entity->has_disposition);
}

static void header_field_begin(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    const uint8_t *colon = memchr(line, ':', length);

    /* Both ways libclamav joins lines at a semicolon: mbox.c parseEmailFile() and
     * next_is_folded_header(). */
    if (parser->semicolon && (parser->depth > 0 || parser->field >= MIME_FIELD_TYPE)) {
        header_gate(parser, MIME_GATE_HEADER_JOINED);
        return;
    }
    header_field_end(parser);
    if (parser->gate != MIME_GATE_NONE)
        return;
    if (colon == NULL) {
        header_gate(parser, MIME_GATE_HEADER_LINE);
        return;
    }
    parser->value_length = 0;
    header_name(parser, line, (size_t)(colon - line));
    header_value(parser, colon + 1, length - (size_t)(colon - line) - 1);
}

bool mime_header_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    size_t end = length;

    parser->header_length += length + 2;
    if (parser->header_length > MIME_HEADER_MAX) {
        header_gate(parser, MIME_GATE_HEADER_SIZE);
        return false;
    }
    if (length == 0) {
        if (parser->field == MIME_FIELD_FIRST)
            header_gate(parser, MIME_GATE_HEADER_NONE);
        else if (parser->semicolon && parser->depth == 0 && parser->field >= MIME_FIELD_TYPE)
            header_gate(parser, MIME_GATE_HEADER_JOINED);
        else
            header_field_end(parser);
        return true;
    }
    for (size_t i = 0; i < length; i++)
        if (line[i] < ' ' && line[i] != '\t') {
            header_gate(parser, MIME_GATE_HEADER_LINE);
            return false;
        }
    if (mime_is_blank(line[0]))
        header_continued(parser, line, length);
    else
        header_field_begin(parser, line, length);
    while (end > 0 && mime_is_blank(line[end - 1]))
        end--;
    parser->semicolon = end > 0 && line[end - 1] == ';';
    return false;
}

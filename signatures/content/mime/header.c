#include <string.h>

#include "signatures/content/mime/parts.h"

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
    mime_doubt(parser, gate);
}

/* A doubt about what the field in hand says: it is still read, as far as it goes. */
static void header_field_odd(struct mime_parser *parser, enum mime_gate gate)
{
    mime_doubt(parser, gate);
    parser->field_odd = true;
}

static unsigned header_quotes(const struct mime_parser *parser)
{
    unsigned quotes = 0;

    for (size_t i = 0; i < parser->value_length; i++)
        quotes += parser->value[i] == '"';
    return quotes;
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
        /* With odd quotes the field goes on in the next line (mbox.c parseEmailFile()). */
        if (header_quotes(parser) % 2 != 0) {
            header_gate(parser, MIME_GATE_FIELD_QUOTES);
            return;
        }
        if (!mime_words_decode(parser->value, &parser->value_length, &parser->entity.words))
            header_field_odd(parser, MIME_GATE_ENCODED_NAME);
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
        header_field_odd(parser, MIME_GATE_HEADER_SIZE);
        length = MIME_FIELD_MAX - parser->value_length;
    }
    memcpy(parser->value + parser->value_length, bytes, length);
    parser->value_length += length;
}

/* A continuation line. It is one to libclamav only when it shows something (parseEmailFile). */
static void header_continued(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    bool graphic = false;
    bool other = false; /* than blanks and semicolons */

    if (parser->field == MIME_FIELD_FIRST || parser->joined) {
        header_gate(parser, MIME_GATE_HEADER_LINE);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        graphic = graphic || (line[i] > ' ' && line[i] < 0x7f);
        other = other || (!mime_is_blank(line[i]) && line[i] != ';');
    }
    if (!graphic || !other) {
        header_gate(parser, graphic ? MIME_GATE_EMPTY_OPTIONS : MIME_GATE_HEADER_WHITE);
        return;
    }
    header_value(parser, line, length);
}

static void header_known(struct mime_parser *parser, enum mime_field field, bool *has)
{
    if (*has) /* libclamav tries both encodings; of two types it mixes the parameters */
        header_gate(parser, field == MIME_FIELD_ENCODING ? MIME_GATE_ENCODING_TWICE
                                                         : MIME_GATE_FIELD_TWICE);
    *has = true;
    parser->field = field;
}

/* A name that libclamav cannot turn into another one: it takes comments and encoded words out of
 * names too, but no name that starts with "X-" becomes one of the three. */
static bool header_name_plain(const uint8_t *name, size_t length)
{
    bool extension = mime_starts(name, length, "x-");

    for (size_t i = 0; i < length; i++)
        if (name[i] <= ' ' || name[i] >= 0x7f ||
            (!extension && strchr("()\"\\=?", name[i]) != NULL))
            return false;
    return length > 0 && name[0] != '-' && name[0] != '(';
}

/* Which field `name` is. */
static void header_name(struct mime_parser *parser, const uint8_t *name, size_t length)
{
    struct mime_entity *entity = &parser->entity;

    parser->field = MIME_FIELD_OTHER;
    if (!header_name_plain(name, length))
        header_gate(parser, mime_starts(name, length, "content-") ? MIME_GATE_HEADER_NAME
                                                                  : MIME_GATE_HEADER_LINE);
    else if (mime_same(name, length, "content-type"))
        header_known(parser, MIME_FIELD_TYPE, &entity->has_type);
    else if (mime_same(name, length, "content-transfer-encoding"))
        header_known(parser, MIME_FIELD_ENCODING, &entity->has_encoding);
    else if (mime_same(name, length, "content-disposition"))
        header_known(parser, MIME_FIELD_DISPOSITION, &entity->has_disposition);
}

/* Whether libclamav reads this line as the end of the line before, which ends with a semicolon
 * (mbox.c parseEmailFile(), next_is_folded_header()). In a part it does when there is a '=' in it;
 * in the message's own header always, when the semicolon is a MIME field's and nothing follows it;
 * a harmless line adds nothing to the field then, and we leave it out. */
static enum mime_gate header_joined(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    static const char *const harmless[] = {"MIME-Version: 1.0", "Mime-Version: 1.0"};

    if (parser->depth > 0)
        return memchr(line, '=', length) != NULL ? MIME_GATE_HEADER_JOINED : MIME_GATE_NONE;
    if (parser->field < MIME_FIELD_TYPE)
        return MIME_GATE_NONE;
    for (size_t i = 0; i < 2; i++)
        if (length == strlen(harmless[i]) && memcmp(line, harmless[i], length) == 0) {
            parser->joined = true; /* the line that comes next must not go on */
            return MIME_GATE_NONE;
        }
    return MIME_GATE_HEADER_JOINED;
}

static void header_field_begin(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    const uint8_t *colon = memchr(line, ':', length);

    parser->joined = false;
    if (parser->semicolon)
        header_gate(parser, header_joined(parser, line, length));
    header_field_end(parser);
    if (parser->stopped)
        return;
    if (colon == NULL) {
        header_gate(parser, MIME_GATE_HEADER_LINE);
        return;
    }
    parser->value_length = 0;
    parser->field_odd = false;
    header_name(parser, line, (size_t)(colon - line));
    header_value(parser, colon + 1, length - (size_t)(colon - line) - 1);
}

static bool header_line_plain(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] < ' ' && line[i] != '\t') {
            header_gate(parser, MIME_GATE_HEADER_LINE);
            return false;
        }
    return true;
}

/* In the message's own header a blank after the semicolon keeps libclamav from joining. */
static void header_semicolon(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    while (parser->depth > 0 && length > 0 && mime_is_blank(line[length - 1]))
        length--;
    parser->semicolon = length > 0 && line[length - 1] == ';';
}

bool mime_header_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    parser->header_length += length + 2;
    if (parser->header_length > MIME_HEADER_MAX)
        header_gate(parser, MIME_GATE_HEADER_SIZE);
    if (length == 0) {
        if (parser->field == MIME_FIELD_FIRST)
            header_gate(parser, MIME_GATE_HEADER_NONE);
        else if (parser->semicolon && parser->depth == 0 && parser->field >= MIME_FIELD_TYPE)
            header_gate(parser, MIME_GATE_HEADER_JOINED);
        else
            header_field_end(parser);
        return true;
    }
    if (!header_line_plain(parser, line, length))
        return false;
    if (mime_is_blank(line[0]))
        header_continued(parser, line, length);
    else
        header_field_begin(parser, line, length);
    header_semicolon(parser, line, length);
    return false;
}

void mime_header_more(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    parser->header_length += length;
    if (!header_line_plain(parser, bytes, length))
        return;
    header_value(parser, bytes, length);
    header_semicolon(parser, bytes, length);
}

#include <string.h>

#include "signatures/content/mime/parts.h"

/* A value being read from left to right. */
struct field_text {
    const uint8_t *at;
    const uint8_t *end;
};

/* attribute=value */
struct field_parameter {
    const uint8_t *name;
    size_t name_length;
    const uint8_t *value; /* without quotes */
    size_t value_length;
    bool quoted;
    bool blank; /* after the '=' */
};

static void field_gate(struct mime_parser *parser, enum mime_gate gate)
{
    mime_doubt(parser, gate);
    parser->field_odd = true;
}

static void field_skip_blanks(struct field_text *text)
{
    while (text->at < text->end && mime_is_blank(*text->at))
        text->at++;
}

static size_t field_token(struct field_text *text)
{
    const uint8_t *start = text->at;

    while (text->at < text->end && mime_is_token(*text->at))
        text->at++;
    return (size_t)(text->at - start);
}

/* Where the grammar stops: a comment is worse than anything else. */
static enum mime_gate field_stop(const struct field_text *text)
{
    return text->at < text->end && (*text->at == '(' || *text->at == ')') ? MIME_GATE_FIELD_COMMENT
                                                                          : MIME_GATE_FIELD_SYNTAX;
}

/* "..." without what libclamav reads its own way: '\\' (a comment anywhere makes it an escape) and
 * ';' (it ends the parameter, quoted or not). Letters above 0x7e are for names only. */
static enum mime_gate field_quoted(struct field_text *text, struct field_parameter *parameter)
{
    const uint8_t *start = ++text->at;

    while (text->at < text->end && *text->at != '"') {
        uint8_t byte = *text->at;

        if (byte < ' ' || byte == 0x7f || byte == '\\' || byte == ';')
            return MIME_GATE_FIELD_SYNTAX;
        text->at++;
    }
    if (text->at == text->end)
        return MIME_GATE_FIELD_SYNTAX;
    parameter->value = start;
    parameter->value_length = (size_t)(text->at - start);
    parameter->quoted = true;
    text->at++;
    return MIME_GATE_NONE;
}

/* An unquoted value may hold specials that every reader takes as they are: boundaries full of '='
 * and types with '/' are common. */
static enum mime_gate field_unquoted(struct field_text *text, struct field_parameter *parameter)
{
    const uint8_t *start = text->at;

    while (text->at < text->end &&
           (mime_is_token(*text->at) ||
            (*text->at != 0 && text->at > start && strchr("=/:?@,", *text->at) != NULL)))
        text->at++;
    parameter->value = start;
    parameter->value_length = (size_t)(text->at - start);
    parameter->quoted = false;
    return parameter->value_length == 0 ? field_stop(text) : MIME_GATE_NONE;
}

/* Reads "; name=value"; *more is false at the end of the field. */
static enum mime_gate field_next(struct field_text *text, struct field_parameter *parameter,
                                 bool *more)
{
    enum mime_gate gate;

    field_skip_blanks(text);
    *more = false;
    if (text->at == text->end)
        return MIME_GATE_NONE;
    if (*text->at != ';')
        return field_stop(text);
    text->at++;
    field_skip_blanks(text);
    if (text->at == text->end)
        return MIME_GATE_NONE; /* a last semicolon */
    parameter->name = text->at;
    parameter->name_length = field_token(text);
    if (parameter->name_length == 0 || text->at == text->end || *text->at != '=')
        return field_stop(text);
    text->at++;
    parameter->blank = text->at < text->end && mime_is_blank(*text->at);
    field_skip_blanks(text);
    if (text->at == text->end)
        return MIME_GATE_FIELD_SYNTAX;
    gate = *text->at == '"' ? field_quoted(text, parameter) : field_unquoted(text, parameter);
    *more = gate == MIME_GATE_NONE;
    return gate;
}

/* libclamav looks only at parameters that *start* like one of these (message.c usefulArg), and
 * finds a value by such a start too: "boundaryx=1" hides the boundary. */
static bool field_starts_useful(const struct field_parameter *parameter)
{
    static const char *const starts[] = {"name", "file",   "boundary", "protocol",
                                         "id",   "number", "total",    "type"};

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (mime_starts(parameter->name, parameter->name_length, starts[i]))
            return true;
    return false;
}

static bool field_is(const struct field_parameter *parameter, const char *name)
{
    return mime_same(parameter->name, parameter->name_length, name);
}

/* libclamav looks for RFC 2231 marks in the value too (message.c rfc2231). */
static bool field_marked(const struct field_parameter *parameter)
{
    return mime_contains(parameter->value, parameter->value_length, "*=") ||
           mime_contains(parameter->value, parameter->value_length, "*0=") ||
           mime_contains(parameter->value, parameter->value_length, "*0*=");
}

static bool field_plain_ascii(const struct field_parameter *parameter)
{
    for (size_t i = 0; i < parameter->value_length; i++)
        if (parameter->value[i] < ' ' || parameter->value[i] > '~')
            return false;
    return true;
}

/* Keeps a file name as libclamav does: seven bits of each byte. */
static void field_name(struct mime_parser *parser, const struct field_parameter *parameter,
                       uint8_t *name, uint8_t *name_length)
{
    if (parameter->value_length > MIME_NAME_MAX || parameter->value_length == 0) {
        field_gate(parser, MIME_GATE_PARAMETER);
        return;
    }
    for (size_t i = 0; i < parameter->value_length; i++) {
        name[i] = parameter->value[i] & 0x7f;
        if (name[i] < ' ' || name[i] == '"' || name[i] == 0x7f) {
            field_gate(parser, MIME_GATE_PARAMETER);
            return;
        }
    }
    *name_length = (uint8_t)parameter->value_length;
}

static void field_extended(struct mime_parser *parser, const struct field_parameter *parameter,
                           uint8_t *name, uint8_t *name_length)
{
    if (!mime_extended_decode(parameter->value, parameter->value_length, name, name_length))
        field_gate(parser, MIME_GATE_ENCODED_NAME);
}

/* RFC 2046 5.1.1, and whatever else comes along but for encoded words and RFC 2231 marks. In quotes
 * parentheses and spaces inside are taken as they are. */
static bool field_boundary_plain(const struct field_parameter *parameter)
{
    const uint8_t *value = parameter->value;
    size_t length = parameter->value_length;

    if (length == 0 || length > MIME_BOUNDARY_MAX || value[0] == ' ' || value[length - 1] == ' ')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!mime_is_token(value[i]) && strchr("=/:?@,", value[i]) == NULL &&
            (!parameter->quoted || value[i] == 0 || strchr("() ", value[i]) == NULL))
            return false;
    /* In the line after a header libclamav takes this word for a transfer encoding. */
    return !mime_contains(value, length, "base64");
}

static void field_boundary(struct mime_parser *parser, const struct field_parameter *parameter)
{
    struct mime_entity *entity = &parser->entity;

    if (entity->boundary_length > 0) {
        field_gate(parser, MIME_GATE_PARAMETER_TWICE);
    } else if (parameter->blank && !parameter->quoted) {
        field_gate(parser, MIME_GATE_BOUNDARY_BLANK); /* to libclamav the blank is part of it */
    } else if (!field_boundary_plain(parameter)) {
        field_gate(parser, MIME_GATE_BOUNDARY_VALUE);
    } else {
        memcpy(entity->boundary, parameter->value, parameter->value_length);
        entity->boundary_length = (uint8_t)parameter->value_length;
    }
}

/* Parameters that libclamav keeps and has no use for. */
static bool field_idle(const struct field_parameter *parameter)
{
    return (field_is(parameter, "protocol") || field_is(parameter, "id") ||
            field_is(parameter, "number") || field_is(parameter, "total") ||
            field_is(parameter, "type")) &&
           field_plain_ascii(parameter);
}

static void field_type_parameter(struct mime_parser *parser,
                                 const struct field_parameter *parameter)
{
    struct mime_entity *entity = &parser->entity;
    bool name = field_is(parameter, "name");
    bool extended = field_is(parameter, "name*");

    if (!field_starts_useful(parameter))
        return;
    if (!field_marked(parameter) && field_is(parameter, "boundary"))
        field_boundary(parser, parameter);
    else if (field_marked(parameter) || (!name && !extended && !field_idle(parameter)))
        field_gate(parser, MIME_GATE_PARAMETER);
    else if ((name || extended) && entity->type_name_length > 0)
        field_gate(parser, MIME_GATE_PARAMETER_TWICE);
    else if (name)
        field_name(parser, parameter, entity->type_name, &entity->type_name_length);
    else if (extended)
        field_extended(parser, parameter, entity->type_name, &entity->type_name_length);
}

static bool field_known_media(struct mime_entity *entity, const uint8_t *major, size_t length)
{
    static const struct {
        const char *major;
        enum mime_media media;
    } majors[] = {
        {"text", MIME_MEDIA_TEXT_OTHER},
        {"image", MIME_MEDIA_IMAGE},
        {"audio", MIME_MEDIA_AUDIO},
        {"video", MIME_MEDIA_VIDEO},
        {"application", MIME_MEDIA_APPLICATION},
    };

    for (size_t i = 0; i < sizeof(majors) / sizeof(majors[0]); i++)
        if (mime_same(major, length, majors[i].major)) {
            entity->media = majors[i].media;
            return true;
        }
    entity->media = MIME_MEDIA_OTHER;
    return mime_starts(major, length, "x-"); /* others libclamav guesses by similarity */
}

/* type "/" subtype into entity->type. */
static enum mime_gate field_media(struct mime_parser *parser, struct field_text *text)
{
    struct mime_entity *entity = &parser->entity;
    const uint8_t *start = text->at;
    size_t major = field_token(text);
    size_t minor;

    if (major == 0 || text->at == text->end || *text->at != '/')
        return field_stop(text);
    text->at++;
    minor = field_token(text);
    if (minor == 0)
        return field_stop(text);
    if (major + 1 + minor >= sizeof(entity->type) || mime_lower(start[0]) < 'a' ||
        mime_lower(start[0]) > 'z')
        return MIME_GATE_MEDIA_TYPE;
    for (size_t i = 0; i < major + 1 + minor; i++)
        entity->type[i] = (char)mime_lower(start[i]);
    entity->type[major + 1 + minor] = '\0';
    entity->message = mime_same(start, major, "message");
    if (entity->message)
        return MIME_GATE_NONE;
    if (mime_same(start, major, "multipart")) {
        entity->multipart = true;
        return MIME_GATE_NONE;
    }
    if (!field_known_media(entity, start, major))
        return MIME_GATE_MEDIA_TYPE;
    if (mime_is(entity->type, "text/plain"))
        entity->media = MIME_MEDIA_TEXT_PLAIN;
    else if (mime_is(entity->type, "text/html"))
        entity->media = MIME_MEDIA_TEXT_HTML;
    return MIME_GATE_NONE;
}

void mime_field_type(struct mime_parser *parser, const uint8_t *value, size_t length)
{
    struct field_text text = {value, value + length};
    struct field_parameter parameter;
    unsigned count = 0;
    enum mime_gate gate;
    bool more = true;

    field_skip_blanks(&text);
    gate = field_media(parser, &text);
    while (gate == MIME_GATE_NONE && more && !parser->stopped) {
        gate = field_next(&text, &parameter, &more);
        if (gate == MIME_GATE_NONE && more)
            field_type_parameter(parser, &parameter);
        if (more && ++count > MIME_PARAMETERS_MAX)
            field_gate(parser, MIME_GATE_PARAMETERS);
    }
    if (gate != MIME_GATE_NONE)
        field_gate(parser, gate);
    /* There are readers that cut whatever has a boundary. */
    if (!parser->entity.multipart && parser->entity.boundary_length > 0)
        field_gate(parser, MIME_GATE_PARAMETER);
    /* Whoever finds another boundary than libclamav does finds other parts. */
    if (parser->entity.multipart && (parser->entity.words || parser->field_odd))
        mime_doubt(parser, MIME_GATE_MULTIPART_SYNTAX);
}

void mime_field_encoding(struct mime_parser *parser, const uint8_t *value, size_t length)
{
    static const struct {
        const char *name;
        enum mime_encoding encoding;
    } encodings[] = {
        {"7bit", MIME_ENCODING_7BIT},     {"8bit", MIME_ENCODING_8BIT},
        {"binary", MIME_ENCODING_BINARY}, {"quoted-printable", MIME_ENCODING_QUOTED_PRINTABLE},
        {"base64", MIME_ENCODING_BASE64},
    };
    struct field_text text = {value, value + length};
    const uint8_t *start;
    size_t token;

    field_skip_blanks(&text);
    start = text.at;
    token = field_token(&text);
    field_skip_blanks(&text);
    if (text.at != text.end) {
        field_gate(parser, field_stop(&text));
        return;
    }
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
        if (mime_same(start, token, encodings[i].name)) {
            /* Of two, the one that readers may differ on most. */
            if (parser->entity.encoding != MIME_ENCODING_BASE64)
                parser->entity.encoding = encodings[i].encoding;
            return;
        }
    field_gate(parser, MIME_GATE_ENCODING);
}

/* Of a Content-Disposition libclamav looks at the type and the first parameter only (mbox.c
 * parseMimeHeader). A file name that comes later it calls "unknown"; we keep it. */
void mime_field_disposition(struct mime_parser *parser, const uint8_t *value, size_t length)
{
    struct mime_entity *entity = &parser->entity;
    struct field_text text = {value, value + length};
    struct field_parameter parameter;
    const uint8_t *start;
    enum mime_gate gate;
    size_t token;
    bool more;

    field_skip_blanks(&text);
    start = text.at;
    token = field_token(&text);
    entity->attachment = mime_same(start, token, "attachment");
    entity->other_disposition = !entity->attachment && !mime_same(start, token, "inline");
    if (token == 0) {
        field_gate(parser, MIME_GATE_DISPOSITION);
        return;
    }
    while ((gate = field_next(&text, &parameter, &more)) == MIME_GATE_NONE && more &&
           !parser->stopped) {
        if (!field_starts_useful(&parameter))
            continue;
        if (field_marked(&parameter) || parameter.blank ||
            (!field_is(&parameter, "filename") && !field_is(&parameter, "filename*")))
            field_gate(parser, MIME_GATE_PARAMETER);
        else if (entity->file_name_length > 0)
            field_gate(parser, MIME_GATE_PARAMETER_TWICE);
        else if (field_is(&parameter, "filename"))
            field_name(parser, &parameter, entity->file_name, &entity->file_name_length);
        else
            field_extended(parser, &parameter, entity->file_name, &entity->file_name_length);
    }
    if (gate != MIME_GATE_NONE)
        field_gate(parser, gate);
}

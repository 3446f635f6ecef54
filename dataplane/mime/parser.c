#include <string.h>

#include "dataplane/mime/parts.h"

/* The first bytes of body lines that are looked at whole; all others pass as they are. */
static const bool parser_watched[256] = {
    ['-'] = true, ['('] = true, ['b'] = true, ['B'] = true,  ['='] = true,
    ['C'] = true, ['c'] = true, [' '] = true, ['\t'] = true, [';'] = true,
};

/* "(This file must be converted with BinHex 4.0)": libclamav takes any line for it that is 90 %
 * like it, so one of 38 to 49 letters (message.c messageIsEncoding, simil). */
#define BINHEX_MIN 38u
#define BINHEX_MAX 49u

/* libclamav stops parsing at 262,144 indented lines in a row. */
#define FOLDS_MAX 200000u

void mime_begin(struct mime_parser *parser, const struct mime_sink *sink)
{
    memset(parser, 0, sizeof(*parser));
    parser->sink = *sink;
    mime_entity_begin(parser);
}

static void parser_gate(struct mime_parser *parser, enum mime_gate gate)
{
    if (parser->gate == MIME_GATE_NONE)
        parser->gate = gate;
}

static void parser_give(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    if (length > 0 && parser->state == MIME_STATE_BODY)
        parser->sink.part_bytes(parser->sink.context, bytes, length);
}

/* Gives out the whole lines collected so far, except for the last line end: that is the boundary's
 * when one follows. */
static void parser_flush(struct mime_parser *parser)
{
    if (parser->run_length == 0)
        return;
    if (parser->pending_crlf)
        parser_give(parser, (const uint8_t *)"\r\n", 2);
    parser_give(parser, parser->run, parser->run_length - 2);
    parser->pending_crlf = true;
    parser->run_length = 0;
}

/* Adds a whole line to the run. */
static void parser_collect(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (parser->run_length == 0)
        parser->run = line;
    parser->run_length += length;
}

/* The epilogue of a multipart that has text is a part to libclamav: one without a header. */
static void parser_part_begin(struct mime_parser *parser, bool epilogue)
{
    struct mime_entity *entity = &parser->entity;
    struct mime_part part = {0};

    if (parser->part_count == MIME_PARTS_MAX) {
        parser_gate(parser, MIME_GATE_PARTS);
        return;
    }
    if (epilogue) {
        mime_entity_begin(parser);
        parser->root = false;
    }
    part.number = parser->part_count++;
    part.depth = parser->depth;
    part.media = entity->media;
    part.encoding = entity->encoding;
    part.attachment = entity->attachment;
    part.related = parser->root;
    part.type = entity->type;
    part.name = entity->file_name_length > 0 ? entity->file_name : entity->type_name;
    part.name_length =
        entity->file_name_length > 0 ? entity->file_name_length : entity->type_name_length;
    parser->state = MIME_STATE_BODY;
    parser->sink.part_begin(parser->sink.context, &part);
}

static void parser_part_end(struct mime_parser *parser)
{
    parser_flush(parser);
    parser->pending_crlf = false;
    if (parser->state == MIME_STATE_BODY && parser->gate == MIME_GATE_NONE)
        parser->sink.part_end(parser->sink.context);
}

/* What the innermost multipart must know of a child whose header is complete. */
static void parser_child(struct mime_parser *parser)
{
    struct mime_multipart *multipart = &parser->multiparts[parser->depth - 1];
    const struct mime_entity *entity = &parser->entity;
    bool text = strncmp(entity->type, "text/", 5) == 0;

    if (multipart->child_count == 0)
        multipart->multipart_first = entity->multipart;
    multipart->child_count++;
    multipart->multipart_seen |= entity->multipart;
    parser->root = text && multipart->kind == MIME_MULTIPART_RELATED && !multipart->html_seen;
    if (text) {
        multipart->text_seen = true;
        multipart->text_last_plain = entity->media == MIME_MEDIA_TEXT_PLAIN;
        multipart->html_seen |= entity->media == MIME_MEDIA_TEXT_HTML;
    }
    /* Of a signed message libclamav reads one part only. */
    if (multipart->kind == MIME_MULTIPART_SIGNED && multipart->child_count == 2 &&
        strcmp(entity->type, "application/pgp-signature") != 0 &&
        strcmp(entity->type, "application/pkcs7-signature") != 0 &&
        strcmp(entity->type, "application/x-pkcs7-signature") != 0)
        parser_gate(parser, MIME_GATE_SIGNED);
}

static void parser_header_end(struct mime_parser *parser)
{
    const struct mime_entity *entity = &parser->entity;

    /* libclamav drops a text part with a disposition that it does not know. */
    if (entity->other_disposition)
        parser_gate(parser, MIME_GATE_DISPOSITION);
    parser->root = false;
    if (parser->depth > 0)
        parser_child(parser);
    if (parser->gate != MIME_GATE_NONE)
        return;
    parser->first_line = true;
    parser->options_only = false;
    parser->pending_crlf = false;
    if (entity->multipart) {
        mime_multipart_push(parser);
        parser->state = MIME_STATE_PREAMBLE;
    } else {
        parser_part_begin(parser, false);
    }
}

/* The first line of a body that is not empty can still be taken for a header. */
static void parser_first_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    static const char *const top[] = {"message-id: ", "date: "};
    static const char *const part[] = {"content", "filename="};
    bool nested = parser->depth > (parser->state == MIME_STATE_PREAMBLE ? 1u : 0u);

    if (parser->part_count <= 1)
        for (size_t i = 0; i < 2; i++)
            if (mime_starts(line, length, top[i]))
                parser_gate(parser, MIME_GATE_LATE_HEADER);
    if (nested)
        for (size_t i = 0; i < 2; i++)
            if (mime_starts(line, length, part[i]))
                parser_gate(parser, MIME_GATE_LATE_HEADER);
    if (nested && mime_contains(line, length, "base64"))
        parser_gate(parser, MIME_GATE_LATE_HEADER);
    parser->first_line = false;
}

/* Lines of white space and semicolons: libclamav drops the second of two (mbox.c
 * doContinueMultipleEmptyOptions). White space vanishes in the squeezed text, a semicolon does not.
 */
static bool parser_options_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    bool semicolon = false;

    for (size_t i = 0; i < length; i++) {
        if (!mime_is_blank(line[i]) && line[i] != ';')
            return false;
        semicolon |= line[i] == ';';
    }
    if (parser->options_only && semicolon)
        parser_gate(parser, MIME_GATE_EMPTY_OPTIONS);
    return true;
}

static void parser_watched_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    switch (line[0]) {
    case 'b':
    case 'B':
        if (mime_starts(line, length, "begin ") && length > 6 && line[6] >= '0' && line[6] <= '9')
            parser_gate(parser, MIME_GATE_EMBEDDED_FILE);
        break;
    case '=':
        if (mime_starts(line, length, "=ybegin"))
            parser_gate(parser, MIME_GATE_EMBEDDED_FILE);
        break;
    case 'c':
    case 'C':
        if (mime_starts(line, length, "content-t"))
            parser_gate(parser, MIME_GATE_EMBEDDED_HEADER);
        break;
    default:
        break;
    }
}

static void parser_opens(struct mime_parser *parser, unsigned level)
{
    parser_part_end(parser);
    mime_multipart_pop(parser, level + 1);
    if (parser->multiparts[level].closed)
        parser_gate(parser, MIME_GATE_BOUNDARY_CLOSED);
    if (parser->gate == MIME_GATE_NONE)
        mime_entity_begin(parser);
}

static void parser_closes(struct mime_parser *parser, unsigned level)
{
    struct mime_multipart *multipart = &parser->multiparts[level];

    parser_part_end(parser);
    mime_multipart_pop(parser, level + 1);
    if (multipart->closed)
        parser_gate(parser, MIME_GATE_BOUNDARY_CLOSED);
    else if (multipart->child_count == 0)
        parser_gate(parser, MIME_GATE_MULTIPART_EMPTY);
    multipart->closed = true;
    parser->state = MIME_STATE_EPILOGUE;
    parser->first_line = false;
}

/* A body line without its line end. Returns true when it was a boundary. */
static bool parser_body_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    unsigned level = 0;

    if (length == 0)
        return false;
    if (parser->depth > 0 && (line[0] == '-' || line[0] == '(')) {
        switch (mime_boundary_line(parser, line, length, &level)) {
        case MIME_LINE_OPENS:
            parser_opens(parser, level);
            return true;
        case MIME_LINE_CLOSES:
            parser_closes(parser, level);
            return true;
        case MIME_LINE_DOUBTFUL:
            parser_gate(parser, MIME_GATE_BOUNDARY_LINE);
            return true;
        case MIME_LINE_ORDINARY:
            break;
        }
    }
    if (parser->first_line)
        parser_first_line(parser, line, length);
    parser_watched_line(parser, line, length);
    if (length >= BINHEX_MIN &&
        (length <= BINHEX_MAX || line[BINHEX_MAX] <= ' ' || line[BINHEX_MAX] >= 0x7f) &&
        mime_contains(line, length, "BinHex"))
        parser_gate(parser, MIME_GATE_EMBEDDED_FILE);
    parser->options_only = parser_options_line(parser, line, length);
    parser->folds = mime_is_blank(line[0]) ? parser->folds + 1 : 0;
    if (parser->folds > FOLDS_MAX)
        parser_gate(parser, MIME_GATE_FOLDS);
    if (parser->state == MIME_STATE_EPILOGUE && parser->gate == MIME_GATE_NONE)
        parser_part_begin(parser, true);
    return false;
}

/* The line's text: what is before its CRLF. Gates what is no line. */
static bool parser_line_text(struct mime_parser *parser, const uint8_t *line, size_t *length)
{
    if (*length > MIME_LINE_MAX + 1) {
        parser_gate(parser, MIME_GATE_LONG_LINE);
        return false;
    }
    if (*length == 0 || line[*length - 1] != '\r' || memchr(line, '\r', *length - 1) != NULL) {
        parser_gate(parser, MIME_GATE_BARE_CR);
        return false;
    }
    (*length)--;
    return true;
}

/* A whole line, in place or held. Returns true when it belongs to a part's body. */
static bool parser_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (!parser_line_text(parser, line, &length))
        return false;
    if (parser->state != MIME_STATE_HEADER)
        return !parser_body_line(parser, line, length) && parser->gate == MIME_GATE_NONE &&
               parser->state == MIME_STATE_BODY;
    if (parser->header_length == 0 && parser->depth == 0 &&
        (length < 10 || memcmp(line, "Received: ", 10) != 0))
        parser_gate(parser, MIME_GATE_NO_RECEIVED);
    else if (mime_header_line(parser, line, length) && parser->gate == MIME_GATE_NONE)
        parser_header_end(parser);
    return false;
}

/* Keeps the start of a line that goes on in the next piece. */
static void parser_hold(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    if (length > MIME_LINE_MAX + 1 - parser->held_length) {
        parser_gate(parser, MIME_GATE_LONG_LINE);
        return;
    }
    memcpy(parser->held + parser->held_length, bytes, length);
    parser->held_length += length;
}

/* The rest of a held line. */
static size_t parser_held_line(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    const uint8_t *end = memchr(bytes, '\n', length);
    size_t taken = end != NULL ? (size_t)(end - bytes) : length;

    parser_hold(parser, bytes, taken);
    if (end == NULL || parser->gate != MIME_GATE_NONE)
        return length;
    taken++;
    length = parser->held_length;
    parser->held_length = 0;
    if (parser_line(parser, parser->held, length)) {
        parser->held[length] = '\n';
        parser_collect(parser, parser->held, length + 1);
        parser_flush(parser);
    }
    return taken;
}

/* Whether a line of a body, with its CR, passes unseen: most do. */
static bool parser_passes(const struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (parser->first_line || parser->state == MIME_STATE_EPILOGUE ||
        parser->state == MIME_STATE_HEADER || parser_watched[line[0]] || length < 2 ||
        length > MIME_LINE_MAX + 1)
        return false;
    return length <= BINHEX_MIN ||
           (length > BINHEX_MAX + 1 && line[BINHEX_MAX] > ' ' && line[BINHEX_MAX] < 0x7f);
}

static void parser_pass(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (memchr(line, '\r', length) != line + length - 1)
        parser_gate(parser, MIME_GATE_BARE_CR);
    parser->options_only = false;
    parser->folds = 0;
}

static void parser_lines(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    size_t at = 0;

    while (at < length && parser->gate == MIME_GATE_NONE) {
        const uint8_t *line = bytes + at;
        const uint8_t *end = memchr(line, '\n', length - at);
        size_t line_length;

        if (end == NULL) {
            parser_flush(parser);
            parser_hold(parser, line, length - at);
            return;
        }
        line_length = (size_t)(end - line);
        at += line_length + 1;
        if (parser_passes(parser, line, line_length)) {
            parser_pass(parser, line, line_length);
            if (parser->state == MIME_STATE_BODY)
                parser_collect(parser, line, line_length + 1);
        } else if (parser_line(parser, line, line_length)) {
            parser_collect(parser, line, line_length + 1);
        }
    }
    if (parser->gate == MIME_GATE_NONE)
        parser_flush(parser);
}

void mime_feed(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    const uint8_t *nul;
    size_t taken = 0;

    if (length == 0 || parser->gate != MIME_GATE_NONE)
        return;
    nul = memchr(bytes, 0, length);
    if (nul != NULL)
        length = (size_t)(nul - bytes);
    if (parser->held_length > 0 && length > 0)
        taken = parser_held_line(parser, bytes, length);
    if (parser->gate == MIME_GATE_NONE && taken < length)
        parser_lines(parser, bytes + taken, length - taken);
    if (nul != NULL)
        parser_gate(parser, MIME_GATE_NUL);
}

void mime_end(struct mime_parser *parser)
{
    if (parser->gate != MIME_GATE_NONE)
        return;
    if (parser->held_length > 0)
        parser_gate(parser, MIME_GATE_BARE_CR);
    else if (parser->state == MIME_STATE_HEADER)
        parser_gate(parser, MIME_GATE_HEADER_ENDS);
    else if (parser->state == MIME_STATE_PREAMBLE)
        parser_gate(parser, MIME_GATE_MULTIPART_EMPTY);
    if (parser->depth == 0 && parser->pending_crlf)
        parser_give(parser, (const uint8_t *)"\r\n", 2);
    mime_multipart_pop(parser, 0);
    parser_part_end(parser);
}

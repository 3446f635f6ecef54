#include <string.h>

#include "signatures/content/hint/hint.h"
#include "signatures/content/mime/parts.h"
#include "signatures/content/mime/start.h"

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
#define FOLDS_MAX 190000u

/* How far into a message inside the message libclamav looks for lines that make it one. */
#define MESSAGE_LOOK 1024u

#define PARSER_CHOP 999u  /* where libclamav cuts a line */
#define PARSER_LOOK 1000u /* bytes without a line feed that show a line to be longer */

void mime_begin(struct mime_parser *parser, const struct mime_sink *sink)
{
    memset(parser, 0, sizeof(*parser));
    parser->sink = *sink;
    mime_entity_begin(parser);
}

static void parser_gate(struct mime_parser *parser, enum mime_gate gate)
{
    mime_doubt(parser, gate);
}

/* For what libclamav takes for something else: in base64 it cuts the part in two. */
static void parser_gate_line(struct mime_parser *parser, enum mime_gate gate)
{
    if (parser->state == MIME_STATE_BODY && parser->entity.encoding == MIME_ENCODING_BASE64)
        mime_doubt(parser, MIME_GATE_BASE64_LINE);
    else
        mime_doubt(parser, gate);
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

    if (parser->part_count >= MIME_PARTS_MAX)
        parser_gate(parser, MIME_GATE_PARTS);
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
    part.unnamed = parser->depth > 0 && part.name_length == 0 && !entity->has_disposition &&
                   !parser->root &&
                   parser->multiparts[parser->depth - 1].kind != MIME_MULTIPART_SIGNED;
    parser->state = MIME_STATE_BODY;
    parser->sink.part_begin(parser->sink.context, &part);
}

static void parser_part_end(struct mime_parser *parser)
{
    parser_flush(parser);
    parser->pending_crlf = false;
    if (parser->state == MIME_STATE_BODY && !parser->stopped)
        parser->sink.part_end(parser->sink.context);
}

/* What the innermost multipart must know of a child whose header is complete. */
static void parser_child(struct mime_parser *parser)
{
    struct mime_multipart *multipart = &parser->multiparts[parser->depth - 1];
    const struct mime_entity *entity = &parser->entity;
    bool text = memcmp(entity->type, "text/", 5) == 0;

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
        !mime_is(entity->type, "application/pgp-signature") &&
        !mime_is(entity->type, "application/pkcs7-signature") &&
        !mime_is(entity->type, "application/x-pkcs7-signature"))
        parser_gate(parser, MIME_GATE_SIGNED);
}

/* Whether libclamav passes over a message/... part. */
static bool parser_message_passes(const struct mime_parser *parser)
{
    const struct mime_entity *entity = &parser->entity;

    return parser->depth > 0 &&
           parser->multiparts[parser->depth - 1].kind == MIME_MULTIPART_MIXED &&
           entity->encoding != MIME_ENCODING_QUOTED_PRINTABLE &&
           entity->encoding != MIME_ENCODING_BASE64 && !mime_is(entity->type, "message/partial") &&
           !mime_is(entity->type, "message/external-body");
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
    if (parser->stopped)
        return;
    parser->first_line = true;
    parser->options_only = false;
    parser->pending_crlf = false;
    if (entity->multipart) {
        mime_multipart_push(parser);
        parser->state = MIME_STATE_PREAMBLE;
    } else if (entity->message) {
        parser->state = MIME_STATE_MESSAGE;
        parser->unseen = true;
        parser->known_message = false;
        parser->message_length = 0;
        if (!parser_message_passes(parser))
            parser_gate(parser, MIME_GATE_MESSAGE);
    } else {
        parser_part_begin(parser, false);
    }
}

/* The first line of a body that is not empty can still be taken for a header: the message's by
 * mbox.c newline_in_header(), a part's by parseEmailBody(). */
static void parser_first_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    const struct mime_entity *entity = &parser->entity;
    bool top = parser->depth == (parser->state == MIME_STATE_PREAMBLE ? 1u : 0u);

    parser->first_line = false;
    if (top) {
        if (mime_starts(line, length, "message-id: ") || mime_starts(line, length, "date: "))
            parser_gate_line(parser, MIME_GATE_LATE_HEADER);
        return;
    }
    if (mime_starts(line, length, "content") || mime_starts(line, length, "filename="))
        parser_gate_line(parser, MIME_GATE_LATE_HEADER);
    if ((entity->encoding == MIME_ENCODING_NONE || entity->encoding == MIME_ENCODING_7BIT) &&
        (entity->media == MIME_MEDIA_APPLICATION || entity->media == MIME_MEDIA_OTHER ||
         entity->type[0] == '\0') &&
        mime_contains(line, length, "base64"))
        parser_gate(parser, MIME_GATE_LATE_HEADER);
}

/* What a message inside the message must start with for libclamav to know it by its type tables
 * (where they are its own), or have a line of early. */
static bool parser_message_known(const struct mime_parser *parser, const uint8_t *line,
                                 size_t length)
{
    static const char *const starts[] = {">From ",
                                         "Date: ",
                                         "Delivered-To: ",
                                         "Delivery-date: ",
                                         "Envelope-to: ",
                                         "For: ",
                                         "From ",
                                         "From: ",
                                         "Message-ID: ",
                                         "Message-Id: ",
                                         "Received: ",
                                         "Return-Path: ",
                                         "Return-path: ",
                                         "Subject: ",
                                         "To: ",
                                         "X-EVS",
                                         "X-Original-To: ",
                                         "X-Real-To: ",
                                         "X-Apparently-To: ",
                                         "X-Sieve: ",
                                         "X-UIDL: ",
                                         "X-Symantec-",
                                         "X-Envelope-From: ",
                                         "Received-SPF: "};
    static const char *const lines[] = {"from: ", "mime-version: ", "message-id: ", "received: "};

    if (parser->message_length == 0)
        for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
            if (mime_starts(line, length, starts[i]) &&
                memcmp(line, starts[i], strlen(starts[i])) == 0)
                return true;
    if (parser->message_length < MESSAGE_LOOK)
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
            if (mime_starts(line, length, lines[i]))
                return true;
    return false;
}

/* A message inside the message. libclamav parses it when it finds a transfer encoding in it and
 * knows it for a message, and else passes over it (mbox.c do_multipart): the message as a whole is
 * searched anyway. A line with "7bit" it does not count as an encoding, whatever else is in it. */
static void parser_message_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    static const char field[] = "content-transfer-encoding";
    size_t at = sizeof(field) - 1;

    parser->known_message = parser->known_message || parser_message_known(parser, line, length);
    parser->message_length += length + 2;
    if (!mime_starts(line, length, field))
        return;
    while (at < length && (line[at] == ':' || mime_is_blank(line[at])))
        at++;
    while (at < length && mime_is_blank(line[length - 1]))
        length--;
    if (length - at == 4 && memcmp(line + at, "7bit", 4) == 0)
        return;
    parser_gate(parser, parser->known_message && !mime_contains(line, length, "7bit")
                            ? MIME_GATE_MESSAGE
                            : MIME_GATE_MESSAGE_HIDDEN);
}

/* Whether a line starts one of the bounced messages for which libclamav searches a text that is the
 * whole message: those with a type other than plain text (mbox.c parseEmailBody()). */
static bool parser_bounces(const uint8_t *line, size_t length)
{
    return mime_starts(line, length, "content-type:") &&
           !mime_contains(line, length, "multipart/") &&
           !mime_contains(line, length, "message/rfc822") &&
           !mime_contains(line, length, "text/plain");
}

/* A MIME field in a body. libclamav remembers the first transfer encoding (message.c
 * messageIsEncoding()), and looks for it before the first part, and in what is no part of a
 * multipart/mixed or the like. */
static void parser_field_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    bool mixed =
        parser->depth > 0 && parser->multiparts[parser->depth - 1].kind == MIME_MULTIPART_MIXED;
    bool encoding = mime_starts(line, length, "content-transfer-encoding") &&
                    !mime_contains(line, length, "7bit");

    if (parser->state == MIME_STATE_MESSAGE || (parser->state == MIME_STATE_BODY && mixed))
        return;
    if (encoding || (parser->state == MIME_STATE_BODY &&
                     parser->entity.media == MIME_MEDIA_TEXT_PLAIN && parser_bounces(line, length)))
        mime_doubt(parser, MIME_GATE_EMBEDDED_HEADER);
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
        parser_gate_line(parser, MIME_GATE_EMPTY_OPTIONS);
    return true;
}

static void parser_watched_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    switch (line[0]) {
    case '-':
        if (hint_line(line, length))
            parser_gate_line(parser, MIME_GATE_EMBEDDED_ARMOR);
        break;
    case 'b':
    case 'B':
        if (mime_starts(line, length, "begin ") && length > 6 && line[6] >= '0' && line[6] <= '9')
            parser_gate_line(parser, MIME_GATE_EMBEDDED_FILE);
        break;
    case '=':
        if (mime_starts(line, length, "=ybegin"))
            parser_gate_line(parser, MIME_GATE_EMBEDDED_FILE);
        break;
    case 'c':
    case 'C':
        if (mime_starts(line, length, "content-t"))
            parser_field_line(parser, line, length);
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
    if (!parser->stopped)
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

/* Whether "BinHex" is in the line; an x is rare. */
static bool parser_binhex(const uint8_t *line, size_t length)
{
    const uint8_t *end = line + length;
    const uint8_t *at = line;

    while ((at = memchr(at, 'x', (size_t)(end - at))) != NULL) {
        if (at - line >= 5 && memcmp(at - 5, "BinHe", 5) == 0)
            return true;
        at++;
    }
    return false;
}

/* A body line without its line end. Returns true when it was a boundary. */
static bool parser_body_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    unsigned level = 0;

    if (length == 0)
        return false;
    if (parser->depth > 0 && (line[0] == '-' || line[0] == '(')) {
        enum mime_line_kind kind = mime_boundary_line(parser, line, length, &level);

        if (parser->chopped && kind != MIME_LINE_ORDINARY)
            kind = MIME_LINE_DOUBTFUL;
        switch (kind) {
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
    if (parser->state == MIME_STATE_MESSAGE)
        parser_message_line(parser, line, length);
    if (length >= BINHEX_MIN &&
        (length <= BINHEX_MAX || line[BINHEX_MAX] <= ' ' || line[BINHEX_MAX] >= 0x7f) &&
        parser_binhex(line, length))
        parser_gate_line(parser, MIME_GATE_EMBEDDED_FILE);
    parser->options_only = parser_options_line(parser, line, length);
    parser->folds = mime_is_blank(line[0]) ? parser->folds + 1 : 0;
    if (parser->folds > FOLDS_MAX)
        mime_doubt(parser, MIME_GATE_FOLDS);
    if (parser->state == MIME_STATE_EPILOGUE && !parser->stopped)
        parser_part_begin(parser, true);
    return false;
}

/* The line's text: what is before its CRLF. Gates what is no line. */
static bool parser_line_text(struct mime_parser *parser, const uint8_t *line, size_t *length)
{
    if (*length == 0 || memchr(line, '\r', *length) != line + *length - 1) {
        mime_stop(parser, MIME_GATE_BARE_CR);
        return false;
    }
    (*length)--;
    return true;
}

/* The first line of all is our own field's. */
static void parser_header_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (parser->header_length == 0 && parser->depth == 0 &&
        (length < MIME_START_BYTES || memcmp(line, MIME_START, MIME_START_BYTES) != 0))
        parser_gate(parser, MIME_GATE_NO_RECEIVED);
    if (parser->chopped)
        mime_header_more(parser, line, length);
    else if (mime_header_line(parser, line, length) && !parser->stopped)
        parser_header_end(parser);
}

/* A whole line, in place or held. Returns true when it belongs to a part's body. */
static bool parser_line(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (!parser_line_text(parser, line, &length))
        return false;
    if (parser->state != MIME_STATE_HEADER)
        return !parser_body_line(parser, line, length) && !parser->stopped &&
               parser->state == MIME_STATE_BODY;
    parser_header_line(parser, line, length);
    return false;
}

/* The first PARSER_CHOP bytes of a line that is longer than MIME_LINE_MAX: libclamav takes them for
 * a line (mbox.c getline_from_mbox()), and so do we: the sink gets a line end there. */
static void parser_chop(struct mime_parser *parser, const uint8_t *line)
{
    if (memchr(line, '\r', PARSER_CHOP) != NULL) {
        mime_stop(parser, MIME_GATE_BARE_CR);
    } else if (parser->state == MIME_STATE_HEADER) {
        parser_gate(parser, MIME_GATE_LONG_LINE);
        parser_header_line(parser, line, PARSER_CHOP);
    } else if (!parser_body_line(parser, line, PARSER_CHOP) && !parser->stopped) {
        parser_flush(parser);
        if (parser->state == MIME_STATE_BODY) {
            if (parser->pending_crlf)
                parser_give(parser, (const uint8_t *)"\r\n", 2);
            parser_give(parser, line, PARSER_CHOP);
            parser->pending_crlf = true;
        }
    } else {
        /* No boundary is as long as this. */
        parser_gate(parser, MIME_GATE_BOUNDARY_LINE);
    }
    parser->chopped = true;
}

/* Goes on with a held line. Returns the bytes taken. */
static size_t parser_held_line(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    size_t room = PARSER_LOOK - parser->held_length;
    size_t look = length < room ? length : room;
    const uint8_t *end = memchr(bytes, '\n', look);
    size_t taken = end != NULL ? (size_t)(end - bytes) : look;

    memcpy(parser->held + parser->held_length, bytes, taken);
    parser->held_length += taken;
    if (end != NULL) {
        size_t held = parser->held_length;

        parser->held_length = 0;
        if (parser_line(parser, parser->held, held)) {
            parser->held[held] = '\n';
            parser_collect(parser, parser->held, held + 1);
            parser_flush(parser);
        }
        parser->chopped = false;
        return taken + 1;
    }
    if (parser->held_length == PARSER_LOOK) {
        parser_chop(parser, parser->held);
        parser->held_length = PARSER_LOOK - PARSER_CHOP;
        parser->held[0] = parser->held[PARSER_CHOP];
    }
    return taken;
}

/* Whether a line of a body, with its CR, needs no more than to be a line: most are like that. */
static bool parser_passes(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    const uint8_t *shown = line;

    if (parser->first_line || parser->chopped || parser->state == MIME_STATE_EPILOGUE ||
        parser->state == MIME_STATE_HEADER || parser->state == MIME_STATE_MESSAGE || length < 2 ||
        length > MIME_LINE_MAX + 1)
        return false;
    if (mime_is_blank(line[0])) {
        while (mime_is_blank(*shown))
            shown++;
        if (*shown == ';' || *shown == '\r' || parser->folds >= FOLDS_MAX)
            return false;
        parser->folds++;
    } else if (parser_watched[line[0]]) {
        return false;
    } else {
        parser->folds = 0;
    }
    if (length > BINHEX_MIN &&
        (length <= BINHEX_MAX + 1 || line[BINHEX_MAX] <= ' ' || line[BINHEX_MAX] >= 0x7f))
        return !parser_binhex(line, length);
    return true;
}

static void parser_pass(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    if (memchr(line, '\r', length) != line + length - 1)
        mime_stop(parser, MIME_GATE_BARE_CR);
    parser->options_only = false;
}

/* One line at `line`; returns the bytes taken. */
static size_t parser_next(struct mime_parser *parser, const uint8_t *line, size_t length)
{
    const uint8_t *end = memchr(line, '\n', length < PARSER_LOOK ? length : PARSER_LOOK);
    size_t line_length;

    if (end == NULL && length >= PARSER_LOOK) {
        parser_chop(parser, line);
        return PARSER_CHOP;
    }
    if (end == NULL) {
        parser_flush(parser);
        memcpy(parser->held, line, length);
        parser->held_length = length;
        return length;
    }
    line_length = (size_t)(end - line);
    if (parser_passes(parser, line, line_length)) {
        parser_pass(parser, line, line_length);
        if (parser->state == MIME_STATE_BODY)
            parser_collect(parser, line, line_length + 1);
    } else if (parser_line(parser, line, line_length)) {
        parser_collect(parser, line, line_length + 1);
    }
    parser->chopped = false;
    return line_length + 1;
}

void mime_feed(struct mime_parser *parser, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;

    if (length == 0 || parser->stopped)
        return;
    parser->nul = parser->nul || memchr(bytes, 0, length) != NULL;
    while (taken < length && !parser->stopped)
        taken += parser->held_length > 0 ? parser_held_line(parser, bytes + taken, length - taken)
                                         : parser_next(parser, bytes + taken, length - taken);
    if (!parser->stopped)
        parser_flush(parser);
}

void mime_end(struct mime_parser *parser)
{
    if (parser->stopped)
        return;
    /* Only now: what was a doubt before it does not depend on how the bytes arrive. */
    if (parser->nul)
        parser_gate(parser, MIME_GATE_NUL);
    if (parser->held_length > 0)
        mime_stop(parser, MIME_GATE_BARE_CR);
    else if (parser->state == MIME_STATE_HEADER)
        parser_gate(parser, MIME_GATE_HEADER_ENDS);
    if (parser->depth == 0 && parser->pending_crlf)
        parser_give(parser, (const uint8_t *)"\r\n", 2);
    mime_multipart_pop(parser, 0);
    parser_part_end(parser);
}

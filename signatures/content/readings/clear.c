#include "signatures/content/readings/clear.h"

#include <stdlib.h>
#include <string.h>

#include "signatures/content/decode/decode.h"
#include "signatures/content/mime/text.h"
#include "signatures/content/open/open.h"
#include "signatures/content/readings/internal.h"

struct clear {
    struct mime_parser parser;
    struct decoder decoder;
    enum decode_gate gate; /* of the first part that has one */
    bool mail;             /* a part is one */
    bool closed;           /* there is something that the engine does not open */
    char name[OPEN_NAME_MAX + 1];
    uint8_t *part; /* what has been decoded of it */
    size_t part_length;
    size_t part_room;
    uint8_t decoded[DECODE_ROOM];
};

/* What comes out is for others to look at: it is enough that there is something. */
static bool clear_enough(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    (void)length;
    return false;
}

static bool clear_enough_named(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    (void)name;
    return clear_enough(context, bytes, length);
}

static bool clear_closed(const uint8_t *bytes, size_t length, const char *name)
{
    const struct open_sink sink = {NULL, clear_enough, clear_enough_named};
    struct open_finding finding;
    struct opener opener;

    open_begin(&opener, &OPEN_LIMITS_DEFAULT);
    return open_content(&opener, &sink, bytes, length, name, 0, &finding) != OPEN_NOTHING;
}

/* A mail, in which there may be parts: the engine reads it one way, others read it another way. */
static bool clear_is_mail(struct piece part)
{
    size_t name = 0;

    while (name < part.length && mime_is_token(part.at[name]))
        name++;
    return name > 0 && name < part.length && part.at[name] == ':' &&
           text_find(part, part.at, "content-t") < part.at + part.length;
}

/* Keeps what was decoded; there is room for all of the message. */
static void clear_keep(struct clear *clear, size_t length)
{
    if (length > clear->part_room - clear->part_length)
        length = clear->part_room - clear->part_length;
    memcpy(clear->part + clear->part_length, clear->decoded, length);
    clear->part_length += length;
}

static void clear_note(struct clear *clear)
{
    if (clear->gate == DECODE_GATE_NONE)
        clear->gate = clear->decoder.gate;
}

static void clear_part_begin(void *context, const struct mime_part *part)
{
    struct clear *clear = context;
    size_t length = part->name_length < OPEN_NAME_MAX ? part->name_length : OPEN_NAME_MAX;

    if (length > 0)
        memcpy(clear->name, part->name, length);
    clear->name[length] = '\0';
    clear->part_length = 0;
    decode_begin(&clear->decoder, part);
    clear_note(clear);
}

static void clear_part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct clear *clear = context;

    while (length > 0) {
        size_t piece = length < DECODE_PIECE_MAX ? length : DECODE_PIECE_MAX;

        clear_keep(clear, decode_feed(&clear->decoder, bytes, piece, clear->decoded));
        bytes += piece;
        length -= piece;
    }
    clear_note(clear);
}

static void clear_part_end(void *context)
{
    struct clear *clear = context;

    clear_keep(clear, decode_end(&clear->decoder, clear->decoded));
    clear_note(clear);
    clear->mail = clear->mail || clear_is_mail((struct piece){clear->part, clear->part_length});
    clear->closed = clear->closed || clear_closed(clear->part, clear->part_length, clear->name);
}

static const char *clear_form(const struct clear *clear)
{
    if (clear->parser.gate != MIME_GATE_NONE)
        return mime_gate_text(clear->parser.gate);
    if (clear->gate != DECODE_GATE_NONE)
        return decode_gate_text(clear->gate);
    return clear->parser.unseen ? mime_gate_text(MIME_GATE_MESSAGE) : NULL;
}

static const char *clear_look(struct clear *clear, const uint8_t *message, size_t length, bool seen)
{
    const struct mime_sink sink = {clear, clear_part_begin, clear_part_bytes, clear_part_end};
    const char *doubt;

    mime_begin(&clear->parser, &sink);
    mime_feed(&clear->parser, message, length);
    mime_end(&clear->parser);
    doubt = seen ? NULL : clear_form(clear);
    if (doubt == NULL && clear->mail)
        doubt = mime_gate_text(MIME_GATE_MESSAGE);
    if (doubt == NULL && (clear->closed || clear_closed(message, length, "")))
        doubt = "content that the engine does not open";
    return doubt;
}

const char *clear_doubt(const uint8_t *message, size_t length, bool seen)
{
    struct clear *clear = calloc(1, sizeof(*clear));
    const char *doubt;

    if (clear != NULL) {
        clear->part_room = length + DECODE_ROOM;
        clear->part = malloc(clear->part_room);
    }
    if (clear == NULL || clear->part == NULL)
        doubt = "not looked at for want of memory";
    else
        doubt = clear_look(clear, message, length, seen);
    if (clear != NULL)
        free(clear->part);
    free(clear);
    return doubt;
}

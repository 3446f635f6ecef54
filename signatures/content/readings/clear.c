#include "signatures/content/readings/clear.h"

#include <stdlib.h>

#include "signatures/content/decode/decode.h"

struct clear {
    struct mime_parser parser;
    struct decoder decoder;
    enum decode_gate gate; /* of the first part that has one */
    uint8_t decoded[DECODE_ROOM];
};

static void clear_note(struct clear *clear)
{
    if (clear->gate == DECODE_GATE_NONE)
        clear->gate = clear->decoder.gate;
}

static void clear_part_begin(void *context, const struct mime_part *part)
{
    struct clear *clear = context;

    decode_begin(&clear->decoder, part);
    clear_note(clear);
}

static void clear_part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct clear *clear = context;

    while (length > 0) {
        size_t piece = length < DECODE_PIECE_MAX ? length : DECODE_PIECE_MAX;

        (void)decode_feed(&clear->decoder, bytes, piece, clear->decoded);
        bytes += piece;
        length -= piece;
    }
    clear_note(clear);
}

static void clear_part_end(void *context)
{
    struct clear *clear = context;

    (void)decode_end(&clear->decoder, clear->decoded);
    clear_note(clear);
}

static const char *clear_look(struct clear *clear, const uint8_t *message, size_t length)
{
    const struct mime_sink sink = {clear, clear_part_begin, clear_part_bytes, clear_part_end};

    mime_begin(&clear->parser, &sink);
    mime_feed(&clear->parser, message, length);
    mime_end(&clear->parser);
    if (clear->parser.gate != MIME_GATE_NONE)
        return mime_gate_text(clear->parser.gate);
    if (clear->gate != DECODE_GATE_NONE)
        return decode_gate_text(clear->gate);
    return clear->parser.unseen ? mime_gate_text(MIME_GATE_MESSAGE) : NULL;
}

const char *clear_doubt(const uint8_t *message, size_t length)
{
    struct clear *clear = calloc(1, sizeof(*clear));
    const char *doubt;

    if (clear == NULL)
        return "not looked at for want of memory";
    doubt = clear_look(clear, message, length);
    free(clear);
    return doubt;
}

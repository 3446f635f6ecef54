/* A message from arbitrary bytes, cut arbitrarily.
 *
 * The first byte chooses the cuts; a Received field goes in front of the rest unless its lowest bit
 * says otherwise. Oracles: no crash; the gate and, when there is none, the parts do not depend on
 * the cuts; parts begin and end in turn and are numbered; names and types are clean; and what is
 * given out as a part's bytes stands in the message, in order, but for line ends put into lines
 * that are too long. The decoders take every part as the prefilter would give it to them.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/decode/decode.h"

#define FUZZ_BYTES_MAX 65536u
#define FUZZ_RECEIVED  "Received: from a by b\r\n"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

/* What a run says, written down. */
struct fuzz_run {
    uint8_t *bytes; /* FUZZ_ROOM */
    size_t length;
    const uint8_t *from; /* the message from behind the last bytes given out */
    const uint8_t *end;
    unsigned parts;
    bool open;
    enum mime_gate gate;
    struct decoder decoder;
};

#define FUZZ_ROOM (FUZZ_BYTES_MAX * 2 + MIME_PARTS_MAX * 1024)

static void fuzz_put(struct fuzz_run *run, const void *bytes, size_t length)
{
    CHECK(run->length + length <= FUZZ_ROOM);
    memcpy(run->bytes + run->length, bytes, length);
    run->length += length;
}

static void fuzz_begin(void *context, const struct mime_part *part)
{
    struct fuzz_run *run = context;
    uint8_t line[] = {'\n',
                      (uint8_t)part->media,
                      (uint8_t)part->encoding,
                      (uint8_t)part->attachment,
                      (uint8_t)part->related,
                      (uint8_t)part->depth};

    CHECK(!run->open && part->number == run->parts && part->depth <= MIME_DEPTH_ROOM);
    CHECK(part->name_length <= MIME_NAME_MAX);
    for (size_t i = 0; i < part->name_length; i++)
        CHECK(part->name[i] >= ' ' && part->name[i] != '"' && part->name[i] != 0x7f);
    for (const char *at = part->type; *at != '\0'; at++)
        CHECK(*at > ' ' && *at <= '~' && !(*at >= 'A' && *at <= 'Z'));
    run->open = true;
    run->parts++;
    fuzz_put(run, line, sizeof(line));
    fuzz_put(run, part->type, strlen(part->type));
    fuzz_put(run, part->name, part->name_length);
    decode_begin(&run->decoder, part);
}

/* Goes on in the message to where `byte` stands. */
static void fuzz_find(struct fuzz_run *run, uint8_t byte)
{
    const uint8_t *found = memchr(run->from, byte, (size_t)(run->end - run->from));

    CHECK(found != NULL);
    run->from = found + 1;
}

static void fuzz_bytes(void *context, const uint8_t *bytes, size_t length)
{
    static uint8_t room[DECODE_ROOM];
    struct fuzz_run *run = context;

    CHECK(run->open && length > 0);
    fuzz_put(run, bytes, length);
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\r' && bytes[i] != '\n')
            fuzz_find(run, bytes[i]);
    for (size_t at = 0; at < length; at += DECODE_PIECE_MAX) {
        size_t piece = length - at < DECODE_PIECE_MAX ? length - at : DECODE_PIECE_MAX;

        CHECK(decode_feed(&run->decoder, bytes + at, piece, room) <= sizeof(room));
    }
}

static void fuzz_end(void *context)
{
    static uint8_t room[DECODE_ROOM];
    struct fuzz_run *run = context;

    CHECK(run->open);
    run->open = false;
    fuzz_put(run, "$", 1);
    (void)decode_end(&run->decoder, room);
}

static void fuzz_read(struct fuzz_run *run, const uint8_t *message, size_t length, uint32_t cuts)
{
    static struct mime_parser parser;
    struct mime_sink sink = {run, fuzz_begin, fuzz_bytes, fuzz_end};
    uint8_t *memory = run->bytes;
    size_t at = 0;

    memset(run, 0, sizeof(*run));
    run->bytes = memory;
    run->from = message;
    run->end = message + length;
    mime_begin(&parser, &sink);
    while (at < length) {
        size_t piece = length;

        if (cuts != 0) {
            cuts = cuts * 1664525u + 1013904223u;
            piece = 1 + (cuts >> 8) % (1u << (cuts >> 28));
        }
        if (piece > length - at)
            piece = length - at;
        mime_feed(&parser, message + at, piece);
        at += piece;
    }
    mime_end(&parser);
    run->gate = parser.gate;
    CHECK(parser.gate < MIME_GATE_COUNT && parser.part_count == run->parts);
    CHECK(parser.gate != MIME_GATE_NONE || !run->open);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static uint8_t memory[2][FUZZ_ROOM];
    static struct fuzz_run whole = {.bytes = memory[0]};
    static struct fuzz_run cut = {.bytes = memory[1]};
    size_t front;
    uint8_t *message;

    if (length < 1 || length > FUZZ_BYTES_MAX)
        return 0;
    front = (input[0] & 1) != 0 ? 0 : strlen(FUZZ_RECEIVED);
    message = malloc(front + length);
    CHECK(message != NULL);
    memcpy(message, FUZZ_RECEIVED, front);
    memcpy(message + front, input + 1, length - 1);
    fuzz_read(&whole, message, front + length - 1, 0);
    fuzz_read(&cut, message, front + length - 1, 1u + input[0]);
    CHECK(whole.gate == cut.gate);
    if (whole.gate == MIME_GATE_NONE) {
        CHECK(whole.length == cut.length && whole.parts == cut.parts);
        CHECK(memcmp(whole.bytes, cut.bytes, whole.length) == 0);
    }
    free(message);
    return 0;
}

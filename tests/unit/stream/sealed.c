#include "tests/unit/stream/sealed.h"

#include <string.h>

#include "platform/check.h"

struct sealed {
    bool known;
    bool broken; /* the peer speaks something else */
    bool data;   /* STREAM_EXPECT_DATA */
    uint32_t hello_bytes;
    uint32_t in_at; /* places in the key */
    uint32_t out_at;
    uint32_t header_bytes; /* of the record under way */
    uint32_t left;         /* bytes of it still to come */
    uint32_t blocks[SEALED_BLOCKS_MAX];
    uint32_t block_count;
    uint32_t consumed; /* bytes of blocks[0] */
    uint32_t readable;
};

static struct store *sealed_store(const struct stream *stream)
{
    return ((const struct sealed_kind *)stream->kind)->store;
}

static struct sealed *sealed_of(const struct stream *stream)
{
    return stream_state((struct stream *)stream);
}

uint8_t sealed_key(uint32_t at)
{
    return (uint8_t)(0x5a + at * 13 + (at >> 8));
}

uint32_t sealed_record(uint8_t *record, const void *bytes, uint32_t length, uint32_t *at)
{
    CHECK(length <= SEALED_RECORD_MAX);
    record[0] = (uint8_t)(length >> 8);
    record[1] = (uint8_t)length;
    for (uint32_t i = 0; i < length; i++)
        record[2 + i] = ((const uint8_t *)bytes)[i] ^ sealed_key((*at)++);
    return length + 2;
}

static void sealed_opened(struct stream *stream, int64_t now_ns)
{
    tcp_set_deadline(stream->connection, now_ns + INT64_C(10000000000)); /* for the handshake */
}

/* One byte of plaintext; false when no block is left. */
static bool sealed_keep(struct stream *stream, struct sealed *s, uint8_t byte)
{
    uint32_t end = s->consumed + s->readable;

    if (end == s->block_count * MESSAGE_BLOCK_BYTES) {
        uint32_t block = MESSAGE_BLOCK_NONE;

        if (s->block_count < SEALED_BLOCKS_MAX)
            block = block_take(sealed_store(stream), BLOCK_FOR_DATA);
        if (block == MESSAGE_BLOCK_NONE)
            return false;
        s->blocks[s->block_count++] = block;
    }
    block_bytes(sealed_store(stream),
                s->blocks[end / MESSAGE_BLOCK_BYTES])[end % MESSAGE_BLOCK_BYTES] =
        byte ^ sealed_key(s->in_at++);
    s->readable++;
    return true;
}

/* False when it cannot be taken now. */
static bool sealed_take(struct stream *stream, struct sealed *s, uint8_t byte)
{
    if (s->hello_bytes < SEALED_HELLO_BYTES) {
        s->broken |= byte != (uint8_t)SEALED_HELLO[s->hello_bytes];
        s->hello_bytes++;
        return true;
    }
    if (s->header_bytes < 2) {
        s->left = s->left << 8 | byte;
        s->header_bytes++;
    } else {
        if (!sealed_keep(stream, s, byte))
            return false;
        s->left--;
    }
    if (s->header_bytes == 2 && s->left == 0)
        s->header_bytes = 0;
    return true;
}

static void sealed_read(struct stream *stream, struct sealed *s)
{
    struct block_span span;
    bool room = true;

    while (room && !s->broken && tcp_peek(stream->connection, 0, &span)) {
        uint32_t used = 0;

        while (used < span.length && (room = sealed_take(stream, s, span.bytes[used])))
            used++;
        tcp_consume(stream->connection, used);
    }
}

static void sealed_arrived(struct stream *stream, int64_t now_ns)
{
    const struct stream_application *application = stream_application_of(stream);
    struct sealed *s = sealed_of(stream);
    uint32_t before = s->readable;

    sealed_read(stream, s);
    if (s->broken) {
        tcp_abort(stream->connection);
        return;
    }
    if (!s->known && s->hello_bytes == SEALED_HELLO_BYTES) {
        CHECK(tcp_send(stream->connection, SEALED_HELLO, SEALED_HELLO_BYTES) == STATUS_OK);
        s->known = true;
        application->opened(application->context, stream, now_ns);
    }
    if (s->readable > before)
        application->readable(application->context, stream, now_ns);
}

static void sealed_drained(struct stream *stream, int64_t now_ns)
{
    const struct stream_application *application = stream_application_of(stream);

    if (sealed_of(stream)->known)
        application->writable(application->context, stream, now_ns);
}

static void sealed_finished(struct stream *stream, int64_t now_ns)
{
    const struct stream_application *application = stream_application_of(stream);

    if (sealed_of(stream)->known)
        application->finished(application->context, stream, now_ns);
    else
        tcp_close(stream->connection);
}

static void sealed_expired(struct stream *stream, int64_t now_ns)
{
    const struct stream_application *application = stream_application_of(stream);

    if (sealed_of(stream)->known)
        application->expired(application->context, stream, now_ns);
    else
        tcp_abort(stream->connection);
}

static void sealed_drop(struct stream *stream, struct sealed *s)
{
    while (s->block_count > 0)
        block_give(sealed_store(stream), s->blocks[--s->block_count]);
    s->readable = 0;
    s->consumed = 0;
}

static void sealed_closed(struct stream *stream, int64_t now_ns)
{
    const struct stream_application *application = stream_application_of(stream);
    struct sealed *s = sealed_of(stream);

    if (s->known)
        application->closed(application->context, stream, now_ns);
    sealed_drop(stream, s);
}

static bool sealed_known(const struct stream *stream)
{
    return sealed_of(stream)->known;
}

static uint32_t sealed_readable(const struct stream *stream)
{
    return sealed_of(stream)->readable;
}

static bool sealed_peek(struct stream *stream, uint32_t skip, struct block_span *span)
{
    struct sealed *s = sealed_of(stream);
    uint32_t place = s->consumed + skip;

    if (skip >= s->readable)
        return false;
    span->block = s->blocks[place / MESSAGE_BLOCK_BYTES];
    span->offset = place % MESSAGE_BLOCK_BYTES;
    span->bytes = block_bytes(sealed_store(stream), span->block) + span->offset;
    span->length = MESSAGE_BLOCK_BYTES - span->offset;
    if (span->length > s->readable - skip)
        span->length = s->readable - skip;
    return true;
}

static void sealed_consume(struct stream *stream, uint32_t length)
{
    struct sealed *s = sealed_of(stream);

    CHECK(length <= s->readable);
    s->readable -= length;
    s->consumed += length;
    while (s->consumed >= MESSAGE_BLOCK_BYTES) {
        block_give(sealed_store(stream), s->blocks[0]);
        s->block_count--;
        memmove(s->blocks, s->blocks + 1, s->block_count * sizeof(s->blocks[0]));
        s->consumed -= MESSAGE_BLOCK_BYTES;
    }
    /* An idle stream holds nothing; in data the next bytes go on in the same block, so that a
     * message of many small pieces does not hold a block for each. */
    if (s->readable == 0 && !s->data)
        sealed_drop(stream, s);
}

static bool sealed_expect(struct stream *stream, enum stream_expect expect)
{
    struct sealed *s = sealed_of(stream);

    if (!tcp_expect(stream->connection, (enum tcp_expect)expect))
        return false;
    s->data = expect == STREAM_EXPECT_DATA;
    if (s->readable == 0 && !s->data)
        sealed_drop(stream, s);
    return true;
}

/* Room for `length` bytes is room for their records. */
static uint32_t sealed_send_space(const struct stream *stream)
{
    uint32_t space = tcp_send_space(stream->connection);
    uint32_t headers = 2 * (space / SEALED_RECORD_MAX + 1);

    return space > headers ? space - headers : 0;
}

static enum status sealed_send(struct stream *stream, const void *bytes, size_t length)
{
    struct sealed *s = sealed_of(stream);
    uint8_t record[SEALED_RECORD_MAX + 2];
    size_t at = 0;

    if (length == 0 || length > sealed_send_space(stream)) {
        static const uint8_t blanks[TCP_SEND_BYTES];

        return tcp_send(stream->connection, blanks, length == 0 ? 0 : sizeof(blanks));
    }
    while (at < length) {
        uint32_t part =
            length - at < SEALED_RECORD_MAX ? (uint32_t)(length - at) : SEALED_RECORD_MAX;
        uint32_t wire = sealed_record(record, (const uint8_t *)bytes + at, part, &s->out_at);
        enum status status = tcp_send(stream->connection, record, wire);

        if (status != STATUS_OK) {
            CHECK(at == 0);
            s->out_at -= part;
            return status;
        }
        at += part;
    }
    return STATUS_OK;
}

static void sealed_close(struct stream *stream)
{
    sealed_drop(stream, sealed_of(stream));
    tcp_close(stream->connection);
}

void sealed_kind_init(struct sealed_kind *kind, struct store *store)
{
    *kind = (struct sealed_kind){
        .kind = {.state_bytes = sizeof(struct sealed),
                 .opened = sealed_opened,
                 .arrived = sealed_arrived,
                 .drained = sealed_drained,
                 .finished = sealed_finished,
                 .expired = sealed_expired,
                 .closed = sealed_closed,
                 .known = sealed_known,
                 .readable = sealed_readable,
                 .peek = sealed_peek,
                 .consume = sealed_consume,
                 .expect = sealed_expect,
                 .send_space = sealed_send_space,
                 .send = sealed_send,
                 .close = sealed_close},
        .store = store,
    };
}

#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

void stream_open(struct tcp_connection *stream, struct tcp_endpoint *endpoint, struct store *store,
                 const struct tcp_application *application, const struct stream_options *options)
{
    static uint32_t generation;

    memset(stream, 0, sizeof(*stream));
    stream->store = store;
    stream->endpoint = endpoint;
    stream->application = *application;
    stream->options = *options;
    stream->generation = ++generation;
    stream->session = calloc(1, application->session_bytes);
    stream->now_ns = 1000;
    CHECK(stream->session != NULL && endpoint->connection == NULL);
    CHECK(options->block_use >= 1 &&
          options->block_start + options->block_use <= MESSAGE_BLOCK_BYTES);
    endpoint->connection = stream;
    application->opened(application->context, stream, stream->now_ns);
}

/* What can be sent at once is acknowledged at once unless the test holds that back. */
static void stream_settle(struct tcp_connection *stream)
{
    while (!stream->hold_acks && stream->acknowledged < stream->sent_length)
        stream_acknowledge(stream, stream->sent_length - stream->acknowledged);
}

static bool stream_place(struct tcp_connection *stream, const uint8_t *bytes, size_t length,
                         size_t *placed)
{
    uint32_t room;

    if (stream->block_count == stream->first || stream->filled == stream->options.block_use) {
        uint32_t block = block_take(
            stream->store, stream->expect == TCP_EXPECT_DATA ? BLOCK_FOR_DATA : BLOCK_FOR_COMMAND);

        if (block == MESSAGE_BLOCK_NONE)
            return false;
        if (stream->block_count == STREAM_BLOCKS_MAX) {
            memmove(stream->blocks, stream->blocks + stream->first,
                    (stream->block_count - stream->first) * sizeof(stream->blocks[0]));
            stream->block_count -= stream->first;
            stream->first = 0;
        }
        CHECK(stream->block_count < STREAM_BLOCKS_MAX);
        if (stream->block_count == stream->first)
            stream->consumed = 0;
        stream->blocks[stream->block_count++] = block;
        stream->filled = 0;
    }
    room = stream->options.block_use - stream->filled;
    if (room > length)
        room = (uint32_t)length;
    memcpy(block_bytes(stream->store, stream->blocks[stream->block_count - 1]) +
               stream->options.block_start + stream->filled,
           bytes, room);
    stream->filled += room;
    stream->readable += room;
    *placed += room;
    return true;
}

size_t stream_receive(struct tcp_connection *stream, const void *bytes, size_t length)
{
    size_t placed = 0;

    if (stream->closed)
        return length;
    while (placed < length) {
        if (stream->readable >= TCP_WINDOW_MAX ||
            !stream_place(stream, (const uint8_t *)bytes + placed, length - placed, &placed))
            break;
    }
    if (placed > 0)
        stream->application.readable(stream->application.context, stream, stream->now_ns);
    stream_settle(stream);
    return placed;
}

void stream_acknowledge(struct tcp_connection *stream, uint32_t length)
{
    CHECK(length <= stream->sent_length - stream->acknowledged);
    stream->acknowledged += length;
    if (stream->refused && !stream->closed && !stream->send_blocked) {
        stream->refused = false;
        stream->application.writable(stream->application.context, stream, stream->now_ns);
    }
}

void stream_finish(struct tcp_connection *stream)
{
    if (stream->closed)
        return;
    stream->application.finished(stream->application.context, stream, stream->now_ns);
    stream_settle(stream);
}

void stream_expire(struct tcp_connection *stream)
{
    CHECK(stream->deadline_ns != 0);
    stream->now_ns = stream->deadline_ns;
    stream->deadline_ns = 0;
    stream->application.expired(stream->application.context, stream, stream->now_ns);
    stream_settle(stream);
}

void stream_close(struct tcp_connection *stream, enum tcp_close_reason reason)
{
    stream->application.closed(stream->application.context, stream, reason, stream->now_ns);
    for (uint32_t i = stream->first; i < stream->block_count; i++)
        block_give(stream->store, stream->blocks[i]);
    stream->endpoint->connection = NULL;
    free(stream->session);
    stream->session = NULL;
}

void *tcp_session(struct tcp_connection *connection)
{
    return connection->session;
}

struct connection_handle tcp_handle(const struct tcp_connection *connection)
{
    return (struct connection_handle){.index = 0, .generation = connection->generation};
}

struct tcp_connection *tcp_find(struct tcp_endpoint *endpoint, struct connection_handle handle)
{
    struct tcp_connection *connection = endpoint->connection;

    if (connection == NULL || handle.index != 0 || handle.generation != connection->generation)
        return NULL;
    return connection;
}

void tcp_peer_text(const struct tcp_connection *connection, char text[46])
{
    (void)connection;
    memcpy(text, "198.18.0.7", 11);
}

uint64_t tcp_peer_prefix(const struct tcp_connection *connection)
{
    (void)connection;
    return 0xc6120007;
}

bool tcp_peer_exceeds(const struct tcp_connection *connection, uint32_t address_max,
                      uint32_t prefix_max)
{
    return connection->peers > address_max || connection->peers > prefix_max;
}

uint32_t tcp_readable(const struct tcp_connection *connection)
{
    return connection->readable;
}

bool tcp_peek(struct tcp_connection *connection, uint32_t skip, struct tcp_span *span)
{
    uint32_t at = connection->consumed + skip;
    uint32_t index = connection->first + at / connection->options.block_use;
    uint32_t in_block = at % connection->options.block_use;
    uint32_t end = connection->options.block_use;

    if (skip >= connection->readable)
        return false;
    if (index == connection->block_count - 1)
        end = connection->filled;
    CHECK(index < connection->block_count && in_block < end);
    span->block = connection->blocks[index];
    span->offset = connection->options.block_start + in_block;
    span->length = end - in_block;
    span->bytes = block_bytes(connection->store, span->block) + span->offset;
    return true;
}

void tcp_consume(struct tcp_connection *connection, uint32_t length)
{
    CHECK(length <= connection->readable);
    connection->readable -= length;
    connection->consumed += length;
    while (connection->first < connection->block_count &&
           connection->consumed >= connection->options.block_use) {
        block_give(connection->store, connection->blocks[connection->first++]);
        connection->consumed -= connection->options.block_use;
    }
}

bool tcp_expect(struct tcp_connection *connection, enum tcp_expect expect)
{
    if (expect == TCP_EXPECT_DATA &&
        (connection->data_refused || block_available(connection->store, BLOCK_FOR_DATA) < 2))
        return false;
    connection->expect = expect;
    return true;
}

uint32_t tcp_send_space(const struct tcp_connection *connection)
{
    uint32_t queued = connection->sent_length - connection->acknowledged;

    return connection->options.send_space - queued;
}

enum status tcp_send(struct tcp_connection *connection, const void *bytes, size_t length)
{
    if (connection->closed)
        return STATUS_CLOSED;
    if (connection->send_blocked || length > tcp_send_space(connection)) {
        connection->refused = true;
        return STATUS_NO_SPACE;
    }
    CHECK(connection->sent_length + length < STREAM_SENT_BYTES);
    memcpy(connection->sent + connection->sent_length, bytes, length);
    connection->sent_length += (uint32_t)length;
    connection->sent[connection->sent_length] = '\0';
    return STATUS_OK;
}

void tcp_close(struct tcp_connection *connection)
{
    CHECK(!connection->closed || connection->aborted);
    connection->closed = true;
}

void tcp_abort(struct tcp_connection *connection)
{
    connection->aborted = true;
    connection->closed = true;
}

void tcp_set_deadline(struct tcp_connection *connection, int64_t deadline_ns)
{
    connection->deadline_ns = deadline_ns;
}

void tcp_each(struct tcp_endpoint *endpoint,
              void (*visit)(void *context, struct tcp_connection *connection, int64_t now_ns),
              void *context, int64_t now_ns)
{
    if (endpoint->connection != NULL)
        visit(context, endpoint->connection, now_ns);
}

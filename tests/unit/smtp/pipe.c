#include "pipe.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

void pipe_open(struct tcp_connection *pipe, struct tcp_endpoint *endpoint, struct store *store,
               const struct tcp_application *application, const struct pipe_options *options)
{
    static uint32_t generation;

    memset(pipe, 0, sizeof(*pipe));
    pipe->store = store;
    pipe->endpoint = endpoint;
    pipe->application = *application;
    pipe->options = *options;
    pipe->generation = ++generation;
    pipe->session = calloc(1, application->session_bytes);
    pipe->now_ns = 1000;
    pipe->prefix = 0xc6120007;
    CHECK(pipe->session != NULL && endpoint->connection == NULL);
    CHECK(options->block_use >= 1 &&
          options->block_start + options->block_use <= MESSAGE_BLOCK_BYTES);
    endpoint->connection = pipe;
    application->opened(application->context, pipe, pipe->now_ns);
}

/* What can be sent at once is acknowledged at once unless the test holds that back. */
static void pipe_settle(struct tcp_connection *pipe)
{
    while (!pipe->hold_acks && pipe->acknowledged < pipe->sent_length)
        pipe_acknowledge(pipe, pipe->sent_length - pipe->acknowledged);
}

static bool pipe_place(struct tcp_connection *pipe, const uint8_t *bytes, size_t length,
                       size_t *placed)
{
    uint32_t room;

    if (pipe->block_count == pipe->first || pipe->filled == pipe->options.block_use) {
        uint32_t block = block_take(pipe->store, pipe->expect == TCP_EXPECT_DATA ? BLOCK_FOR_DATA
                                                                                 : BLOCK_FOR_TABLE);

        if (block == MESSAGE_BLOCK_NONE)
            return false;
        if (pipe->block_count == PIPE_BLOCKS_MAX) {
            memmove(pipe->blocks, pipe->blocks + pipe->first,
                    (pipe->block_count - pipe->first) * sizeof(pipe->blocks[0]));
            pipe->block_count -= pipe->first;
            pipe->first = 0;
        }
        CHECK(pipe->block_count < PIPE_BLOCKS_MAX);
        if (pipe->block_count == pipe->first)
            pipe->consumed = 0;
        pipe->blocks[pipe->block_count++] = block;
        pipe->filled = 0;
    }
    room = pipe->options.block_use - pipe->filled;
    if (room > length)
        room = (uint32_t)length;
    memcpy(block_bytes(pipe->store, pipe->blocks[pipe->block_count - 1]) +
               pipe->options.block_start + pipe->filled,
           bytes, room);
    pipe->filled += room;
    pipe->readable += room;
    *placed += room;
    return true;
}

size_t pipe_receive(struct tcp_connection *pipe, const void *bytes, size_t length)
{
    size_t placed = 0;

    if (pipe->closed)
        return length;
    while (placed < length) {
        if (pipe->readable >= TCP_WINDOW_MAX ||
            !pipe_place(pipe, (const uint8_t *)bytes + placed, length - placed, &placed))
            break;
    }
    if (placed > 0)
        pipe->application.readable(pipe->application.context, pipe, pipe->now_ns);
    pipe_settle(pipe);
    return placed;
}

void pipe_acknowledge(struct tcp_connection *pipe, uint32_t length)
{
    CHECK(length <= pipe->sent_length - pipe->acknowledged);
    pipe->acknowledged += length;
    if (pipe->refused && !pipe->closed && !pipe->send_blocked) {
        pipe->refused = false;
        pipe->application.writable(pipe->application.context, pipe, pipe->now_ns);
    }
}

void pipe_finish(struct tcp_connection *pipe)
{
    if (pipe->closed)
        return;
    pipe->application.finished(pipe->application.context, pipe, pipe->now_ns);
    pipe_settle(pipe);
}

void pipe_expire(struct tcp_connection *pipe)
{
    CHECK(pipe->deadline_ns != 0);
    pipe->now_ns = pipe->deadline_ns;
    pipe->deadline_ns = 0;
    pipe->application.expired(pipe->application.context, pipe, pipe->now_ns);
    pipe_settle(pipe);
}

void pipe_close(struct tcp_connection *pipe, enum tcp_close_reason reason)
{
    pipe->application.closed(pipe->application.context, pipe, reason, pipe->now_ns);
    for (uint32_t i = pipe->first; i < pipe->block_count; i++)
        block_give(pipe->store, pipe->blocks[i]);
    pipe->endpoint->connection = NULL;
    free(pipe->session);
    pipe->session = NULL;
}

const struct tcp_application *tcp_application_of(const struct tcp_connection *connection)
{
    return &connection->application;
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
    return connection->prefix;
}

bool tcp_peer_fault(struct tcp_connection *connection, uint32_t an_hour, int64_t now_ns)
{
    (void)now_ns;
    if (an_hour > 0 && connection->endpoint->faults >= an_hour)
        return false;
    connection->endpoint->faults++;
    return true;
}

bool tcp_peer_faulty(const struct tcp_connection *connection, uint32_t an_hour, int64_t now_ns)
{
    (void)now_ns;
    return an_hour > 0 && connection->endpoint->faults >= an_hour;
}

uint32_t tcp_held(const struct tcp_connection *connection)
{
    return connection->block_count - connection->first;
}

uint32_t tcp_readable(const struct tcp_connection *connection)
{
    return connection->readable;
}

bool tcp_peek(struct tcp_connection *connection, uint32_t skip, struct block_span *span)
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
    CHECK(connection->sent_length + length < PIPE_SENT_BYTES);
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

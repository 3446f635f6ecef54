#include "tests/unit/handover/senders.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

struct tcp_connection *sender_open(struct tcp_endpoint *endpoint)
{
    struct tcp_connection *sender = endpoint->connections;

    while (sender < endpoint->connections + SENDERS_MAX && sender->generation != 0)
        sender++;
    CHECK(sender < endpoint->connections + SENDERS_MAX);
    *sender = (struct tcp_connection){
        .endpoint = endpoint,
        .session = calloc(1, endpoint->application->session_bytes),
        .index = (uint32_t)(sender - endpoint->connections),
        .generation = ++endpoint->opened,
        .block = MESSAGE_BLOCK_NONE,
        .prefix = 0xc6120007 + ((uint64_t)(sender - endpoint->connections) << 8), /* strangers */
    };
    CHECK(sender->session != NULL);
    endpoint->application->opened(endpoint->application->context, sender, *endpoint->now_ns);
    sender_say(sender, "EHLO client.example\r\n");
    (void)sender_heard(sender);
    return sender;
}

void sender_say(struct tcp_connection *sender, const char *text)
{
    struct tcp_endpoint *endpoint = sender->endpoint;
    size_t length = strlen(text);

    if (sender->block == MESSAGE_BLOCK_NONE) {
        sender->block = block_take(endpoint->store, BLOCK_FOR_DATA);
        CHECK(sender->block != MESSAGE_BLOCK_NONE);
        sender->filled = 0;
        sender->consumed = 0;
    }
    CHECK(length <= MESSAGE_BLOCK_BYTES - sender->filled);
    memcpy(block_bytes(endpoint->store, sender->block) + sender->filled, text, length);
    sender->filled += (uint32_t)length;
    endpoint->application->readable(endpoint->application->context, sender, *endpoint->now_ns);
}

const char *sender_heard(struct tcp_connection *sender)
{
    const char *news = sender->sent + sender->heard;

    sender->heard = sender->sent_length;
    return news;
}

void sender_close(struct tcp_connection *sender)
{
    struct tcp_endpoint *endpoint = sender->endpoint;

    endpoint->application->closed(endpoint->application->context, sender, TCP_CLOSED_NORMAL,
                                  *endpoint->now_ns);
    if (sender->block != MESSAGE_BLOCK_NONE)
        block_give(endpoint->store, sender->block);
    free(sender->session);
    sender->generation = 0;
}

/* -- tcp.h ------------------------------------------------------------------------------------- */

const struct tcp_application *tcp_application_of(const struct tcp_connection *connection)
{
    return connection->endpoint->application;
}

void tcp_each(struct tcp_endpoint *endpoint,
              void (*visit)(void *context, struct tcp_connection *connection, int64_t now_ns),
              void *context, int64_t now_ns)
{
    for (uint32_t i = 0; i < SENDERS_MAX; i++) {
        if (endpoint->connections[i].generation != 0)
            visit(context, &endpoint->connections[i], now_ns);
    }
}

void *tcp_session(struct tcp_connection *connection)
{
    return connection->session;
}

struct connection_handle tcp_handle(const struct tcp_connection *connection)
{
    return (struct connection_handle){connection->index, connection->generation};
}

struct tcp_connection *tcp_find(struct tcp_endpoint *endpoint, struct connection_handle handle)
{
    if (handle.index >= SENDERS_MAX || handle.generation == 0 ||
        endpoint->connections[handle.index].generation != handle.generation)
        return NULL;
    return &endpoint->connections[handle.index];
}

bool tcp_peer_fault(struct tcp_connection *connection, uint32_t an_hour, int64_t now_ns)
{
    (void)connection;
    (void)an_hour;
    (void)now_ns;
    return true;
}

bool tcp_peer_faulty(const struct tcp_connection *connection, uint32_t an_hour, int64_t now_ns)
{
    (void)connection;
    (void)an_hour;
    (void)now_ns;
    return false;
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

uint32_t tcp_held(const struct tcp_connection *connection)
{
    return connection->block != MESSAGE_BLOCK_NONE;
}

uint32_t tcp_readable(const struct tcp_connection *connection)
{
    return connection->block == MESSAGE_BLOCK_NONE || connection->closed
               ? 0
               : connection->filled - connection->consumed;
}

bool tcp_peek(struct tcp_connection *connection, uint32_t skip, struct block_span *span)
{
    if (skip >= tcp_readable(connection))
        return false;
    span->block = connection->block;
    span->offset = connection->consumed + skip;
    span->length = connection->filled - span->offset;
    span->bytes = block_bytes(connection->endpoint->store, span->block) + span->offset;
    return true;
}

void tcp_consume(struct tcp_connection *connection, uint32_t length)
{
    CHECK(length <= tcp_readable(connection));
    connection->consumed += length;
    if (connection->block == MESSAGE_BLOCK_NONE || connection->consumed < connection->filled)
        return;
    block_give(connection->endpoint->store, connection->block);
    connection->block = MESSAGE_BLOCK_NONE;
}

bool tcp_expect(struct tcp_connection *connection, enum tcp_expect expect)
{
    (void)connection;
    (void)expect;
    return true;
}

uint32_t tcp_send_space(const struct tcp_connection *connection)
{
    (void)connection;
    return TCP_SEND_BYTES;
}

enum status tcp_send(struct tcp_connection *connection, const void *bytes, size_t length)
{
    if (connection->closed)
        return STATUS_CLOSED;
    CHECK(length < SENDER_SENT_BYTES - connection->sent_length);
    memcpy(connection->sent + connection->sent_length, bytes, length);
    connection->sent_length += (uint32_t)length;
    connection->sent[connection->sent_length] = '\0';
    return STATUS_OK;
}

void tcp_close(struct tcp_connection *connection)
{
    connection->closed = true;
}

void tcp_abort(struct tcp_connection *connection)
{
    connection->closed = true;
}

void tcp_set_deadline(struct tcp_connection *connection, int64_t deadline_ns)
{
    (void)connection;
    (void)deadline_ns;
}

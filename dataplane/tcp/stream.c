/* What the application calls, besides reading (reassembly.c). */
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "dataplane/tcp/connection.h"

void *tcp_session(struct tcp_connection *c)
{
    return c + 1;
}

struct connection_handle tcp_handle(const struct tcp_connection *c)
{
    return (struct connection_handle){c->index, c->generation};
}

struct tcp_connection *tcp_find(struct tcp_endpoint *endpoint, struct connection_handle handle)
{
    struct tcp_connection *c;

    if (handle.generation == 0 || handle.index >= endpoint->limits.connections)
        return NULL;
    c = tcp_at(endpoint, handle.index);
    if (c->generation != handle.generation || !c->opened || c->dying)
        return NULL;
    return c;
}

static char *peer_put_octet(char *to, uint8_t octet)
{
    if (octet >= 100)
        *to++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *to++ = (char)('0' + octet / 10 % 10);
    *to++ = (char)('0' + octet % 10);
    return to;
}

/* Every message needs it, and inet_ntop() formats. */
static void peer_put_ipv4(char *to, const uint8_t address[4])
{
    for (unsigned i = 0; i < 4; i++) {
        to = peer_put_octet(to, address[i]);
        *to++ = i < 3 ? '.' : '\0';
    }
}

void tcp_peer_text(const struct tcp_connection *c, char text[46])
{
    if (ip_flow_is_ipv4(&c->key))
        peer_put_ipv4(text, c->key.remote_address + 12);
    else
        inet_ntop(AF_INET6, c->key.remote_address, text, 46);
}

uint64_t tcp_peer_prefix(const struct tcp_connection *c)
{
    return c->endpoint->clients.entries[c->client.entry[TCP_CLIENT_ADDRESS]].prefix;
}

bool tcp_peer_fault(struct tcp_connection *c, uint32_t an_hour, int64_t now_ns)
{
    return tcp_clients_fault(&c->endpoint->clients, &c->client, an_hour, now_ns);
}

bool tcp_peer_faulty(const struct tcp_connection *c, uint32_t an_hour, int64_t now_ns)
{
    return tcp_clients_faulty(&c->endpoint->clients, &c->client, an_hour, now_ns);
}

uint32_t tcp_send_space(const struct tcp_connection *c)
{
    return c->fin_queued ? 0 : TCP_SEND_BYTES - c->send_length;
}

/* Who offers no window cannot be sent anything: it takes no memory that others need for that. */
static bool send_may_hold(const struct tcp_connection *c, enum block_class class)
{
    const struct store *store = c->endpoint->store;

    return c->send_window > 0 || block_plenty(store, class) ||
           (class == BLOCK_FOR_PIECES && store->pieces.first != MESSAGE_BLOCK_NONE);
}

/* Takes a circle for `length` bytes more, in place of the one that has become too small. */
static bool send_make_room(struct tcp_connection *c, uint32_t length)
{
    struct store *store = c->endpoint->store;
    bool first = c->send_place == MESSAGE_BLOCK_NONE;
    bool small = first && length <= PIECE_BYTES;
    uint32_t place;

    if (!first && !c->send_small)
        return false;
    if (!send_may_hold(c, small
                              ? BLOCK_FOR_PIECES
                              : BLOCK_FOR_REPLY)) { /* until its acknowledgement opens the window */
        count(c->endpoint->counters, COUNTER_REPLIES_WITHHELD);
        return false;
    }
    place = small ? piece_take(store) : block_take(store, BLOCK_FOR_REPLY);
    if (place == MESSAGE_BLOCK_NONE) {
        tcp_timer_set(c, TCP_TIMER_WINDOW, c->endpoint->now_ns + TCP_WINDOW_RETRY_NS);
        return false;
    }
    if (!small)
        place = piece_of_block(place);
    if (!first) {
        tcp_send_copy(c, c->send_base, piece_bytes(store, place), c->send_length);
        tcp_send_release(c);
    }
    c->send_place = place;
    c->send_small = small;
    c->send_head = 0;
    return true;
}

/* Room that is left in the circle. */
static uint32_t send_left(const struct tcp_connection *c)
{
    return c->send_place == MESSAGE_BLOCK_NONE ? 0 : tcp_send_room(c) - c->send_length;
}

static void send_put(struct tcp_connection *c, const uint8_t *bytes, uint32_t length)
{
    uint8_t *circle = piece_bytes(c->endpoint->store, c->send_place);
    uint32_t room = tcp_send_room(c);
    uint32_t place = (c->send_head + c->send_length) & (room - 1);
    uint32_t first = room - place;

    c->send_length = (uint16_t)(c->send_length + length);
    if (first >= length) {
        memcpy(circle + place, bytes, length);
        return;
    }
    memcpy(circle + place, bytes, first);
    memcpy(circle, bytes + first, length - first);
}

enum status tcp_send(struct tcp_connection *c, const void *bytes, size_t length)
{
    uint32_t wanted = length > 0 ? (uint32_t)length : TCP_SEND_LINE;

    if (c->fin_queued || c->dying)
        return STATUS_CLOSED;
    if (length > TCP_SEND_BYTES - (uint32_t)c->send_length ||
        (wanted > send_left(c) && !send_make_room(c, wanted))) {
        c->send_refused = true;
        return STATUS_NO_SPACE;
    }
    if (length == 0)
        return STATUS_OK;
    send_put(c, bytes, (uint32_t)length);
    tcp_mark_dirty(c);
    return STATUS_OK;
}

void tcp_close(struct tcp_connection *c)
{
    if (c->fin_queued || c->dying)
        return;
    c->fin_queued = true;
    c->read_closed = true;
    c->send_refused = false; /* there is nothing more to be told */
    c->state = c->state == TCP_STATE_CLOSE_WAIT ? TCP_STATE_LAST_ACK : TCP_STATE_FIN_WAIT_1;
    tcp_receive_release(c);
    c->read_seq = tcp_data_end(c);
    tcp_timer_clear(c, TCP_TIMER_APPLICATION);
    tcp_timer_clear(c, TCP_TIMER_WINDOW);
    /* Nobody else has a deadline for it now: a peer that takes a byte at a time must not keep it.
     */
    tcp_timer_set(c, TCP_TIMER_STATE, c->endpoint->now_ns + TCP_CLOSE_NS);
    tcp_mark_dirty(c);
}

void tcp_abort(struct tcp_connection *c)
{
    if (c->dying)
        return;
    tcp_send_reset(c, c->endpoint->now_ns);
    tcp_kill(c, TCP_CLOSED_ABORTED);
}

void tcp_set_deadline(struct tcp_connection *c, int64_t deadline_ns)
{
    if (deadline_ns == 0 || c->fin_queued) {
        c->deadline_ns[TCP_TIMER_APPLICATION] = 0;
        if (c->holds_command)
            tcp_holder_update(c);
        return;
    }
    if (c->holds_waiting) {
        c->deadline_ns[TCP_TIMER_APPLICATION] = deadline_ns;
        tcp_holder_update(c);
    }
    tcp_timer_set(c, TCP_TIMER_APPLICATION, deadline_ns);
}

void tcp_each(struct tcp_endpoint *endpoint,
              void (*visit)(void *context, struct tcp_connection *connection, int64_t now_ns),
              void *context, int64_t now_ns)
{
    for (uint32_t i = 0; i < endpoint->limits.connections; i++) {
        struct tcp_connection *c = tcp_at(endpoint, i);

        if (c->opened && !c->dying && !c->fin_queued)
            visit(context, c, now_ns);
    }
}

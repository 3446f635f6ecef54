/* Direct placement: a byte's place follows from its sequence number, so a segment is copied once
 * and the packet is done with. Bytes already placed are never written again. */
#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"

/* Keeps count of the blocks that commands hold, and of those that a client does. */
static void receive_hold(struct tcp_connection *c, int32_t blocks)
{
    if (c->expect == TCP_EXPECT_COMMANDS)
        tcp_holder_update(c);
    tcp_clients_hold(&c->endpoint->clients, &c->client, blocks);
}

/* May this connection's client hold one block more? Anybody may borrow while there is plenty; when
 * there is not, an address has its share and its neighbourhood two. A store too small to be divided
 * is not. */
static bool receive_within_share(const struct tcp_connection *c, bool plenty)
{
    const struct tcp_endpoint *endpoint = c->endpoint;
    uint32_t blocks = endpoint->store->block_count;

    return plenty || blocks < STORE_DIVIDED ||
           tcp_clients_within(&endpoint->clients, &c->client, blocks / TCP_CLIENT_SHARE);
}

/* Returns how many there were. */
static uint32_t receive_add_slots(struct tcp_connection *c, enum block_class class, uint32_t count)
{
    CHECK(c->slot_count + count <= TCP_SLOTS);
    count = block_take_some(c->endpoint->store, class, &c->slots[c->slot_count], count);
    if (count == 0)
        return 0;
    if (c->slot_count == 0)
        c->base_seq = c->read_seq;
    c->slot_count = (uint8_t)(c->slot_count + count);
    receive_hold(c, (int32_t)count);
    return count;
}

static bool receive_add_slot(struct tcp_connection *c, enum block_class class)
{
    return receive_add_slots(c, class, 1) == 1;
}

/* How many blocks anybody may take: at least half of all is free before each. */
static uint32_t receive_data_plenty(const struct tcp_endpoint *endpoint)
{
    uint32_t half = endpoint->store->block_count / 2;

    return endpoint->store->free_count >= half ? endpoint->store->free_count - half + 1 : 0;
}

/* May this connection's client have another block of commands? While there is plenty, as of all
 * blocks; else half of the part for commands is for those within their own share of it. */
static bool receive_commands_within(const struct tcp_connection *c, bool plenty)
{
    const struct tcp_endpoint *endpoint = c->endpoint;
    const struct store *store = endpoint->store;
    uint32_t share = store->parts[BLOCK_FOR_COMMAND] / TCP_COMMAND_CLIENT;

    if (share < TCP_COMMAND_CLIENT_LEAST)
        share = TCP_COMMAND_CLIENT_LEAST;
    if (plenty)
        return receive_within_share(c, endpoint->command_slots <
                                           store->block_count / TCP_COMMAND_SHARE / 2);
    return block_plenty(store, BLOCK_FOR_COMMAND) || store->block_count < STORE_DIVIDED ||
           tcp_clients_commands_within(&endpoint->clients, &c->client, share);
}

/* One that is not of the part for commands: lent, for tcp_evict_holder() can take it back. */
static bool receive_borrow_slot(struct tcp_connection *c)
{
    const struct tcp_endpoint *endpoint = c->endpoint;

    if (endpoint->command_slots >= endpoint->store->block_count / TCP_COMMAND_SHARE ||
        !receive_add_slot(c, BLOCK_FOR_DATA))
        return false;
    block_reclass(endpoint->store, c->slots[c->slot_count - 1], BLOCK_FOR_COMMAND);
    return true;
}

static bool receive_take_command_slot(struct tcp_connection *c, bool plenty)
{
    return receive_add_slot(c, BLOCK_FOR_COMMAND) || (plenty && receive_borrow_slot(c));
}

/* When there is none, whoever has held one longest loses it. What comes while nobody reads (the
 * peer waits for a verdict, its next commands can, too) takes no part in that, and only of what is
 * plenty. */
static bool receive_add_command_slot(struct tcp_connection *c)
{
    struct tcp_endpoint *endpoint = c->endpoint;
    bool plenty = receive_data_plenty(endpoint) > 0;

    if (c->deadline_ns[TCP_TIMER_APPLICATION] == 0)
        return plenty && block_plenty(endpoint->store, BLOCK_FOR_COMMAND) &&
               receive_within_share(c, false) && receive_add_slot(c, BLOCK_FOR_COMMAND);
    if (!receive_commands_within(c, plenty))
        return false;
    return receive_take_command_slot(c, plenty) ||
           (tcp_evict_holder(endpoint, c) && receive_take_command_slot(c, plenty));
}

static void receive_drop_slots(struct tcp_connection *c, uint32_t keep)
{
    uint32_t drop = c->slot_count > keep ? c->slot_count - keep : 0;

    if (drop == 0)
        return;
    c->slot_count = (uint8_t)keep;
    block_give_some(c->endpoint->store, &c->slots[keep], drop);
    receive_hold(c, -(int32_t)drop);
}

void tcp_receive_release(struct tcp_connection *c)
{
    receive_drop_slots(c, 0);
    c->interval_count = 0;
}

/* Slots that hold received bytes, in order or not. */
static uint32_t receive_slots_used(const struct tcp_connection *c)
{
    uint32_t end = tcp_data_end(c);

    if (c->interval_count > 0)
        end = c->intervals[c->interval_count - 1].end;
    if (c->slot_count == 0 || end == c->read_seq)
        return 0;
    return (end - c->base_seq + MESSAGE_BLOCK_BYTES - 1) / MESSAGE_BLOCK_BYTES;
}

/* Slots that the window lacks. */
static uint32_t receive_slots_missing(const struct tcp_connection *c)
{
    uint32_t window = c->endpoint->limits.window_bytes;
    uint32_t held =
        c->slot_count > 0 ? c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES - c->read_seq : 0;
    uint32_t missing;

    if (held >= window)
        return 0;
    missing = (window - held + MESSAGE_BLOCK_BYTES - 1) / MESSAGE_BLOCK_BYTES;
    return missing < TCP_SLOTS - c->slot_count ? missing : TCP_SLOTS - c->slot_count;
}

/* As many at once as leave plenty, then those of this client's share. */
static bool receive_reserve(struct tcp_connection *c)
{
    uint32_t missing = receive_slots_missing(c);
    uint32_t plenty;

    if (missing == 0)
        return true;
    plenty = receive_data_plenty(c->endpoint);
    if (plenty > missing)
        plenty = missing;
    missing -= receive_add_slots(c, BLOCK_FOR_DATA, plenty);
    while (missing > 0 && receive_within_share(c, false) && receive_add_slot(c, BLOCK_FOR_DATA))
        missing--;
    return missing == 0;
}

uint32_t tcp_window_edge(struct tcp_connection *c)
{
    uint32_t edge = c->promised_edge;
    uint32_t limit = c->receive_next + (UINT16_MAX << c->receive_scale);

    if (c->read_closed || c->expect == TCP_EXPECT_COMMANDS) {
        edge = c->read_seq + TCP_COMMAND_WINDOW;
    } else if (c->expect == TCP_EXPECT_DATA) {
        if (!receive_reserve(c))
            tcp_timer_set(c, TCP_TIMER_WINDOW, c->endpoint->now_ns + TCP_WINDOW_RETRY_NS);
        if (c->slot_count > 0)
            edge = c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES - TCP_EDGE_SLACK;
    }
    if (seq_after(edge, limit))
        edge = limit;
    /* A peer that used what rounding gave it, or sent a FIN at the edge, is beyond the promise. */
    return seq_later(seq_later(edge, c->promised_edge), c->receive_next);
}

static void receive_copy(struct tcp_connection *c, uint32_t start, uint32_t end,
                         const uint8_t *bytes)
{
    while (start != end) {
        uint32_t place = start - c->base_seq;
        uint32_t offset = place % MESSAGE_BLOCK_BYTES;
        uint32_t part = MESSAGE_BLOCK_BYTES - offset;

        if (part > end - start)
            part = end - start;
        CHECK(place / MESSAGE_BLOCK_BYTES < c->slot_count);
        memcpy(block_bytes(c->endpoint->store, c->slots[place / MESSAGE_BLOCK_BYTES]) + offset,
               bytes, part);
        bytes += part;
        start += part;
    }
}

/* Copies those bytes of [start, end) that no interval holds yet; returns how many. */
static uint32_t receive_fill(struct tcp_connection *c, uint32_t start, uint32_t end,
                             const uint8_t *bytes)
{
    uint32_t at = start;
    uint32_t copied = 0;

    for (unsigned i = 0; i < c->interval_count && seq_before(at, end); i++) {
        const struct tcp_interval *held = &c->intervals[i];
        uint32_t until = seq_earlier(held->start, end);

        if (seq_before(at, until)) {
            receive_copy(c, at, until, bytes + (at - start));
            copied += until - at;
        }
        at = seq_later(at, held->end);
    }
    if (seq_before(at, end)) {
        receive_copy(c, at, end, bytes + (at - start));
        copied += end - at;
    }
    return copied;
}

/* Index of the first interval that ends at or after `seq`. */
static unsigned receive_interval_at(const struct tcp_connection *c, uint32_t seq)
{
    unsigned i = 0;

    while (i < c->interval_count && seq_before(c->intervals[i].end, seq))
        i++;
    return i;
}

static bool receive_interval_fits(const struct tcp_connection *c, uint32_t start, uint32_t end)
{
    unsigned i = receive_interval_at(c, start);

    if (start == c->receive_next || c->interval_count < TCP_INTERVALS_MAX)
        return true;
    return i < c->interval_count && seq_at_or_before(c->intervals[i].start, end);
}

/* Joins [start, end) with every interval it touches. */
static void receive_add_interval(struct tcp_connection *c, uint32_t start, uint32_t end)
{
    unsigned first = receive_interval_at(c, start);
    unsigned last = first;

    while (last < c->interval_count && seq_at_or_before(c->intervals[last].start, end)) {
        start = seq_earlier(start, c->intervals[last].start);
        end = seq_later(end, c->intervals[last].end);
        last++;
    }
    memmove(&c->intervals[first + 1], &c->intervals[last],
            (c->interval_count - last) * sizeof(c->intervals[0]));
    c->interval_count = (uint8_t)(c->interval_count + 1 - (last - first));
    c->intervals[first] = (struct tcp_interval){start, end};
    c->newest_interval = start;
}

static void receive_advance(struct tcp_connection *c, uint32_t end)
{
    unsigned taken = 0;

    c->receive_next = end;
    while (taken < c->interval_count &&
           seq_at_or_before(c->intervals[taken].start, c->receive_next)) {
        c->receive_next = seq_later(c->receive_next, c->intervals[taken].end);
        taken++;
    }
    memmove(&c->intervals[0], &c->intervals[taken],
            (c->interval_count - taken) * sizeof(c->intervals[0]));
    c->interval_count = (uint8_t)(c->interval_count - taken);
}

static bool receive_make_room(struct tcp_connection *c, uint32_t end)
{
    while (c->slot_count == 0 ||
           seq_before(c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES, end)) {
        if (!(c->expect == TCP_EXPECT_DATA ? receive_add_slot(c, BLOCK_FOR_DATA)
                                           : receive_add_command_slot(c)))
            return false;
    }
    return true;
}

enum tcp_placed tcp_place(struct tcp_connection *c, uint32_t seq, const uint8_t *bytes,
                          uint32_t length)
{
    uint32_t start = seq_later(seq, c->receive_next);
    uint32_t end = seq_earlier(seq + length, c->advertised_edge);

    if (c->fin_known)
        end = seq_earlier(end, c->fin_seq);
    if (!seq_before(start, end))
        return TCP_PLACED_NOTHING;
    if (c->read_closed) {
        /* Acknowledged and dropped: nobody is going to read it. */
        if (start != c->receive_next)
            return TCP_PLACED_NOTHING;
        c->receive_next = end;
        c->read_seq = end;
        return TCP_PLACED;
    }
    if (!receive_interval_fits(c, start, end) || !receive_make_room(c, end))
        return TCP_PLACED_NO_ROOM;
    if (start == c->receive_next && c->interval_count == 0) {
        /* As nearly always: the next bytes, and nothing lies ahead of them. */
        receive_copy(c, start, end, bytes + (start - seq));
        c->receive_next = end;
        return TCP_PLACED;
    }
    if (receive_fill(c, start, end, bytes + (start - seq)) == 0)
        return TCP_PLACED_NOTHING;
    if (start == c->receive_next) {
        receive_advance(c, end);
        return TCP_PLACED;
    }
    receive_add_interval(c, start, end);
    return TCP_PLACED_AHEAD;
}

uint32_t tcp_held(const struct tcp_connection *c)
{
    return c->slot_count;
}

uint32_t tcp_readable(const struct tcp_connection *c)
{
    return tcp_unread(c);
}

bool tcp_peek(struct tcp_connection *c, uint32_t skip, struct block_span *span)
{
    uint32_t readable = tcp_unread(c);
    uint32_t place;

    if (skip >= readable)
        return false;
    place = c->read_seq + skip - c->base_seq;
    span->block = c->slots[place / MESSAGE_BLOCK_BYTES];
    span->offset = place % MESSAGE_BLOCK_BYTES;
    span->bytes = block_bytes(c->endpoint->store, span->block) + span->offset;
    span->length = MESSAGE_BLOCK_BYTES - span->offset;
    if (span->length > readable - skip)
        span->length = readable - skip;
    return true;
}

void tcp_consume(struct tcp_connection *c, uint32_t length)
{
    uint32_t passed;

    if (c->read_closed)
        return; /* tcp_close() has dropped it all */
    CHECK(length <= tcp_unread(c));
    c->read_seq += length;
    passed = c->slot_count > 0 ? (c->read_seq - c->base_seq) / MESSAGE_BLOCK_BYTES : 0;
    for (uint32_t i = 0; i < passed; i++)
        block_give(c->endpoint->store, c->slots[i]);
    if (passed > 0) {
        memmove(&c->slots[0], &c->slots[passed], (c->slot_count - passed) * sizeof(c->slots[0]));
        c->slot_count = (uint8_t)(c->slot_count - passed);
        receive_hold(c, -(int32_t)passed);
        c->base_seq += passed * MESSAGE_BLOCK_BYTES;
    }
    /* An idle connection holds nothing. */
    if (c->expect == TCP_EXPECT_COMMANDS && receive_slots_used(c) == 0)
        receive_drop_slots(c, 0);
    if (length > 0)
        tcp_mark_dirty(c);
}

static void receive_set_expect(struct tcp_connection *c, enum tcp_expect expect)
{
    c->expect = (uint8_t)expect;
    tcp_holder_update(c);
    /* What lies behind DATA already is data. */
    if (expect == TCP_EXPECT_DATA)
        tcp_holder_reclass(c, BLOCK_FOR_DATA);
}

bool tcp_expect(struct tcp_connection *c, enum tcp_expect expect)
{
    enum tcp_expect before = (enum tcp_expect)c->expect;

    receive_set_expect(c, expect);
    if (expect == TCP_EXPECT_DATA) {
        if (!receive_reserve(c) && c->slot_count < 2) {
            receive_drop_slots(c, receive_slots_used(c));
            receive_set_expect(c, before);
            return false;
        }
    } else if (expect == TCP_EXPECT_COMMANDS || before == TCP_EXPECT_COMMANDS) {
        receive_drop_slots(c, receive_slots_used(c));
    }
    tcp_mark_dirty(c);
    return true;
}

/* The costly invariants: what must hold of the whole endpoint between two polls. */
#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"

/* What is counted while all connections are walked, to be compared with what the lists hold. */
struct sound_sums {
    uint32_t used;
    uint32_t dirty;
    uint32_t time_wait;
    uint32_t holders;
    uint32_t armed;
    uint32_t command_slots;
    uint32_t holds;
    uint32_t pieces;
};

static void sound_block(const struct tcp_endpoint *endpoint, uint32_t block)
{
    const struct store *store = endpoint->store;

    CHECK(block - store->block_first < store->block_count);
    CHECK(store->holders[block - store->block_first] > 0);
}

static void sound_piece(const struct tcp_endpoint *endpoint, uint32_t piece)
{
    const struct store *store = endpoint->store;
    uint32_t free = store->pieces.cuts[piece / PIECE_OF_BLOCK - store->block_first].free;

    CHECK((free >> piece % PIECE_OF_BLOCK & 1) == 0);
}

static void sound_receive(const struct tcp_connection *c)
{
    uint32_t end = c->receive_next;

    CHECK(c->slot_count <= TCP_SLOTS && c->interval_count <= TCP_INTERVALS_MAX);
    CHECK(seq_at_or_before(c->read_seq, c->receive_next));
    CHECK(seq_at_or_before(c->receive_next, c->advertised_edge));
    CHECK(tcp_data_end(c) == c->read_seq || c->slot_count > 0);
    if (c->slot_count > 0) {
        CHECK(c->read_seq - c->base_seq < MESSAGE_BLOCK_BYTES);
        CHECK(seq_at_or_before(tcp_data_end(c), c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES));
    }
    for (unsigned i = 0; i < c->interval_count; i++) {
        CHECK(seq_before(end, c->intervals[i].start));
        CHECK(seq_before(c->intervals[i].start, c->intervals[i].end));
        end = c->intervals[i].end;
    }
    CHECK(c->interval_count == 0 ||
          seq_at_or_before(end, c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES));
}

static void sound_send(const struct tcp_connection *c)
{
    CHECK(c->send_length <= tcp_send_room(c));
    CHECK(c->send_place != MESSAGE_BLOCK_NONE ? c->send_head < tcp_send_room(c)
                                              : c->send_length == 0 && !c->send_small);
    CHECK(seq_at_or_before(c->send_una, c->send_next));
    CHECK(seq_at_or_before(c->send_next, c->send_max));
    CHECK(seq_at_or_before(c->send_max, tcp_send_end(c) + 1));
    CHECK(c->sacked_count <= TCP_SACK_BLOCKS_MAX);
}

/* The wheel reminds of it at its earliest deadline, or before. */
static void sound_timers(const struct tcp_connection *c)
{
    for (unsigned i = 0; i < TCP_TIMER_COUNT; i++)
        CHECK(c->deadline_ns[i] == 0 ||
              (c->wheel_slot != TCP_NONE && c->armed_ns <= c->deadline_ns[i]));
}

/* Who holds a block of a command is on the list as long as we wait for the rest of it. */
static void sound_holder(const struct tcp_connection *c, struct sound_sums *sums)
{
    bool holds = c->expect == TCP_EXPECT_COMMANDS && c->slot_count > 0;
    bool awaited = c->deadline_ns[TCP_TIMER_APPLICATION] != 0;
    const struct store *store = c->endpoint->store;

    CHECK(c->holds_command == (holds && awaited) && c->holds_waiting == (holds && !awaited));
    CHECK(!c->holds_command || c->state != TCP_STATE_TIME_WAIT);
    CHECK(c->command_slots == (c->holds_command ? c->slot_count : 0));
    for (unsigned i = 0; i < c->slot_count; i++) {
        bool command = store->classes[c->slots[i] - store->block_first] == BLOCK_FOR_COMMAND;

        CHECK(command ? c->expect != TCP_EXPECT_DATA : !c->holds_command);
    }
    if (!c->holds_command)
        return;
    sums->holders++;
    sums->command_slots += c->slot_count;
}

static void sound_connection(struct tcp_endpoint *endpoint, struct tcp_connection *c,
                             struct sound_sums *sums)
{
    CHECK(c->endpoint == endpoint && c->generation != 0);
    CHECK(c->listener < endpoint->listeners.count);
    CHECK(c->hash == tcp_key_hash(endpoint, &c->key));
    CHECK(tcp_table_find(endpoint, &c->key, c->hash) == c);
    CHECK(!c->dying || c->dirty); /* or nobody would come to bury it */
    sound_receive(c);
    sound_send(c);
    sound_timers(c);
    for (unsigned i = 0; i < c->slot_count; i++)
        sound_block(endpoint, c->slots[i]);
    if (c->send_place != MESSAGE_BLOCK_NONE)
        sound_block(endpoint, c->send_place / PIECE_OF_BLOCK);
    if (c->send_small)
        sound_piece(endpoint, c->send_place);
    sums->pieces += c->send_small;
    sums->holds += c->slot_count + (c->send_place != MESSAGE_BLOCK_NONE && !c->send_small);
    sums->used++;
    sums->dirty += c->dirty;
    sums->time_wait += c->state == TCP_STATE_TIME_WAIT;
    sums->armed += c->wheel_slot != TCP_NONE;
    sound_holder(c, sums);
}

static void sound_table(const struct tcp_endpoint *endpoint)
{
    uint32_t found = 0;
    uint32_t free = 0;

    for (uint32_t i = 0; i <= endpoint->table_mask; i++) {
        for (uint32_t at = endpoint->table[i]; at != TCP_NONE;
             at = tcp_at(endpoint, at)->table_next) {
            CHECK(at < endpoint->limits.connections && found < endpoint->connection_count);
            CHECK((tcp_at(endpoint, at)->hash & endpoint->table_mask) == i);
            found++;
        }
    }
    for (uint32_t at = endpoint->free_connection; at != TCP_NONE;
         at = tcp_at(endpoint, at)->table_next) {
        CHECK(at < endpoint->limits.connections && free < endpoint->limits.connections);
        CHECK(tcp_at(endpoint, at)->state == TCP_STATE_FREE);
        free++;
    }
    CHECK(found == endpoint->connection_count);
    CHECK(found + free == endpoint->limits.connections);
}

static void sound_dirty(const struct tcp_endpoint *endpoint, uint32_t expected)
{
    uint32_t previous = TCP_NONE;
    uint32_t found = 0;

    for (uint32_t at = endpoint->dirty; at != TCP_NONE; at = tcp_at(endpoint, at)->dirty_next) {
        const struct tcp_connection *c = tcp_at(endpoint, at);

        CHECK(found < expected && c->dirty && c->dirty_previous == previous);
        previous = at;
        found++;
    }
    CHECK(found == expected && endpoint->dirty_last == previous);
}

/* Once, and in this list alone: none has both marks. */
static void sound_age(const struct tcp_endpoint *endpoint, const struct tcp_age *age,
                      uint32_t expected)
{
    bool time_wait = age == &endpoint->time_wait;
    uint32_t previous = TCP_NONE;
    uint32_t found = 0;

    for (uint32_t at = age->oldest; at != TCP_NONE; at = tcp_at(endpoint, at)->age_next) {
        const struct tcp_connection *c = tcp_at(endpoint, at);

        CHECK(found < expected && c->age_previous == previous);
        CHECK(time_wait ? c->state == TCP_STATE_TIME_WAIT : c->holds_command);
        CHECK(time_wait || previous == TCP_NONE ||
              (int32_t)(c->held_ms - tcp_at(endpoint, previous)->held_ms) >= 0);
        previous = at;
        found++;
    }
    CHECK(found == expected && found == age->count && age->newest == previous);
}

static void sound_wheel(const struct tcp_endpoint *endpoint, uint32_t expected)
{
    uint32_t found = 0;

    for (uint32_t slot = 0; slot < 2 * TCP_WHEEL_SLOTS; slot++) {
        uint32_t previous = TCP_NONE;

        for (uint32_t at = endpoint->wheel[slot / TCP_WHEEL_SLOTS][slot % TCP_WHEEL_SLOTS];
             at != TCP_NONE; at = tcp_at(endpoint, at)->wheel_next) {
            const struct tcp_connection *c = tcp_at(endpoint, at);

            CHECK(found < expected && c->state != TCP_STATE_FREE);
            CHECK(c->wheel_slot == slot && c->wheel_previous == previous);
            previous = at;
            found++;
        }
    }
    CHECK(found == expected);
}

static void sound_half_open(const struct tcp_endpoint *endpoint)
{
    uint32_t size = (endpoint->half_open_mask + 1) * TCP_HALF_OPEN_WAYS;
    uint32_t found = 0;

    for (uint32_t i = 0; i < size; i++) {
        const struct tcp_half_open *entry = &endpoint->half_open[i];

        if (!entry->used)
            continue;
        CHECK(entry->hash == tcp_key_hash(endpoint, &entry->key));
        CHECK((entry->hash & endpoint->half_open_mask) == i / TCP_HALF_OPEN_WAYS);
        CHECK(entry->listener < endpoint->listeners.count);
        found++;
    }
    CHECK(found == endpoint->half_open_count);
}

/* Each client's entry counts the connections that name it, no more and no fewer: they are taken
 * from it, nothing may be left, and given back. */
static void sound_clients(struct tcp_endpoint *endpoint)
{
    struct tcp_client *entries = endpoint->clients.entries;
    uint32_t count = TCP_CLIENT_LEVELS * endpoint->limits.connections + TCP_CLIENTS_REMEMBERED;

    for (uint32_t turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < endpoint->limits.connections; i++) {
            const struct tcp_connection *c = tcp_at(endpoint, i);

            if (c->state == TCP_STATE_FREE || c->state == TCP_STATE_TIME_WAIT)
                continue;
            for (unsigned level = 0; level < TCP_CLIENT_LEVELS; level++) {
                struct tcp_client *entry = &entries[c->client.entry[level]];

                CHECK(entry->level == level && (turn == 1 || entry->connections > 0));
                if (turn == 0) {
                    entry->connections--;
                    entry->held -= c->slot_count;
                    entry->commands -= c->command_slots;
                    CHECK(entry->connections > 0 || (entry->held == 0 && entry->commands == 0));
                } else {
                    entry->connections++;
                    entry->held += c->slot_count;
                    entry->commands += c->command_slots;
                }
            }
        }
        for (uint32_t i = 0; turn == 0 && i < count; i++)
            CHECK(entries[i].connections == 0);
    }
}

bool tcp_sound(struct tcp_endpoint *endpoint, uint32_t *holds)
{
    struct sound_sums sums = {0};

    for (uint32_t i = 0; i < endpoint->limits.connections; i++) {
        struct tcp_connection *c = tcp_at(endpoint, i);

        CHECK(c->index == i);
        if (c->state != TCP_STATE_FREE)
            sound_connection(endpoint, c, &sums);
    }
    CHECK(sums.used == endpoint->connection_count);
    CHECK(sums.pieces == endpoint->store->pieces.used);
    CHECK(endpoint->silent_count <= TCP_SILENT_KEPT);
    CHECK(sums.command_slots == endpoint->command_slots);
    sound_table(endpoint);
    sound_dirty(endpoint, sums.dirty);
    sound_age(endpoint, &endpoint->time_wait, sums.time_wait);
    sound_age(endpoint, &endpoint->holders, sums.holders);
    sound_wheel(endpoint, sums.armed);
    sound_half_open(endpoint);
    sound_clients(endpoint);
    if (holds != NULL)
        *holds = sums.holds;
    return true;
}

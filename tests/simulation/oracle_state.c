/* What must hold of the endpoint's state around each frame, after each round and at the end. */
#include <string.h>

#include "holders.h"
#include "mail.h"
#include "oracle.h"
#include "world.h"

static void state_arrived(struct world *world, const struct frame *frame)
{
    struct peer *peer;

    if (frame->exchange == WORLD_NONE || frame->forged || frame->damaged || frame->position < 0)
        return;
    peer = &world->exchanges[frame->exchange].peer;
    memset(peer->arrived + frame->position, 1, frame->payload_length);
    if (frame->fin)
        peer->fin_arrived = true;
    while (peer->arrived_prefix < peer->written && peer->arrived[peer->arrived_prefix])
        peer->arrived_prefix++;
}

void oracle_before_input(struct world *world, const struct frame *frame,
                         struct oracle_before *before)
{
    const struct exchange *x;

    memset(before, 0, sizeof(*before));
    state_arrived(world, frame);
    if (frame->exchange == WORLD_NONE)
        return;
    x = &world->exchanges[frame->exchange];
    before->connection = oracle_connection(world, x);
    if (before->connection == NULL)
        return;
    before->generation = before->connection->generation;
    before->receive_next = before->connection->receive_next;
    before->read_closed = before->connection->read_closed;
    before->interval_count = before->connection->interval_count;
    memcpy(before->intervals, before->connection->intervals,
           before->interval_count * sizeof(before->connection->intervals[0]));
}

static bool state_holds(const struct tcp_connection *c, uint32_t start, uint32_t end)
{
    if ((int32_t)(c->receive_next - end) >= 0)
        return true;
    for (unsigned i = 0; i < c->interval_count; i++) {
        if ((int32_t)(start - c->intervals[i].start) >= 0 &&
            (int32_t)(c->intervals[i].end - end) >= 0)
            return true;
    }
    return false;
}

static void state_intervals(struct world *world, const struct exchange *x,
                            const struct tcp_connection *c)
{
    uint32_t end = c->receive_next;
    uint32_t room = c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES;

    for (unsigned i = 0; i < c->interval_count; i++) {
        if ((int32_t)(c->intervals[i].start - end) <= 0 ||
            (int32_t)(c->intervals[i].end - c->intervals[i].start) <= 0)
            world_fail(world, "#%u its intervals overlap or are out of order", x->index);
        end = c->intervals[i].end;
    }
    if (c->interval_count > 0 && (int32_t)(room - end) < 0)
        world_fail(world, "#%u holds bytes behind its last block", x->index);
    if (c->interval_count > 0 && (int32_t)(c->advertised_edge - end) < 0)
        world_fail(world, "#%u holds bytes it never promised to take", x->index);
}

static const uint8_t *state_byte(const struct world *world, const struct tcp_connection *c,
                                 uint32_t seq)
{
    uint32_t place = seq - c->base_seq;

    if (place / MESSAGE_BLOCK_BYTES >= c->slot_count)
        return NULL;
    return block_bytes(&world->store, c->slots[place / MESSAGE_BLOCK_BYTES]) +
           place % MESSAGE_BLOCK_BYTES;
}

/* First wins: a byte that is held is never written again. */
static void state_first_wins(struct world *world, struct exchange *x,
                             const struct tcp_connection *c, const struct frame *frame)
{
    struct peer *peer = &x->peer;

    for (uint32_t i = 0; i < frame->payload_length; i++) {
        int64_t at = frame->position + i;
        uint32_t seq = peer_seq(peer, at);
        const uint8_t *byte = state_byte(world, c, seq);

        if ((int32_t)(seq - c->read_seq) < 0 || byte == NULL || !state_holds(c, seq, seq + 1))
            continue;
        if (peer->held[at] && peer->held_value[at] != *byte)
            world_fail(world, "#%u byte %lld was %02x and is overwritten with %02x", x->index,
                       (long long)at, peer->held_value[at], *byte);
        peer->held[at] = 1;
        peer->held_value[at] = *byte;
    }
}

void oracle_after_input(struct world *world, const struct frame *frame,
                        const struct oracle_before *before, enum counter outcome)
{
    const struct tcp_connection *c = before->connection;
    struct exchange *x;

    if ((frame->forged || frame->damaged) &&
        (outcome == COUNTER_TCP_IN_ACCEPTED || outcome == COUNTER_TCP_IN_RESET))
        world_fail(world, "a %s frame was taken as good: %s", frame->forged ? "forged" : "damaged",
                   counter_name(outcome));
    if (frame->exchange == WORLD_NONE || c == NULL || world->failed)
        return;
    x = &world->exchanges[frame->exchange];
    if (c->generation != before->generation || c->state == TCP_STATE_FREE || c->dying)
        return;
    if ((int32_t)(c->receive_next - before->receive_next) < 0)
        world_fail(world, "#%u RCV.NXT moved back", x->index);
    if (c->read_closed || c->state == TCP_STATE_TIME_WAIT)
        return;
    state_intervals(world, x, c);
    for (unsigned i = 0; i < before->interval_count; i++) {
        if (!state_holds(c, before->intervals[i][0], before->intervals[i][1]))
            world_fail(world, "#%u forgot %u bytes it held", x->index,
                       before->intervals[i][1] - before->intervals[i][0]);
    }
    if ((int32_t)(c->receive_next - c->last_ack_sent) > 0 && x->unacknowledged_ns == 0 && x->open)
        x->unacknowledged_ns = world->now_ns;
    if (x->peer.plan.two_versions && frame->position >= 0 && !frame->damaged && x->open)
        state_first_wins(world, x, c, frame);
}

/* Each block is held by those that name it; the rest is TCP's and the store's own affair, and ends
 * in a CHECK(). */
static void state_sound(struct world *world)
{
    int more = 0;
    uint32_t wrong;

    (void)store_sound(&world->store, NULL);
    (void)tcp_sound(&world->endpoint, NULL);
    wrong = holders_wrong(&world->store, &world->endpoint, &more);
    if (wrong != MESSAGE_BLOCK_NONE)
        world_fail(world, "block %u is held %d times more than it is named", wrong, more);
}

/* Stated bound: what a round sends is at most, for each frame, timer and call of the application,
 * three segments without payload and what a full send block makes in segments. */
void oracle_round(struct world *world)
{
    const struct worker_round *round = &world->round;
    unsigned causes = round->frames_in + round->timers + round->calls;

    if (round->bare_out > 3 * causes)
        world_fail(world, "%u segments without payload for %u causes", round->bare_out, causes);
    if (round->frames_out > causes * (4 + TCP_SEND_BYTES / world->payload_min))
        world_fail(world, "%u frames for %u causes", round->frames_out, causes);
    if (world->endpoint.dirty != TCP_NONE)
        world_fail(world, "tcp_flush() left something to send");
    if (world->store.free_count > world->store.block_count)
        world_fail(world, "more blocks free than there are");
    if (round->frames_in > 0 || round->timers > 0)
        state_sound(world);
}

/* The sums that the receive path and TCP answer for. */
static void state_counters(struct world *world)
{
    const struct counter_set *set = counter_set(ROW_WORKER);
    uint64_t values[COUNTER_COUNT];
    uint64_t outcomes;

    for (int i = 0; i < COUNTER_COUNT; i++)
        values[i] = region_cell(&world->counters->value[i]);
    outcomes = counter_total(set, "frame_* tcp_in_*", values);
    if (outcomes != world->frames_given)
        world_fail(world, "%llu frames given, %llu outcomes",
                   (unsigned long long)world->frames_given, (unsigned long long)outcomes);
    for (const struct counter_sum *sum = set->sums; sum->what != NULL; sum++) {
        uint64_t left = counter_total(set, sum->left, values);
        uint64_t right = counter_total(set, sum->right, values);

        if (left != right &&
            (strcmp(sum->what, "handshakes") == 0 || strcmp(sum->what, "connections") == 0))
            world_fail(world, "the sum of %s: %llu are %s, %llu %s", sum->what,
                       (unsigned long long)left, sum->left, (unsigned long long)right, sum->right);
    }
}

static void state_returned(struct world *world)
{
    const struct tcp_endpoint *endpoint = &world->endpoint;

    if (world->store.free_count != world->store.block_count)
        world_fail(world, "%u blocks were not given back",
                   world->store.block_count - world->store.free_count);
    if (world->store.free_slot_count != world->store.slot_count)
        world_fail(world, "%u messages were not given back",
                   world->store.slot_count - world->store.free_slot_count);
    if (endpoint->connection_count != 0 || endpoint->half_open_count != 0 ||
        endpoint->time_wait.count != 0)
        world_fail(world, "%u connections left, %u half open, %u in TIME-WAIT",
                   endpoint->connection_count, endpoint->half_open_count,
                   endpoint->time_wait.count);
    for (unsigned level = 0; level < 2; level++) {
        for (unsigned slot = 0; slot < TCP_WHEEL_SLOTS; slot++) {
            if (endpoint->wheel[level][slot] != TCP_NONE)
                world_fail(world, "the timer wheel is not empty");
        }
    }
    for (uint32_t i = 0; i <= endpoint->table_mask; i++) {
        if (endpoint->table[i] != TCP_NONE)
            world_fail(world, "the connection table is not empty");
    }
    for (uint32_t i = 0; i <= endpoint->clients.mask; i++) {
        for (uint32_t at = endpoint->clients.table[i]; at != TCP_NONE;
             at = endpoint->clients.entries[at].next) {
            if (endpoint->clients.entries[at].connections != 0)
                world_fail(world, "a client is still counted with a connection");
        }
    }
}

/* The server speaks first: a client whose every answer to a SYN-ACK was lost, and who has nothing
 * to say, is not known to anybody when its half-open connection has expired. */
static bool state_never_heard(const struct world *world, const struct exchange *x)
{
    return !x->opened && x->peer.max == 0 && x->peer.end == PEER_DID_GIVE_UP &&
           region_cell(&world->counters->value[COUNTER_HALF_OPEN_EXPIRED]) > 0;
}

static void state_exchange(struct world *world, struct exchange *x)
{
    struct peer *peer = &x->peer;

    if (peer->end == PEER_END_NONE)
        world_fail(world,
                   "#%u never ended: sent %lld of %lld, acknowledged %lld, window to %lld; "
                   "received %lld of %lld",
                   x->index, (long long)peer->next, (long long)peer->total, (long long)peer->una,
                   (long long)peer->edge, (long long)peer->receive_next, (long long)x->reply_count);
    if (x->opened && !x->ended)
        world_fail(world, "#%u was opened and never closed", x->index);
    if (state_never_heard(world, x))
        x->clean = false;
    if (!x->clean || (world->mail && mail_excused(world, x)))
        return;
    if (peer->end != PEER_COMPLETED || !x->opened)
        world_fail(world,
                   "#%u should have completed: end %d, sent %lld of %lld, acknowledged %lld, "
                   "received %lld of %lld",
                   x->index, (int)peer->end, (long long)peer->next, (long long)peer->total,
                   (long long)peer->una, (long long)peer->receive_next, (long long)x->reply_count);
    if (x->reason != TCP_CLOSED_NORMAL && x->reason != TCP_CLOSED_RESET)
        world_fail(world, "#%u completed, but ended with reason %d", x->index, (int)x->reason);
    if (peer->receive_next != x->reply_count)
        world_fail(world, "#%u received %lld of %lld reply bytes", x->index,
                   (long long)peer->receive_next, (long long)x->reply_count);
    if (!world->mail &&
        (x->recorder.read != peer->written || x->reply_count != x->recorder.reply_total))
        world_fail(world, "#%u %lld bytes delivered of %lld, %lld replied of %lld", x->index,
                   (long long)x->recorder.read, (long long)peer->written, (long long)x->reply_count,
                   (long long)x->recorder.reply_total);
}

void oracle_end(struct world *world)
{
    for (uint32_t i = 0; i < world->exchange_count && !world->failed; i++)
        state_exchange(world, &world->exchanges[i]);
    if (world->mail)
        mail_check(world);
    if (world->failed)
        return;
    state_returned(world);
    state_counters(world);
}

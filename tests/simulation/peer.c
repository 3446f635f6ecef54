/* The sender: its life from SYN to TIME-WAIT, its timers, and the application that writes. */
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "platform/check.h"
#include "world.h"

#define PEER_RTO_FIRST_NS WORLD_SECOND

void peer_reserve(struct peer *peer, int64_t total)
{
    size_t size;

    if (peer->bytes != NULL && total <= peer->capacity)
        return;
    size = (size_t)total + 4096;
    peer->bytes = realloc(peer->bytes, size);
    peer->arrived = realloc(peer->arrived, size);
    CHECK(peer->bytes != NULL && peer->arrived != NULL);
    memset(peer->arrived + peer->capacity, 0, size - (size_t)peer->capacity);
    peer->capacity = (int64_t)size;
}

static void peer_two_versions(struct exchange *x)
{
    struct peer *peer = &x->peer;
    size_t size = (size_t)peer->plan.total + 1;

    peer->other_bytes = malloc(size);
    peer->versions = calloc(1, size);
    peer->held = calloc(1, size);
    peer->held_value = calloc(1, size);
    CHECK(peer->other_bytes != NULL && peer->versions != NULL && peer->held != NULL &&
          peer->held_value != NULL);
    for (int64_t i = 0; i < peer->plan.total; i++)
        peer->other_bytes[i] = (uint8_t)~peer->bytes[i];
}

/* A new sequence number space: beyond everything the tuple used before, so that old duplicates are
 * told apart (RFC 9293 3.4.1); now and then just before it wraps. */
static uint32_t peer_first_seq(struct exchange *x)
{
    struct world *world = x->world;
    uint32_t previous = world->tuples[x->peer.plan.tuple];

    if (previous != WORLD_NONE && previous != x->index) {
        const struct peer *before = &world->exchanges[previous].peer;

        return peer_seq(before, before->max) + 65536 +
               (uint32_t)random_below(&world->random, 1000000);
    }
    if (random_chance(&world->random, 5000))
        return 0u - (uint32_t)random_size(&world->random, 1, x->peer.plan.total + 100);
    if (random_chance(&world->random, 5000))
        return 0x80000000u - (uint32_t)random_size(&world->random, 1, x->peer.plan.total + 100);
    return (uint32_t)random_next(&world->random);
}

static uint32_t peer_first_clock(const struct exchange *x)
{
    struct world *world = x->world;
    uint32_t previous = world->tuples[x->peer.plan.tuple];

    if (previous != WORLD_NONE && previous != x->index)
        return peer_timestamp(&world->exchanges[previous]) + 1;
    if (random_chance(&world->random, 5000)) /* wraps within the run */
        return 0u - (uint32_t)random_size(&world->random, 1, 20000);
    return (uint32_t)random_next(&world->random);
}

void peer_start(struct exchange *x)
{
    struct peer *peer = &x->peer;
    struct world *world = x->world;
    uint32_t previous = world->tuples[peer->plan.tuple];

    /* The tuple's last connection must have ended on its side. */
    if (previous != WORLD_NONE && world->exchanges[previous].peer.state != PEER_GONE) {
        int64_t later_ns = world->now_ns + 100 * WORLD_MS;

        events_add(&world->events, later_ns, EVENT_START, x->index, NULL);
        return;
    }
    x->previous = previous;
    peer->clock_offset = 0;
    peer->iss = peer_first_seq(x);
    peer->clock_offset = peer_first_clock(x) - peer_timestamp(x);
    world->tuples[peer->plan.tuple] = x->index;
    peer_reserve(peer, peer->plan.total);
    if (x->dialogue == NULL)
        random_fill(&world->random, peer->bytes, (size_t)peer->plan.total);
    if (peer->plan.two_versions)
        peer_two_versions(x);
    peer->total = peer->plan.total;
    peer->state = PEER_SYN_SENT;
    peer->rto_ns = PEER_RTO_FIRST_NS;
    peer->cwnd = 10;
    peer->timed_position = -1;
    peer->promised = peer->plan.window_bytes < 65535 ? peer->plan.window_bytes : 65535;
    peer->give_up_ns = world->now_ns + peer->plan.give_up_ns;
    peer_send_syn(x);
    if (peer->plan.floods) {
        peer->silent = true;
        peer_finished(x, PEER_DID_VANISH);
        return;
    }
    peer->retransmit_ns = world->now_ns + peer->rto_ns;
    peer_schedule(x);
}

void peer_finished(struct exchange *x, enum peer_end end)
{
    struct peer *peer = &x->peer;
    static const char *const texts[] = {"?",     "completed", "was reset", "was refused",
                                        "reset", "vanished",  "gave up"};

    if (peer->end != PEER_END_NONE)
        return;
    world_trace(x->world, "#%u sender %s", x->index, texts[end]);
    peer->end = end;
    x->world->done_count++;
    if (end == PEER_COMPLETED) {
        x->world->connections_completed++;
        peer->state = PEER_TIME_WAIT;
        peer->retransmit_ns = 0;
        peer->persist_ns = 0;
        peer->ack_ns = 0;
        peer->read_ns = 0;
        peer->write_ns = 0;
        peer->trouble_ns = 0;
        peer->give_up_ns = 0;
        peer->end_ns = x->world->now_ns + peer->plan.time_wait_ns;
        peer_schedule(x);
        return;
    }
    peer->state = PEER_GONE;
}

static int64_t peer_next_deadline(const struct peer *peer)
{
    const int64_t deadlines[] = {peer->retransmit_ns, peer->persist_ns, peer->ack_ns,
                                 peer->read_ns,       peer->write_ns,   peer->trouble_ns,
                                 peer->end_ns,        peer->give_up_ns};
    int64_t next = 0;

    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        if (deadlines[i] != 0 && (next == 0 || deadlines[i] < next))
            next = deadlines[i];
    }
    return next;
}

void peer_schedule(struct exchange *x)
{
    struct peer *peer = &x->peer;
    int64_t next = peer_next_deadline(peer);

    if (peer->state == PEER_GONE || next == 0)
        return;
    if (next < x->world->now_ns)
        next = x->world->now_ns;
    if (peer->event_ns == 0 || next < peer->event_ns) {
        peer->event_ns = next;
        events_add(&x->world->events, next, EVENT_PEER, x->index, NULL);
    }
}

static bool peer_due(int64_t *deadline_ns, int64_t now_ns)
{
    if (*deadline_ns == 0 || *deadline_ns > now_ns)
        return false;
    *deadline_ns = 0;
    return true;
}

/* The application of the recording mode writes its next piece. */
static void peer_write(struct exchange *x)
{
    struct peer *peer = &x->peer;
    struct world *world = x->world;
    int64_t piece = random_size(&world->random, 1, peer->plan.write_max);

    if (piece > peer->total - peer->written)
        piece = peer->total - peer->written;
    peer->written += piece;
    if (peer->written == peer->total) {
        if (!peer->plan.waits_for_fin || peer->fin_seen)
            peer->fin_wanted = true;
    } else {
        int64_t gap_ns = random_chance(&world->random, 7000)
                             ? 0
                             : random_size(&world->random, 1000, peer->plan.gap_ns);

        peer->write_ns = world->now_ns + gap_ns;
    }
    peer_push(x);
}

/* The sender's application reads from its receive buffer, and TCP says so. */
static void peer_read(struct exchange *x)
{
    struct peer *peer = &x->peer;
    int64_t piece = random_size(&x->world->random, 1, peer->plan.read_max);
    int64_t opened;

    if (piece > peer->receive_next - peer->read)
        piece = peer->receive_next - peer->read;
    peer->read += piece;
    if (peer->read < peer->receive_next)
        peer->read_ns =
            x->world->now_ns + random_size(&x->world->random, 1000, peer->plan.read_gap_ns);
    opened = peer->read + peer->plan.window_bytes - peer->updated;
    if (!peer->plan.silent_updates && !peer->fin_seen &&
        (opened >= 2 * (int64_t)peer->offered_mss || opened >= peer->plan.window_bytes / 2))
        peer_send_ack(x);
}

static void peer_trouble(struct exchange *x)
{
    struct peer *peer = &x->peer;

    if (peer->plan.vanishes) {
        peer->silent = true;
        peer_finished(x, PEER_DID_VANISH);
        return;
    }
    peer_send_reset(x);
    peer_finished(x, PEER_DID_RESET);
}

void peer_timer(struct exchange *x, int64_t at_ns)
{
    struct peer *peer = &x->peer;
    int64_t now_ns = x->world->now_ns;

    if (peer->event_ns == at_ns)
        peer->event_ns = 0;
    if (peer->state == PEER_GONE)
        return;
    if (peer_due(&peer->end_ns, now_ns))
        peer->state = PEER_GONE;
    else if (peer_due(&peer->give_up_ns, now_ns)) {
        peer_send_reset(x);
        peer_finished(x, PEER_DID_GIVE_UP);
    } else if (peer_due(&peer->trouble_ns, now_ns))
        peer_trouble(x);
    if (peer->state == PEER_GONE)
        return;
    if (peer_due(&peer->read_ns, now_ns))
        peer_read(x);
    if (peer_due(&peer->write_ns, now_ns)) {
        if (x->dialogue != NULL)
            dialogue_timer(x);
        else
            peer_write(x);
    }
    if (peer_due(&peer->retransmit_ns, now_ns))
        peer_timed_out(x);
    if (peer_due(&peer->persist_ns, now_ns))
        peer_probe(x);
    if (peer_due(&peer->ack_ns, now_ns))
        peer_send_ack(x);
    peer_schedule(x);
}

/* A host that knows of no such connection answers as RFC 9293 3.10.7.1 says. */
void peer_host_reset(struct world *world, struct exchange *x, const struct wire_segment *segment)
{
    struct wire_segment reset;
    struct frame *frame;
    uint8_t bytes[256];

    if (segment->flags & WIRE_RST)
        return;
    peer_fill(x, &reset);
    reset.has_timestamp = false;
    reset.window = 0;
    if (segment->flags & WIRE_ACK) {
        reset.flags = WIRE_RST;
        reset.seq = segment->ack;
    } else {
        reset.flags = WIRE_RST | WIRE_ACK;
        reset.ack = segment->seq + segment->payload_length +
                    ((segment->flags & (WIRE_SYN | WIRE_FIN)) != 0);
    }
    frame = network_frame(wire_build(&reset, bytes));
    memcpy(frame->bytes, bytes, frame->length);
    frame->tuple = x->peer.plan.tuple;
    world_trace(world, "#%u host RST seq %u", x->index, reset.seq);
    network_carry(world, frame, true);
}

void peer_arrival(struct world *world, const struct frame *frame)
{
    struct wire_segment segment;
    struct exchange *x;
    uint32_t tuple;

    if (wire_read(frame->bytes, frame->length, &segment) != NULL)
        return; /* damaged on the way */
    tuple = (uint16_t)(segment.destination_port - world->port_base);
    if (segment.source_port != WORLD_PORT)
        return; /* an answer to something this host has not sent */
    if (tuple >= world->tuple_count || world->tuples[tuple] == WORLD_NONE)
        return;
    x = &world->exchanges[world->tuples[tuple]];
    if (x->peer.silent)
        return;
    if (x->peer.state == PEER_GONE)
        peer_host_reset(world, x, &segment);
    else
        peer_input(x, &segment);
    peer_schedule(x);
}

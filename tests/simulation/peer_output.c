/* What the sender sends: RFC 9293 as a client speaks it, with every liberty a legal sender has. */
#include <string.h>

#include "platform/check.h"
#include "world.h"

#define PEER_RTO_MAX_NS (8 * WORLD_SECOND)

uint32_t peer_timestamp(const struct exchange *x)
{
    const struct peer *peer = &x->peer;

    return (uint32_t)((x->world->now_ns - x->world->start_ns) / peer->plan.clock_ns) +
           peer->clock_offset;
}

void peer_fill(struct exchange *x, struct wire_segment *segment)
{
    const struct peer *peer = &x->peer;
    const struct ip_interface *interface = &x->world->ip.interfaces[0];

    memset(segment, 0, sizeof(*segment));
    memcpy(segment->source_mac, peer->mac, 6);
    memcpy(segment->destination_mac, interface->mac, 6);
    segment->vlan = peer->vlan;
    segment->ipv6 = peer->ipv6;
    memcpy(segment->source, peer->address, 16);
    if (peer->ipv6)
        memcpy(segment->destination, interface->address6, 16);
    else
        memcpy(segment->destination, interface->address, 4);
    segment->source_port = peer->port;
    segment->destination_port = WORLD_PORT;
    segment->arrangement = random_next(&x->world->random);
    if (peer->plan.ip_options)
        segment->ip_option_words = 1 + (uint32_t)(segment->arrangement >> 20 & 3);
    if (peer->plan.trailing_bytes)
        segment->padding = (uint32_t)(segment->arrangement >> 24 & 31);
    if (peer->timestamp) {
        segment->has_timestamp = true;
        segment->timestamp = peer_timestamp(x);
        segment->timestamp_echo = peer->timestamp_recent;
    }
}

/* The window field now, and the promise that goes with it. */
static uint16_t peer_window(struct peer *peer)
{
    int64_t edge = peer->read + peer->plan.window_bytes;
    unsigned scale = peer->scale ? peer->offered_scale : 0;
    int64_t field = (edge - peer->receive_next) >> scale;

    if (field < 0)
        field = 0;
    if (field > 65535)
        field = 65535;
    peer->updated = peer->receive_next + (field << scale);
    if (peer->updated > peer->promised)
        peer->promised = peer->updated;
    return (uint16_t)field;
}

/* Up to `most` runs of bytes that came out of order, the latest first (RFC 2018 4). */
static void peer_fill_sack(const struct exchange *x, struct wire_segment *segment, unsigned most)
{
    const struct peer *peer = &x->peer;
    int64_t limit = peer->receive_next + peer->plan.window_bytes;
    int64_t at = peer->receive_next;

    if (limit > peer->got_capacity)
        limit = peer->got_capacity;
    while (at < limit && segment->sack_count < most) {
        int64_t start;

        while (at < limit && !peer->got[at])
            at++;
        start = at;
        while (at < limit && peer->got[at])
            at++;
        if (at == start)
            break;
        segment->sack[segment->sack_count][0] = peer->irs + 1 + (uint32_t)start;
        segment->sack[segment->sack_count][1] = peer->irs + 1 + (uint32_t)at;
        if (start <= peer->last_out_of_order && peer->last_out_of_order < at) {
            uint32_t first[2] = {segment->sack[0][0], segment->sack[0][1]};

            memcpy(segment->sack[0], segment->sack[segment->sack_count], sizeof(first));
            memcpy(segment->sack[segment->sack_count], first, sizeof(first));
        }
        segment->sack_count++;
    }
}

static void peer_emit(struct exchange *x, struct wire_segment *segment, int64_t position)
{
    uint8_t bytes[WIRE_FRAME_BYTES_MAX];
    struct frame *frame = network_frame(wire_build(segment, bytes));

    memcpy(frame->bytes, bytes, frame->length);
    frame->exchange = x->index;
    frame->tuple = x->peer.plan.tuple;
    frame->position = position;
    frame->payload_length = segment->payload_length;
    frame->payload_offset = frame->length - segment->padding - segment->payload_length;
    frame->fin = (segment->flags & WIRE_FIN) != 0;
    world_trace(x->world, "#%u -> %s%s%s%sseq %u (%lld) len %u ack %u (%lld) win %u%s", x->index,
                segment->flags & WIRE_SYN ? "SYN " : "", segment->flags & WIRE_FIN ? "FIN " : "",
                segment->flags & WIRE_RST ? "RST " : "", segment->flags & WIRE_PSH ? "PSH " : "",
                segment->seq, (long long)position, segment->payload_length, segment->ack,
                (long long)x->peer.receive_next, segment->window,
                segment->sack_count > 0 ? " sack" : "");
    network_carry(x->world, frame, true);
}

void peer_send_syn(struct exchange *x)
{
    struct peer *peer = &x->peer;
    struct wire_segment segment;

    peer_fill(x, &segment);
    segment.flags = WIRE_SYN;
    segment.seq = peer->iss;
    segment.window = (uint16_t)peer->promised;
    segment.has_mss = peer->offer_mss;
    segment.mss = peer->offered_mss;
    segment.has_scale = peer->offer_scale;
    segment.scale = peer->offered_scale;
    segment.sack_ok = peer->offer_sack;
    segment.has_timestamp = peer->offer_timestamp;
    segment.timestamp = peer_timestamp(x);
    peer_emit(x, &segment, -1);
}

/* ACK field and what goes with it, for every segment of a connection that is up. */
static void peer_fill_state(struct exchange *x, struct wire_segment *segment, uint8_t flags)
{
    struct peer *peer = &x->peer;

    peer_fill(x, segment);
    segment->flags = flags;
    segment->ack = peer->irs + 1 + (uint32_t)peer->receive_next + (peer->fin_seen ? 1 : 0);
    segment->window = peer_window(peer);
    peer->ack_ns = 0;
    peer->unacknowledged = 0;
}

void peer_send_ack(struct exchange *x)
{
    struct wire_segment segment;

    peer_fill_state(x, &segment, WIRE_ACK);
    segment.seq = peer_seq(&x->peer, x->peer.highest);
    if (x->peer.sack)
        peer_fill_sack(x, &segment, x->peer.timestamp ? 3 : 4);
    peer_emit(x, &segment, -1);
}

void peer_send_reset(struct exchange *x)
{
    struct wire_segment segment;

    if (x->peer.state == PEER_SYN_SENT) {
        peer_fill(x, &segment);
        segment.flags = WIRE_RST;
    } else {
        peer_fill_state(x, &segment, WIRE_RST | WIRE_ACK);
    }
    segment.seq = peer_seq(&x->peer, x->peer.highest);
    segment.has_timestamp = false;
    peer_emit(x, &segment, -1);
}

/* Chooses which of the two versions goes out, and remembers it. */
static const uint8_t *peer_version(struct exchange *x, int64_t position, int64_t length)
{
    struct peer *peer = &x->peer;
    unsigned version;

    if (!peer->plan.two_versions)
        return peer->bytes + position;
    version = (unsigned)random_below(&x->world->random, 2);
    for (int64_t i = 0; i < length; i++)
        peer->versions[position + i] |= (uint8_t)(1u << version);
    return (version == 0 ? peer->bytes : peer->other_bytes) + position;
}

static void peer_send_data(struct exchange *x, int64_t position, int64_t length, bool fin)
{
    struct peer *peer = &x->peer;
    struct wire_segment segment;
    int64_t end = position + length + (fin ? 1 : 0);

    peer_fill_state(x, &segment,
                    (uint8_t)(WIRE_ACK | (fin ? WIRE_FIN : 0) |
                              (position + length == peer->written ? WIRE_PSH : 0)));
    segment.seq = peer_seq(peer, position);
    segment.payload = peer_version(x, position, length);
    segment.payload_length = (uint32_t)length;
    if (end > peer->max) {
        peer->max = end;
        if (peer->timed_position < 0) {
            peer->timed_position = end;
            peer->timed_ns = x->world->now_ns;
        }
    } else {
        peer->timed_position = -1; /* Karn */
    }
    peer_emit(x, &segment, position);
}

/* The most a segment carries: what they allow, what our own link takes. */
static int64_t peer_payload_max(const struct exchange *x)
{
    const struct peer *peer = &x->peer;
    int64_t most = (int64_t)x->world->to_server.mtu - (peer->ipv6 ? 60 : 40);

    if (peer->their_mss < most)
        most = peer->their_mss;
    if (peer->timestamp)
        most -= 12;
    if (peer->plan.ip_options)
        most -= peer->ipv6 ? 32 : 16;
    return most > 1 ? most : 1;
}

static int64_t peer_segment_length(struct exchange *x, int64_t most)
{
    int64_t full = peer_payload_max(x);

    if (most > full)
        most = full;
    switch (x->peer.plan.segments) {
    case PEER_RANDOM_SEGMENTS:
        return random_chance(&x->world->random, 3000) ? most
                                                      : random_between(&x->world->random, 1, most);
    case PEER_TINY_SEGMENTS:
        return random_between(&x->world->random, 1, most < 4 ? most : 4);
    case PEER_FULL_SEGMENTS:
        break;
    }
    return most;
}

/* Sends again, with other boundaries, some of what is in flight: it may reach into what is new. */
static void peer_send_overlap(struct exchange *x)
{
    struct peer *peer = &x->peer;
    struct random *random = &x->world->random;
    int64_t from = peer->una > 300 ? peer->una - 300 : 0;
    int64_t limit = peer->edge < peer->written ? peer->edge : peer->written;
    int64_t start;
    int64_t length;

    if (limit <= from)
        return;
    start = random_between(random, from, peer->next < limit ? peer->next : limit - 1);
    if (start >= limit)
        return;
    length = random_between(random, 1, peer_payload_max(x));
    if (length > limit - start)
        length = limit - start;
    peer_send_data(x, start, length, false);
    if (start <= peer->next && start + length > peer->next)
        peer->next = start + length;
}

/* Garbage where nobody may take it: far beyond the window, or long acknowledged. */
static void peer_send_wild(struct exchange *x, bool old)
{
    struct peer *peer = &x->peer;
    struct random *random = &x->world->random;
    struct wire_segment segment;
    uint8_t garbage[64];
    uint32_t away;

    peer_fill_state(x, &segment, WIRE_ACK);
    random_fill(random, garbage, sizeof(garbage));
    segment.payload = garbage;
    segment.payload_length = (uint32_t)random_between(random, 0, sizeof(garbage));
    if (old) {
        away = segment.payload_length + (uint32_t)random_size(random, 0, 100000);
        segment.seq = peer_seq(peer, peer->una) - (away > 0 ? away : 1);
    } else {
        segment.seq =
            peer_seq(peer, peer->max) + 1000000 + (uint32_t)random_below(random, 1u << 30);
    }
    peer_emit(x, &segment, -1);
}

static void peer_arm(struct exchange *x)
{
    struct peer *peer = &x->peer;
    bool waiting = peer->next < peer->written;

    if (peer->highest < peer->next)
        peer->highest = peer->next;

    if (peer->una < peer->max && peer->retransmit_ns == 0)
        peer->retransmit_ns = x->world->now_ns + peer->rto_ns;
    if (peer->una == peer->max)
        peer->retransmit_ns = 0;
    if (waiting && peer->una == peer->next && peer->edge <= peer->next) {
        if (peer->persist_ns == 0)
            peer->persist_ns = x->world->now_ns + peer->rto_ns;
    } else {
        peer->persist_ns = 0;
    }
    peer_schedule(x);
}

/* In a recovery by SACK nothing that was reported is sent again. */
static void peer_skip_sacked(struct peer *peer)
{
    for (unsigned i = 0; i < peer->sacked_count; i++) {
        if (peer->next >= peer->sacked[i].start && peer->next < peer->sacked[i].end)
            peer->next = peer->sacked[i].end;
    }
}

static int64_t peer_until_sacked(const struct peer *peer, int64_t limit)
{
    for (unsigned i = 0; i < peer->sacked_count; i++) {
        if (peer->sacked[i].start > peer->next && peer->sacked[i].start < limit)
            limit = peer->sacked[i].start;
    }
    return limit;
}

static void peer_send_extras(struct exchange *x)
{
    struct random *random = &x->world->random;

    if (random_chance(random, x->peer.plan.overlap))
        peer_send_overlap(x);
    if (random_chance(random, x->peer.plan.wild))
        peer_send_wild(x, false);
    if (random_chance(random, x->peer.plan.keep))
        peer_send_wild(x, true);
}

void peer_push(struct exchange *x)
{
    struct peer *peer = &x->peer;

    if (peer->state != PEER_OPEN)
        return;
    for (unsigned sent = 0; sent < peer->plan.burst; sent++) {
        int64_t limit = peer->una + peer->cwnd * peer_payload_max(x);
        int64_t length;
        bool fin;

        peer_skip_sacked(peer);
        if (peer->next == peer->written && peer->fin_wanted) {
            peer_send_data(x, peer->next, 0, true);
            peer->next++;
        }
        if (limit > peer->written)
            limit = peer->written;
        if (limit > peer->edge)
            limit = peer->edge;
        limit = peer_until_sacked(peer, limit);
        if (peer->next >= limit)
            break;
        length = peer_segment_length(x, limit - peer->next);
        fin = peer->fin_wanted && peer->plan.fin_with_data && peer->next + length == peer->written;
        peer_send_data(x, peer->next, length, fin);
        peer->next += length + (fin ? 1 : 0);
        if (peer->highest < peer->next)
            peer->highest = peer->next;
        peer_send_extras(x);
    }
    peer_arm(x);
}

void peer_retransmit_first(struct exchange *x)
{
    struct peer *peer = &x->peer;
    int64_t most = (peer->max < peer->written ? peer->max : peer->written) - peer->una;
    int64_t length = most > 0 ? peer_segment_length(x, most) : 0;
    bool fin = peer->fin_wanted && peer->una + length == peer->written && peer->max > peer->written;

    if (length > 0 || fin)
        peer_send_data(x, peer->una, length, fin);
}

/* The first bytes beyond `repaired` that are missing below something reported (RFC 6675, roughly).
 */
void peer_retransmit_hole(struct exchange *x)
{
    struct peer *peer = &x->peer;
    int64_t at = peer->repaired > peer->una ? peer->repaired : peer->una;
    int64_t end = 0;

    for (unsigned i = 0; i < peer->sacked_count; i++) {
        if (at >= peer->sacked[i].start && at < peer->sacked[i].end)
            at = peer->sacked[i].end;
        else if (at < peer->sacked[i].start) {
            end = peer->sacked[i].start;
            break;
        }
    }
    if (end > peer->written)
        end = peer->written;
    if (end <= at)
        return;
    end = at + peer_segment_length(x, end - at);
    peer_send_data(x, at, end - at, false);
    peer->repaired = end;
}

void peer_timed_out(struct exchange *x)
{
    struct peer *peer = &x->peer;

    peer->rto_ns = 2 * peer->rto_ns < PEER_RTO_MAX_NS ? 2 * peer->rto_ns : PEER_RTO_MAX_NS;
    if (peer->state == PEER_SYN_SENT) {
        peer_send_syn(x);
        peer->retransmit_ns = x->world->now_ns + peer->rto_ns;
        return;
    }
    if (peer->una == peer->max)
        return;
    /* What was reported may have been forgotten since (RFC 2018 8). */
    peer->sacked_count = 0;
    peer->duplicates = 0;
    peer->recovering = false;
    peer->cwnd = 1;
    peer->next = peer->una;
    peer_push(x);
    peer->retransmit_ns = x->world->now_ns + peer->rto_ns;
}

void peer_probe(struct exchange *x)
{
    struct peer *peer = &x->peer;

    if (peer->next >= peer->written)
        return;
    peer->rto_ns = 2 * peer->rto_ns < PEER_RTO_MAX_NS ? 2 * peer->rto_ns : PEER_RTO_MAX_NS;
    peer_send_data(x, peer->next, 1, false);
    peer_arm(x);
    peer->persist_ns = x->world->now_ns + peer->rto_ns;
}

/* What must hold of every frame that leaves, and of every byte that is delivered. */
#include "oracle.h"

#include <string.h>

#include "world.h"

#define ORACLE_MSS_MIN 64u              /* a smaller offer is raised (docs/tcp-profile.md) */
#define ORACLE_ACK_NS  (500 * WORLD_MS) /* RFC 9293 3.8.6.3 */

struct exchange *oracle_exchange(struct world *world, const struct tcp_connection *c)
{
    return &world->exchanges[world->connection_exchange[c->index]];
}

struct tcp_connection *oracle_connection(struct world *world, const struct exchange *x)
{
    struct tcp_connection *c;

    if (!x->opened)
        return NULL;
    c = tcp_at(&world->endpoint, x->handle.index);
    return c->generation == x->handle.generation ? c : NULL;
}

struct exchange *oracle_by_ack(struct world *world, uint32_t tuple, uint32_t ack)
{
    uint32_t index = world->tuples[tuple];

    while (index != WORLD_NONE) {
        struct exchange *x = &world->exchanges[index];
        uint32_t away = ack - peer_seq(&x->peer, 0);

        if (away <= (uint32_t)x->peer.max)
            return x;
        index = x->previous;
    }
    return NULL;
}

/* The bytes are those the sender sent there; where it sent two versions, one of them, and always
 * the same. */
void oracle_delivered(struct exchange *x, int64_t position, const uint8_t *bytes, uint32_t length)
{
    struct peer *peer = &x->peer;

    if (position + length > peer->written || position + length > peer->arrived_prefix) {
        world_fail(x->world, "#%u delivers up to %lld, but only %lld bytes came without a gap",
                   x->index, (long long)position + length, (long long)peer->arrived_prefix);
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        int64_t at = position + i;
        unsigned version = bytes[i] == peer->bytes[at] ? 1 : 2;

        if (!peer->plan.two_versions) {
            if (memcmp(bytes, peer->bytes + position, length) == 0)
                return;
            if (bytes[i] == peer->bytes[at])
                continue;
        } else if ((peer->versions[at] & version) != 0 &&
                   (version == 1 || bytes[i] == peer->other_bytes[at]) &&
                   (!peer->held[at] || peer->held_value[at] == bytes[i])) {
            peer->held[at] = 1;
            peer->held_value[at] = bytes[i];
            continue;
        }
        world_fail(x->world, "#%u byte %lld delivered as %02x, was sent as %02x", x->index,
                   (long long)at, bytes[i], peer->bytes[at]);
        return;
    }
}

static void oracle_syn_ack(struct exchange *x, const struct wire_segment *s)
{
    const struct peer *peer = &x->peer;
    struct world *world = x->world;

    if (s->ack != peer->iss + 1 || s->payload_length != 0)
        world_fail(world, "#%u SYN-ACK acknowledges %u instead of %u", x->index, s->ack,
                   peer->iss + 1);
    if ((s->has_scale && !peer->offer_scale) || (s->has_timestamp && !peer->offer_timestamp) ||
        (s->sack_ok && !peer->offer_sack) || s->sack_count > 0)
        world_fail(world, "#%u SYN-ACK with an option that was not offered", x->index);
    if (!s->has_mss || s->mss > world->ip.interfaces[0].mtu - (peer->ipv6 ? 60 : 40))
        world_fail(world, "#%u SYN-ACK with an MSS of %u", x->index, s->mss);
    if (!x->opened) {
        x->edge = s->ack + s->window;
        x->has_edge = true;
        x->has_timestamp = s->has_timestamp;
        x->timestamp = s->timestamp;
    }
}

/* Up to where a promise may go in DATA: what is reserved, and what was promised before. */
static uint32_t oracle_backed(const struct tcp_connection *c)
{
    uint32_t reserved = c->base_seq + c->slot_count * MESSAGE_BLOCK_BYTES;

    return c->slot_count > 0 && (int32_t)(reserved - c->promised_edge) > 0 ? reserved
                                                                           : c->promised_edge;
}

/* The promise never shrinks (what rounding to the scale adds to it may come and go, RFC 7323 2.4),
 * and in DATA grows only over reserved memory. */
static void oracle_window(struct exchange *x, const struct wire_segment *s)
{
    const struct peer *peer = &x->peer;
    struct world *world = x->world;
    uint32_t unit = 1u << (peer->scale ? peer->their_scale : 0);
    uint32_t window = s->window * unit;
    uint32_t edge = s->ack + window;
    const struct tcp_connection *c = oracle_connection(world, x);

    if (x->has_edge && (int32_t)(edge - x->edge) <= -(int32_t)unit)
        world_fail(world, "#%u takes %d bytes of its window back", x->index,
                   (int32_t)(x->edge - edge));
    if (c != NULL && c->expect == TCP_EXPECT_DATA && !c->read_closed &&
        (int32_t)(edge - (unit - 1) - oracle_backed(c)) > 0)
        world_fail(world, "#%u promises more in DATA than it has reserved", x->index);
    if (window > world->endpoint.limits.window_bytes + 2 * MESSAGE_BLOCK_BYTES)
        world_fail(world, "#%u window of %u bytes", x->index, window);
    if ((int32_t)(edge - x->edge) > 0)
        x->edge = edge;
}

static void oracle_acknowledgement(struct exchange *x, const struct wire_segment *s)
{
    struct peer *peer = &x->peer;
    struct world *world = x->world;
    int64_t position = (int64_t)(s->ack - peer_seq(peer, 0));
    int64_t most = peer->arrived_prefix;

    if (peer->fin_arrived && peer->arrived_prefix == peer->written)
        most++;
    if (position > most)
        world_fail(world, "#%u acknowledges %lld, but only %lld came without a gap", x->index,
                   (long long)position, (long long)most);
    if (position < x->acked)
        world_fail(world, "#%u acknowledges %lld after %lld", x->index, (long long)position,
                   (long long)x->acked);
    x->acked = position;
    if (x->unacknowledged_ns > world->stall_until_ns && !world->lenient_acks &&
        world->now_ns - x->unacknowledged_ns >
            ORACLE_ACK_NS + (world->now_ns - world->latest_round_ns))
        world_fail(world, "#%u acknowledged only after %lld ms", x->index,
                   (long long)((world->now_ns - x->unacknowledged_ns) / WORLD_MS));
    x->unacknowledged_ns = 0;
}

static void oracle_sack(struct exchange *x, const struct wire_segment *s)
{
    const struct peer *peer = &x->peer;

    for (unsigned i = 0; i < s->sack_count; i++) {
        int64_t start = (int64_t)x->acked + (int32_t)(s->sack[i][0] - s->ack);
        int64_t end = (int64_t)x->acked + (int32_t)(s->sack[i][1] - s->ack);
        bool below = start < x->acked; /* a D-SACK, which comes first (RFC 2883) */

        if (below && i == 0 && end <= x->acked && end > start)
            continue; /* whatever it was that came again */
        if (start >= end || end > peer->max || below) {
            world_fail(x->world, "#%u SACK block %u is %lld..%lld, acknowledged %lld of %lld",
                       x->index, i, (long long)start, (long long)end, (long long)x->acked,
                       (long long)peer->max);
            return;
        }
        for (int64_t at = start; at < end; at++) {
            if (at < peer->written && !peer->arrived[at]) {
                world_fail(x->world, "#%u SACK reports byte %lld, which has not come", x->index,
                           (long long)at);
                return;
            }
        }
    }
}

static void oracle_payload(struct exchange *x, const struct wire_segment *s)
{
    const struct peer *peer = &x->peer;
    struct world *world = x->world;
    int64_t position =
        peer->receive_next + (int32_t)(s->seq - (peer->irs + 1 + (uint32_t)peer->receive_next));
    int64_t end = position + s->payload_length;
    uint32_t mss = peer->offer_mss ? peer->offered_mss : peer->ipv6 ? 1220 : 536;

    if (mss < ORACLE_MSS_MIN)
        mss = ORACLE_MSS_MIN;
    if (s->payload_length + s->option_bytes > mss)
        world_fail(world, "#%u segment of %u bytes and %u of options, MSS %u", x->index,
                   s->payload_length, s->option_bytes, mss);
    if (position < 0 || end > x->reply_count + (s->payload_length == 0 ? 1 : 0)) {
        world_fail(world, "#%u sends %lld..%lld, queued were %lld", x->index, (long long)position,
                   (long long)end, (long long)x->reply_count);
        return;
    }
    if (s->payload_length > 0 && memcmp(s->payload, x->replies + position, s->payload_length) != 0)
        world_fail(world, "#%u sends other bytes than were queued at %lld", x->index,
                   (long long)position);
    if (s->payload_length > 0 && end > peer->promised &&
        (s->payload_length > 1 || position > peer->promised))
        world_fail(world, "#%u sends up to %lld, the window ends at %lld", x->index, (long long)end,
                   (long long)peer->promised);
    if ((s->flags & WIRE_FIN) && (!x->closed || end != x->reply_count))
        world_fail(world, "#%u FIN at %lld of %lld", x->index, (long long)end,
                   (long long)x->reply_count);
}

static void oracle_timestamp(struct exchange *x, const struct wire_segment *s)
{
    if (s->has_timestamp != x->peer.timestamp)
        world_fail(x->world, "#%u timestamp option %s", x->index,
                   s->has_timestamp ? "not agreed" : "missing");
    if (s->has_timestamp && x->has_timestamp && (int32_t)(s->timestamp - x->timestamp) < 0)
        world_fail(x->world, "#%u its timestamp runs backwards", x->index);
    x->timestamp = s->timestamp;
    x->has_timestamp = s->has_timestamp;
}

static void oracle_segment(struct exchange *x, const struct wire_segment *s)
{
    if (s->has_mss || s->has_scale || s->sack_ok || (s->sack_count > 0 && !x->peer.offer_sack))
        world_fail(x->world, "#%u option out of place", x->index);
    if (!(s->flags & WIRE_ACK))
        world_fail(x->world, "#%u segment without ACK", x->index);
    if (!x->peer.syn_ack_seen) {
        if (s->payload_length > 0)
            world_fail(x->world, "#%u data before the handshake", x->index);
        return;
    }
    /* What an old SYN has made half open has its own numbers. */
    if (!x->open && s->seq - (x->peer.irs + 1) > (uint32_t)x->reply_count + 1)
        return;
    oracle_timestamp(x, s);
    oracle_window(x, s);
    oracle_acknowledgement(x, s);
    oracle_sack(x, s);
    oracle_payload(x, s);
}

static void oracle_trace_sent(struct world *world, const struct exchange *x,
                              const struct wire_segment *s)
{
    char sack[100] = "";
    size_t used = 0;

    for (unsigned i = 0; world->trace && i < s->sack_count; i++)
        used += (size_t)snprintf(sack + used, sizeof(sack) - used, " sack %u-%u", s->sack[i][0],
                                 s->sack[i][1]);
    world_trace(world, "#%d <- %s%s%sseq %u len %u ack %u (%d) win %u%s",
                x != NULL ? (int)x->index : -1, s->flags & WIRE_SYN ? "SYN " : "",
                s->flags & WIRE_FIN ? "FIN " : "", s->flags & WIRE_RST ? "RST " : "", s->seq,
                s->payload_length, s->ack, x != NULL ? (int)(s->ack - peer_seq(&x->peer, 0)) : -1,
                s->window, sack);
}

void oracle_frame_sent(struct world *world, const uint8_t *bytes, uint32_t length)
{
    struct wire_segment s;
    const char *wrong = wire_read(bytes, length, &s);
    const struct ip_interface *interface = &world->ip.interfaces[0];
    uint32_t tuple = (uint16_t)(s.destination_port - world->port_base);
    struct exchange *x;

    if (wrong != NULL || s.padding != 0) {
        world_fail(world, "sent a frame with a fault: %s", wrong != NULL ? wrong : "bytes behind");
        return;
    }
    if (s.payload_length == 0)
        world->round.bare_out++;
    if (length - wire_link_bytes(bytes) > interface->mtu)
        world_fail(world, "sent a packet of %u bytes, the MTU is %u", length, interface->mtu);
    if (memcmp(s.source, s.ipv6 ? interface->address6 : interface->address, s.ipv6 ? 16 : 4) != 0 ||
        memcmp(s.source_mac, interface->mac, 6) != 0)
        world_fail(world, "sent from an address that is not ours");
    if (tuple >= world->tuple_count || world->tuples[tuple] == WORLD_NONE) {
        if (!(s.flags & WIRE_RST))
            world_fail(world, "sent to port %u, which nobody has", s.destination_port);
        return;
    }
    x = oracle_by_ack(world, tuple, s.ack);
    oracle_trace_sent(world, x, &s);
    if (s.flags & WIRE_RST)
        return;
    if (x == NULL) {
        world_fail(world, "acknowledges %u, which its sender has not sent", s.ack);
        return;
    }
    if (memcmp(s.destination_mac, x->peer.mac, 6) != 0 || s.vlan != x->peer.vlan ||
        s.ipv6 != x->peer.ipv6 || memcmp(s.destination, x->peer.address, 16) != 0)
        world_fail(world, "#%u sent to the wrong address", x->index);
    if (s.flags & WIRE_SYN)
        oracle_syn_ack(x, &s);
    else
        oracle_segment(x, &s);
}

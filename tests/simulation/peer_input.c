/* What the sender makes of our segments: RFC 9293 3.10.7 from the client's chair. What a correct
 * server never sends is not handled here but refused by the oracles when it leaves. */
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "platform/check.h"
#include "world.h"

static void input_learn_options(struct peer *peer, const struct wire_segment *segment)
{
    peer->scale = peer->offer_scale && segment->has_scale;
    peer->their_scale = peer->scale ? segment->scale : 0;
    peer->sack = peer->offer_sack && segment->sack_ok;
    peer->timestamp = peer->offer_timestamp && segment->has_timestamp;
    peer->timestamp_recent = segment->timestamp;
    peer->their_mss = segment->has_mss ? segment->mss : peer->ipv6 ? 1220 : 536;
}

static void input_syn_sent(struct exchange *x, const struct wire_segment *segment)
{
    struct peer *peer = &x->peer;
    struct world *world = x->world;
    bool acknowledged = (segment->flags & WIRE_ACK) && segment->ack == peer->iss + 1;

    if ((segment->flags & WIRE_ACK) && !acknowledged) {
        peer_host_reset(world, x, segment);
        return;
    }
    if (segment->flags & WIRE_RST) {
        if (acknowledged)
            peer_finished(x, PEER_WAS_REFUSED);
        return;
    }
    if (!acknowledged || !(segment->flags & WIRE_SYN))
        return;
    input_learn_options(peer, segment);
    peer->irs = segment->seq;
    peer->edge = segment->window;
    peer->state = PEER_OPEN;
    peer->syn_ack_seen = true;
    peer->rto_ns = WORLD_SECOND;
    peer->retransmit_ns = 0;
    if (peer->plan.resets || peer->plan.vanishes)
        peer->trouble_ns = world->now_ns + peer->plan.trouble_ns;
    if (!peer->plan.lost_last_ack)
        peer_send_ack(x);
    if (x->dialogue == NULL)
        peer->write_ns = world->now_ns + random_size(&world->random, 1, peer->plan.gap_ns);
}

static void input_rtt(struct peer *peer, int64_t rtt_ns)
{
    peer->srtt_ns = peer->srtt_ns == 0 ? rtt_ns : (7 * peer->srtt_ns + rtt_ns) / 8;
    peer->rto_ns = 3 * peer->srtt_ns + 100 * WORLD_MS;
    if (peer->rto_ns < 200 * WORLD_MS)
        peer->rto_ns = 200 * WORLD_MS;
    if (peer->rto_ns > 3 * WORLD_SECOND)
        peer->rto_ns = 3 * WORLD_SECOND;
}

static void input_sack_drop(struct peer *peer)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < peer->sacked_count; i++) {
        if (peer->sacked[i].end > peer->una)
            peer->sacked[kept++] = peer->sacked[i];
    }
    peer->sacked_count = kept;
}

/* Keeps the reports in order and apart; one more than there is room for is forgotten. */
static void input_sack_add(struct peer *peer, int64_t start, int64_t end)
{
    struct peer_range merged[PEER_SACKED_MAX + 1];
    unsigned count = 0;
    bool placed = false;

    for (unsigned i = 0; i < peer->sacked_count; i++) {
        struct peer_range range = peer->sacked[i];

        if (range.end < start) {
            merged[count++] = range;
        } else if (range.start > end) {
            if (!placed)
                merged[count++] = (struct peer_range){start, end};
            placed = true;
            merged[count++] = range;
        } else {
            start = range.start < start ? range.start : start;
            end = range.end > end ? range.end : end;
        }
    }
    if (!placed)
        merged[count++] = (struct peer_range){start, end};
    peer->sacked_count = count < PEER_SACKED_MAX ? count : PEER_SACKED_MAX;
    memcpy(peer->sacked, merged, peer->sacked_count * sizeof(merged[0]));
}

static void input_sack(struct peer *peer, const struct wire_segment *segment)
{
    if (!peer->sack || peer->plan.recovery != PEER_BY_SACK)
        return;
    for (unsigned i = 0; i < segment->sack_count; i++) {
        int64_t start = peer->una + (int32_t)(segment->sack[i][0] - peer_seq(peer, peer->una));
        int64_t end = peer->una + (int32_t)(segment->sack[i][1] - peer_seq(peer, peer->una));

        if (start > peer->una && end > start && end <= peer->max)
            input_sack_add(peer, start, end);
    }
}

static void input_advance(struct exchange *x, int64_t ack)
{
    struct peer *peer = &x->peer;

    if (peer->timed_position >= 0 && ack >= peer->timed_position) {
        input_rtt(peer, x->world->now_ns - peer->timed_ns);
        peer->timed_position = -1;
    }
    peer->una = ack;
    if (peer->next < ack)
        peer->next = ack;
    if (peer->highest < ack)
        peer->highest = ack;
    peer->duplicates = 0;
    peer->retransmit_ns = 0;
    peer->persist_ns = 0;
    if (peer->cwnd < peer->plan.cwnd_max)
        peer->cwnd++;
    input_sack_drop(peer);
    if (peer->recovering && ack >= peer->recover)
        peer->recovering = false;
    else if (peer->recovering && peer->plan.recovery == PEER_BY_DUPLICATES)
        peer_retransmit_first(x); /* the next hole, RFC 6582 */
    peer->give_up_ns = x->world->now_ns + peer->plan.give_up_ns;
}

static void input_duplicate(struct exchange *x)
{
    struct peer *peer = &x->peer;

    peer->duplicates++;
    if (peer->duplicates == 3 && !peer->recovering && peer->plan.recovery != PEER_BY_TIMER) {
        peer->recovering = true;
        peer->recover = peer->max;
        peer->repaired = peer->una;
        peer->cwnd = peer->cwnd / 2 > 2 ? peer->cwnd / 2 : 2;
        if (peer->plan.recovery == PEER_BY_DUPLICATES || peer->sacked_count == 0)
            peer_retransmit_first(x);
    }
}

static void input_acknowledgement(struct exchange *x, const struct wire_segment *segment)
{
    struct peer *peer = &x->peer;
    int64_t ack = peer->una + (int32_t)(segment->ack - peer_seq(peer, peer->una));
    int64_t edge = ack + ((int64_t)segment->window << peer->their_scale);

    if (ack > peer->max || ack < peer->una)
        return;
    input_sack(peer, segment);
    if (ack > peer->una)
        input_advance(x, ack);
    else if (segment->payload_length == 0 && segment->window == peer->last_window &&
             peer->una < peer->max && !(segment->flags & WIRE_FIN))
        input_duplicate(x);
    peer->last_window = segment->window;
    if (edge > peer->edge) {
        peer->edge = edge;
        peer->persist_ns = 0;
    }
    if (peer->recovering && peer->plan.recovery == PEER_BY_SACK)
        peer_retransmit_hole(x);
}

static void input_grow_got(struct peer *peer, int64_t end)
{
    int64_t capacity;

    if (end <= peer->got_capacity)
        return;
    capacity = 2 * end + 1024;
    peer->got = realloc(peer->got, (size_t)capacity);
    CHECK(peer->got != NULL);
    memset(peer->got + peer->got_capacity, 0, (size_t)(capacity - peer->got_capacity));
    peer->got_capacity = capacity;
}

/* Places reply bytes; true when something came in order. The bytes themselves were compared with
 * what was queued when the frame left. */
static bool input_place(struct exchange *x, int64_t position, int64_t length)
{
    struct peer *peer = &x->peer;
    int64_t before = peer->receive_next;
    int64_t end = position + length;
    int64_t limit = peer->plan.frozen ? peer->promised : peer->read + peer->plan.window_bytes;

    if (position < 0)
        position = 0;
    if (end > limit)
        end = limit; /* no room */
    if (end <= position)
        return false;
    input_grow_got(peer, end);
    memset(peer->got + position, 1, (size_t)(end - position));
    peer->last_out_of_order = position;
    while (peer->receive_next < peer->got_capacity && peer->got[peer->receive_next])
        peer->receive_next++;
    return peer->receive_next > before;
}

static void input_user(struct exchange *x)
{
    struct peer *peer = &x->peer;

    if (x->dialogue != NULL) {
        dialogue_received(x);
        return;
    }
    if (!peer->fin_seen)
        return;
    if (peer->plan.stops_at_fin && peer->written < peer->total) {
        peer->total = peer->written;
        peer->write_ns = 0;
    }
    if (peer->written == peer->total)
        peer->fin_wanted = true;
}

static void input_told(struct exchange *x, bool progressed, bool at_once)
{
    struct peer *peer = &x->peer;

    peer->unacknowledged++;
    if (progressed && peer->plan.read_gap_ns == 0 && !peer->plan.frozen)
        peer->read = peer->receive_next;
    else if (progressed && peer->read_ns == 0 && !peer->plan.frozen)
        peer->read_ns =
            x->world->now_ns + random_size(&x->world->random, 1000, peer->plan.read_gap_ns);
    if (at_once || peer->unacknowledged >= peer->plan.ack_every)
        peer_send_ack(x);
    else if (peer->ack_ns == 0)
        peer->ack_ns = x->world->now_ns + peer->plan.ack_delay_ns;
}

static void input_payload(struct exchange *x, const struct wire_segment *segment)
{
    struct peer *peer = &x->peer;
    uint32_t expected = peer->irs + 1 + (uint32_t)peer->receive_next + (peer->fin_seen ? 1 : 0);
    int64_t position =
        peer->receive_next + (peer->fin_seen ? 1 : 0) + (int32_t)(segment->seq - expected);
    bool new_fin = false;
    bool progressed;

    if (segment->payload_length == 0 && !(segment->flags & WIRE_FIN))
        return;
    progressed = input_place(x, position, segment->payload_length);
    if (segment->flags & WIRE_FIN) {
        peer->fin_known = true;
        peer->fin_position = position + segment->payload_length;
    }
    if (peer->fin_known && !peer->fin_seen && peer->receive_next == peer->fin_position) {
        peer->fin_seen = true;
        new_fin = true;
    }
    if (progressed || new_fin)
        peer->give_up_ns = x->world->now_ns + peer->plan.give_up_ns;
    input_told(x, progressed, !progressed || new_fin);
    if (progressed || new_fin)
        input_user(x);
}

/* False when PAWS (RFC 7323 5) or a missing option drops it. */
static bool input_timestamp(struct exchange *x, const struct wire_segment *segment)
{
    struct peer *peer = &x->peer;

    if (!peer->timestamp)
        return true;
    if (!segment->has_timestamp)
        return false;
    if ((int32_t)(segment->timestamp - peer->timestamp_recent) < 0) {
        peer_send_ack(x);
        return false;
    }
    if ((int32_t)(segment->seq - (peer->irs + 1 + (uint32_t)peer->receive_next)) <= 0)
        peer->timestamp_recent = segment->timestamp;
    return true;
}

static void input_reset(struct exchange *x, const struct wire_segment *segment)
{
    struct peer *peer = &x->peer;
    uint32_t expected = peer->irs + 1 + (uint32_t)peer->receive_next + (peer->fin_seen ? 1 : 0);

    if (peer->state == PEER_TIME_WAIT)
        return; /* RFC 1337 */
    if (segment->seq != expected) {
        peer_send_ack(x);
        return;
    }
    /* All was said and heard; only the last acknowledgement is missing. */
    if (peer->fin_seen && peer->una >= peer->written && peer->fin_wanted &&
        peer->max > peer->written)
        peer_finished(x, PEER_COMPLETED);
    else
        peer_finished(x, PEER_WAS_RESET);
}

void peer_input(struct exchange *x, const struct wire_segment *segment)
{
    struct peer *peer = &x->peer;

    if (peer->state == PEER_SYN_SENT) {
        input_syn_sent(x, segment);
        return;
    }
    if (segment->flags & WIRE_RST) {
        input_reset(x, segment);
        return;
    }
    if (segment->flags & WIRE_SYN) {
        peer_send_ack(x); /* a SYN-ACK again: ours was lost */
        return;
    }
    if (!input_timestamp(x, segment) || !(segment->flags & WIRE_ACK))
        return;
    if (peer->state == PEER_TIME_WAIT) {
        if (segment->payload_length > 0 || (segment->flags & WIRE_FIN))
            peer_send_ack(x);
        return;
    }
    input_acknowledgement(x, segment);
    input_payload(x, segment);
    peer_push(x);
    if (peer->fin_seen && peer->fin_wanted && peer->una > peer->written)
        peer_finished(x, PEER_COMPLETED);
}

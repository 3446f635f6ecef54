/* The sending side's bookkeeping: round-trip time (RFC 6298), congestion window (RFC 5681, 6582),
 * retransmission. Replies are small, so this is kept to what keeps them safe and polite. */
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/frame.h"
#include "dataplane/tcp/connection.h"

/* The retransmission time-out as measured, without back-off. */
static void rto_compute(struct tcp_connection *c)
{
    c->rto_ns = c->srtt_ns != 0 ? c->srtt_ns + 4 * c->rttvar_ns : TCP_RTO_INITIAL_NS;
    if (c->rto_ns < TCP_RTO_MIN_NS)
        c->rto_ns = TCP_RTO_MIN_NS;
    if (c->rto_ns > TCP_RTO_MAX_NS)
        c->rto_ns = TCP_RTO_MAX_NS;
}

static void rtt_sample(struct tcp_connection *c, int64_t rtt_ns)
{
    int64_t difference;

    if (rtt_ns > TCP_RTO_MAX_NS)
        return; /* an echo we never sent */
    if (rtt_ns < CLOCK_NS_PER_US)
        rtt_ns = CLOCK_NS_PER_US;
    if (c->srtt_ns == 0) {
        c->srtt_ns = rtt_ns;
        c->rttvar_ns = rtt_ns / 2;
    } else {
        difference = c->srtt_ns > rtt_ns ? c->srtt_ns - rtt_ns : rtt_ns - c->srtt_ns;
        c->rttvar_ns += (difference - c->rttvar_ns) / 4;
        c->srtt_ns += (rtt_ns - c->srtt_ns) / 8;
    }
    rto_compute(c);
}

uint32_t tcp_timestamp(const struct tcp_connection *c, int64_t now_ns)
{
    return (uint32_t)(now_ns / CLOCK_NS_PER_MS) + c->timestamp_offset;
}

bool tcp_fin_acknowledged(const struct tcp_connection *c)
{
    return c->fin_queued && c->send_una == tcp_send_end(c) + 1;
}

static void acknowledge_bytes(struct tcp_connection *c, uint32_t ack)
{
    uint32_t bytes = seq_after(ack, c->send_base) ? ack - c->send_base : 0;

    if (bytes > c->send_length)
        bytes = c->send_length;
    c->send_base += bytes;
    c->send_head = (uint16_t)((c->send_head + bytes) & (tcp_send_room(c) - 1));
    c->send_length = (uint16_t)(c->send_length - bytes);
    if (c->send_length == 0 && c->send_place != MESSAGE_BLOCK_NONE)
        tcp_send_release(c);
}

static void sacked_forget(struct tcp_connection *c, uint32_t ack)
{
    unsigned gone = 0;

    while (gone < c->sacked_count && seq_at_or_before(c->sacked[gone].end, ack))
        gone++;
    memmove(&c->sacked[0], &c->sacked[gone], (c->sacked_count - gone) * sizeof(c->sacked[0]));
    c->sacked_count = (uint8_t)(c->sacked_count - gone);
}

/* Joins [start, end) with what it touches. A block that would be one too many is dropped: the peer
 * repeats its blocks, and a forgotten one costs a segment sent in vain. */
static void sacked_add(struct tcp_connection *c, uint32_t start, uint32_t end)
{
    unsigned first = 0;
    unsigned last;

    while (first < c->sacked_count && seq_before(c->sacked[first].end, start))
        first++;
    for (last = first; last < c->sacked_count && seq_at_or_before(c->sacked[last].start, end);
         last++) {
        start = seq_earlier(start, c->sacked[last].start);
        end = seq_later(end, c->sacked[last].end);
    }
    if (first == last && c->sacked_count == TCP_SACK_BLOCKS_MAX)
        return;
    memmove(&c->sacked[first + 1], &c->sacked[last],
            (c->sacked_count - last) * sizeof(c->sacked[0]));
    c->sacked_count = (uint8_t)(c->sacked_count + 1 - (last - first));
    c->sacked[first] = (struct tcp_interval){start, end};
}

void tcp_sacked(struct tcp_connection *c, const struct tcp_header *header)
{
    for (unsigned i = 0; i < header->sack_count; i++) {
        uint32_t start = header->sack[i][0];
        uint32_t end = header->sack[i][1];

        /* Nonsense, and D-SACK blocks, lie outside what is in flight. */
        if (seq_before(start, end) && seq_after(start, c->send_una) &&
            seq_at_or_before(end, c->send_max))
            sacked_add(c, start, end);
    }
}

bool tcp_send_hole(const struct tcp_connection *c, uint32_t from, struct tcp_interval *hole)
{
    hole->start = seq_later(from, c->send_una);
    hole->end = c->send_max;
    for (unsigned i = 0; i < c->sacked_count; i++) {
        if (seq_before(hole->start, c->sacked[i].start)) {
            hole->end = c->sacked[i].start;
            break;
        }
        hole->start = seq_later(hole->start, c->sacked[i].end);
    }
    return seq_before(hole->start, hole->end);
}

static void congestion_opened(struct tcp_connection *c, uint32_t acked)
{
    uint32_t growth = acked < c->mss ? acked : c->mss;

    if (c->congestion_window >= c->slow_start_threshold)
        growth = (uint32_t)c->mss * c->mss / c->congestion_window;
    if (c->congestion_window < TCP_WINDOW_MAX)
        c->congestion_window += growth > 0 ? growth : 1;
}

static void congestion_halve(struct tcp_connection *c)
{
    uint32_t flight = c->send_max - c->send_una;

    c->slow_start_threshold = flight / 2 > 2u * c->mss ? flight / 2 : 2u * c->mss;
}

void tcp_acknowledged(struct tcp_connection *c, uint32_t ack, bool timed, uint32_t echo,
                      int64_t now_ns)
{
    uint32_t acked = ack - c->send_una;

    if (timed && c->timestamps)
        rtt_sample(c, (int64_t)(tcp_timestamp(c, now_ns) - echo) * CLOCK_NS_PER_MS);
    else if (c->timing && seq_after(ack, c->timed_seq))
        rtt_sample(c, now_ns - c->timed_ns);
    if (c->timing && seq_after(ack, c->timed_seq))
        c->timing = false;
    acknowledge_bytes(c, ack);
    c->send_una = ack;
    sacked_forget(c, ack);
    if (seq_before(c->send_next, ack))
        c->send_next = ack;
    c->retries = 0;
    c->duplicate_acks = 0;
    if (c->recovering && seq_before(ack, c->recover)) {
        /* Partial acknowledgement: deflate, and send the next hole (RFC 6582). */
        c->congestion_window -= acked < c->congestion_window ? acked : c->congestion_window;
        c->congestion_window += c->mss;
        if (c->sacked_count == 0)
            c->repaired = ack;
        (void)tcp_retransmit(c, now_ns);
    } else if (c->recovering) {
        c->recovering = false;
        c->congestion_window = c->slow_start_threshold;
    } else {
        congestion_opened(c, acked);
    }
    if (c->send_una == c->send_max)
        tcp_timer_clear(c, TCP_TIMER_RETRANSMIT);
    else
        tcp_timer_set(c, TCP_TIMER_RETRANSMIT, now_ns + c->rto_ns);
    tcp_mark_dirty(c);
}

void tcp_duplicate_ack(struct tcp_connection *c, int64_t now_ns)
{
    if (c->duplicate_acks < UINT8_MAX)
        c->duplicate_acks++;
    if (c->recovering) {
        c->congestion_window += c->mss;
        /* Each one says that a segment has left the network: repair the next hole the peer tells
         * of, or else send something new. */
        if (c->sacked_count == 0 || !tcp_retransmit(c, now_ns))
            tcp_mark_dirty(c);
    } else if (c->duplicate_acks == 3) {
        congestion_halve(c);
        c->recover = c->send_max;
        c->repaired = c->send_una;
        c->recovering = true;
        c->congestion_window = c->slow_start_threshold + 3u * c->mss;
        (void)tcp_retransmit(c, now_ns);
    }
}

void tcp_window_opened(struct tcp_connection *c, int64_t now_ns)
{
    rto_compute(c);
    if (c->deadline_ns[TCP_TIMER_RETRANSMIT] != 0)
        tcp_timer_set(c, TCP_TIMER_RETRANSMIT, now_ns + c->rto_ns);
    tcp_mark_dirty(c);
}

static void retransmit_back_off(struct tcp_connection *c, int64_t now_ns)
{
    c->timing = false; /* Karn: nothing sent twice is timed */
    if (c->retries < UINT8_MAX)
        c->retries++;
    c->rto_ns = c->rto_ns * 2 < TCP_RTO_MAX_NS ? c->rto_ns * 2 : TCP_RTO_MAX_NS;
    tcp_timer_set(c, TCP_TIMER_RETRANSMIT, now_ns + c->rto_ns);
}

void tcp_retransmit_expired(struct tcp_connection *c, int64_t now_ns)
{
    if (c->send_window == 0 && c->send_length > 0) {
        uint8_t retries = c->retries;

        /* A closed window may stay closed as long as the application has patience; once it has
         * closed, R2 bounds the wait. */
        if (c->fin_queued && c->retries >= TCP_RETRIES_MAX) {
            tcp_kill(c, TCP_CLOSED_TIMEOUT);
            return;
        }
        retransmit_back_off(c, now_ns);
        if (!c->fin_queued)
            c->retries = retries;
        tcp_send_probe(c, now_ns);
        return;
    }
    if (c->send_una == c->send_max) {
        tcp_mark_dirty(c); /* could not be sent the first time */
        return;
    }
    if (c->retries >= TCP_RETRIES_MAX) {
        tcp_kill(c, TCP_CLOSED_TIMEOUT);
        return;
    }
    congestion_halve(c);
    c->congestion_window = c->mss;
    c->recovering = false;
    c->duplicate_acks = 0;
    c->sacked_count = 0; /* the peer may have changed its mind (RFC 2018 8) */
    retransmit_back_off(c, now_ns);
    count(c->endpoint->counters, COUNTER_TCP_RETRANSMITS);
    c->send_next = c->send_una; /* go back: one segment now, the rest as it is acknowledged */
    tcp_mark_dirty(c);
}

void tcp_path_mtu_told(void *context, const struct ip_flow *addresses,
                       const uint8_t quoted[IP_QUOTED_BYTES], uint32_t mtu)
{
    struct tcp_endpoint *endpoint = context;
    struct ip_flow key = *addresses;
    bool ipv4 = ip_flow_is_ipv4(&key);
    uint32_t headers = TCP_HEADER_BYTES + (ipv4 ? FRAME_IPV4_BYTES : FRAME_IPV6_BYTES);
    uint32_t least = ipv4 ? TCP_PATH_MTU_MIN : TCP_PATH_MTU_MIN_IPV6;
    uint32_t seq = bytes_get32(quoted + 4);
    struct tcp_connection *c;

    key.local_port = bytes_get16(quoted);
    key.remote_port = bytes_get16(quoted + 2);
    c = tcp_table_find(endpoint, &key, tcp_key_hash(endpoint, &key));
    if (c == NULL || c->dying || c->state == TCP_STATE_TIME_WAIT || seq_before(seq, c->send_una) ||
        !seq_before(seq, c->send_max))
        return;
    if (mtu < least)
        mtu = least;
    if (mtu - headers >= c->mss)
        return;
    c->mss = (uint16_t)(mtu - headers);
    c->send_next = c->send_una; /* what was too big is lost: send it again, smaller */
    c->timing = false;
    tcp_mark_dirty(c);
}

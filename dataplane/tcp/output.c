/* Building and sending segments. */
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"
#include "dataplane/tcp/connection.h"
#include "dataplane/tcp/wire.h"
#include "platform/check.h"

/* What one outgoing segment carries besides its connection's addresses. */
struct output_segment {
    uint32_t seq;
    uint32_t ack;
    uint16_t window;
    uint8_t flags;
    uint8_t option_bytes; /* a multiple of 4 */
    uint8_t options[TCP_OPTION_BYTES_MAX];
    uint32_t payload_bytes;
};

void tcp_mark_dirty(struct tcp_connection *c)
{
    struct tcp_endpoint *endpoint = c->endpoint;

    if (c->dirty)
        return;
    c->dirty = true;
    c->dirty_next = TCP_NONE;
    c->dirty_previous = endpoint->dirty_last;
    if (endpoint->dirty_last != TCP_NONE)
        tcp_at(endpoint, endpoint->dirty_last)->dirty_next = c->index;
    else
        endpoint->dirty = c->index;
    endpoint->dirty_last = c->index;
}

void tcp_unmark_dirty(struct tcp_connection *c)
{
    struct tcp_endpoint *endpoint = c->endpoint;

    if (!c->dirty)
        return;
    c->dirty = false;
    if (c->dirty_previous != TCP_NONE)
        tcp_at(endpoint, c->dirty_previous)->dirty_next = c->dirty_next;
    else
        endpoint->dirty = c->dirty_next;
    if (c->dirty_next != TCP_NONE)
        tcp_at(endpoint, c->dirty_next)->dirty_previous = c->dirty_previous;
    else
        endpoint->dirty_last = c->dirty_previous;
}

void tcp_send_release(struct tcp_connection *c)
{
    if (c->send_small)
        piece_give(c->endpoint->store, c->send_place);
    else
        block_give(c->endpoint->store, c->send_place / PIECE_OF_BLOCK);
    c->send_place = MESSAGE_BLOCK_NONE;
    c->send_small = false;
}

void tcp_send_copy(const struct tcp_connection *c, uint32_t seq, uint8_t *to, uint32_t length)
{
    const uint8_t *circle = piece_bytes(c->endpoint->store, c->send_place);
    uint32_t room = tcp_send_room(c);
    uint32_t place = (c->send_head + (seq - c->send_base)) & (room - 1);
    uint32_t first = room - place;

    if (first >= length) {
        memcpy(to, circle + place, length);
        return;
    }
    memcpy(to, circle + place, first);
    memcpy(to + first, circle, length - first);
}

uint32_t tcp_send_end(const struct tcp_connection *c)
{
    return c->send_base + c->send_length;
}

static void output_timestamp_option(struct output_segment *segment, uint32_t value, uint32_t echo)
{
    uint8_t *at = segment->options + segment->option_bytes;

    at[0] = TCP_OPTION_NOP;
    at[1] = TCP_OPTION_NOP;
    at[2] = TCP_OPTION_TIMESTAMP;
    at[3] = 10;
    bytes_put32(at + 4, value);
    bytes_put32(at + 8, echo);
    segment->option_bytes += TCP_TIMESTAMP_BYTES;
}

static unsigned output_sack_blocks(const struct tcp_connection *c)
{
    unsigned most = c->timestamps ? 3 : 4;
    unsigned blocks = c->interval_count + (c->repeated ? 1u : 0u);

    if (!c->sack || c->read_closed)
        return 0;
    return blocks < most ? blocks : most;
}

static uint8_t *output_sack_block(uint8_t *at, const struct tcp_interval *block)
{
    bytes_put32(at, block->start);
    bytes_put32(at + 4, block->end);
    return at + 8;
}

/* First what came twice (RFC 2883), then the block that grew last (RFC 2018 4), then the others. */
static void output_sack_option(struct tcp_connection *c, struct output_segment *segment)
{
    unsigned blocks = output_sack_blocks(c);
    uint8_t *at = segment->options + segment->option_bytes;
    unsigned newest = 0;

    if (blocks == 0)
        return;
    segment->option_bytes = (uint8_t)(segment->option_bytes + 4 + 8 * blocks);
    for (unsigned i = 0; i < c->interval_count; i++) {
        if (c->intervals[i].start == c->newest_interval)
            newest = i;
    }
    *at++ = TCP_OPTION_NOP;
    *at++ = TCP_OPTION_NOP;
    *at++ = TCP_OPTION_SACK;
    *at++ = (uint8_t)(2 + 8 * blocks);
    if (c->repeated) {
        at = output_sack_block(at, &c->repeat);
        c->repeated = false;
        blocks--;
    }
    for (unsigned i = 0; i < blocks && c->interval_count > 0; i++)
        at = output_sack_block(at, &c->intervals[(newest + i) % c->interval_count]);
}

/* Payload bytes that fit a segment with the options it will carry. */
static uint32_t output_payload_max(const struct tcp_connection *c)
{
    unsigned sack = output_sack_blocks(c);
    uint32_t options = (c->timestamps ? TCP_TIMESTAMP_BYTES : 0) + (sack > 0 ? 4 + 8 * sack : 0);

    return c->mss - options;
}

static void output_header(uint8_t *tcp, const struct ip_flow *key,
                          const struct output_segment *segment)
{
    bytes_put16(tcp, key->local_port);
    bytes_put16(tcp + 2, key->remote_port);
    bytes_put32(tcp + 4, segment->seq);
    bytes_put32(tcp + 8, segment->ack);
    tcp[12] = (uint8_t)((TCP_HEADER_BYTES + segment->option_bytes) / 4 << 4);
    tcp[13] = segment->flags;
    bytes_put16(tcp + 14, segment->window);
    memset(tcp + 16, 0, 4);
    memcpy(tcp + TCP_HEADER_BYTES, segment->options, segment->option_bytes);
}

/* Builds one frame and hands it to the port. `c` is null for a segment that belongs to no
 * connection (it has no payload). False when the port had no room. */
static bool output_send(struct tcp_endpoint *endpoint, const struct tcp_connection *c,
                        const struct ip_flow *key, const struct packet_path *path,
                        const struct output_segment *segment)
{
    struct packet_output *output = endpoint->output;
    bool ipv4 = ip_flow_is_ipv4(key);
    uint32_t tcp_bytes = TCP_HEADER_BYTES + segment->option_bytes + segment->payload_bytes;
    uint32_t l2_bytes = frame_header_bytes(path);
    uint32_t l3_bytes = ipv4 ? FRAME_IPV4_BYTES : FRAME_IPV6_BYTES;
    uint8_t *frame = output->begin(output->context, path->port, l2_bytes + l3_bytes + tcp_bytes);
    uint8_t *tcp;
    uint64_t sum;
    uint16_t checksum;

    if (frame == NULL)
        return false;
    frame_put_ethernet(frame, path, ipv4 ? FRAME_TYPE_IPV4 : FRAME_TYPE_IPV6);
    if (ipv4)
        frame_put_ipv4(frame + l2_bytes, key->local_address + 12, key->remote_address + 12,
                       FRAME_PROTOCOL_TCP, tcp_bytes, output->fills_checksums);
    else
        frame_put_ipv6(frame + l2_bytes, key->local_address, key->remote_address,
                       FRAME_PROTOCOL_TCP, tcp_bytes, FRAME_TTL);
    tcp = frame + l2_bytes + l3_bytes;
    output_header(tcp, key, segment);
    if (segment->payload_bytes > 0)
        tcp_send_copy(c, segment->seq, tcp + TCP_HEADER_BYTES + segment->option_bytes,
                      segment->payload_bytes);
    sum =
        checksum_pseudo(key->local_address + (ipv4 ? 12 : 0), key->remote_address + (ipv4 ? 12 : 0),
                        ipv4 ? 4 : 16, FRAME_PROTOCOL_TCP, tcp_bytes);
    if (!output->fills_checksums)
        sum = checksum_add(sum, tcp, tcp_bytes);
    checksum = checksum_fold(sum);
    if (!output->fills_checksums)
        checksum = (uint16_t)~checksum;
    memcpy(tcp + 16, &checksum, sizeof(checksum));
    output->end(output->context, l2_bytes, l3_bytes);
    return true;
}

/* The window field for that edge, rounded up: rounding down would take back what was promised
 * (RFC 7323 2.4). It is always the promise that is rounded, never what rounding gave before: or a
 * peer that sends byte by byte could push the edge before it for ever. */
static uint16_t output_window(const struct tcp_connection *c, uint32_t edge)
{
    uint32_t unit = 1u << c->receive_scale;

    return (uint16_t)((edge - c->receive_next + unit - 1) >> c->receive_scale);
}

static void output_promised(struct tcp_connection *c, uint32_t edge, uint16_t window)
{
    c->promised_edge = edge;
    c->advertised_edge =
        seq_later(c->advertised_edge, c->receive_next + ((uint32_t)window << c->receive_scale));
}

static bool output_segment_of(struct tcp_connection *c, uint32_t seq, uint8_t flags,
                              uint32_t payload, int64_t now_ns)
{
    struct output_segment segment = {
        .seq = seq, .ack = c->receive_next, .flags = flags, .payload_bytes = payload};
    uint32_t edge = tcp_window_edge(c);

    segment.window = output_window(c, edge);
    if (c->timestamps)
        output_timestamp_option(&segment, tcp_timestamp(c, now_ns), c->timestamp_recent);
    output_sack_option(c, &segment);
    if (!output_send(c->endpoint, c, &c->key, &c->path, &segment))
        return false;
    output_promised(c, edge, segment.window);
    c->ack_now = false;
    c->unacknowledged_segments = 0;
    c->last_ack_sent = c->receive_next;
    tcp_timer_clear(c, TCP_TIMER_ACK);
    return true;
}

/* Where a segment without data stands: behind all that was sent, also while that is being sent
 * again (the peer may have had it, and then takes nothing older), but not beyond the peer's window.
 */
static uint32_t output_empty_seq(const struct tcp_connection *c)
{
    return seq_later(c->send_next, seq_earlier(c->send_max, c->send_una + c->send_window));
}

static void output_acknowledge(struct tcp_connection *c, int64_t now_ns)
{
    if (output_segment_of(c, output_empty_seq(c), TCP_FLAG_ACK, 0, now_ns))
        return;
    c->ack_now = true;
    tcp_timer_set(c, TCP_TIMER_ACK, now_ns + CLOCK_NS_PER_MS);
}

void tcp_send_syn_ack(struct tcp_endpoint *endpoint, const struct tcp_half_open *entry,
                      uint32_t timestamp)
{
    const struct tcp_agreed *agreed = &entry->agreed;
    struct output_segment segment = {.seq = entry->own_seq,
                                     .ack = entry->peer_seq + 1,
                                     .flags = TCP_FLAG_SYN | TCP_FLAG_ACK,
                                     .window = TCP_COMMAND_WINDOW,
                                     .option_bytes = 4};
    uint8_t *at = segment.options;

    at[0] = TCP_OPTION_MSS;
    at[1] = 4;
    bytes_put16(at + 2, agreed->own_mss);
    if (agreed->scaling) {
        at = segment.options + segment.option_bytes;
        at[0] = TCP_OPTION_NOP;
        at[1] = TCP_OPTION_SCALE;
        at[2] = 3;
        at[3] = TCP_RECEIVE_SCALE;
        segment.option_bytes += 4;
    }
    if (agreed->sack) {
        at = segment.options + segment.option_bytes;
        at[0] = TCP_OPTION_NOP;
        at[1] = TCP_OPTION_NOP;
        at[2] = TCP_OPTION_SACK_OK;
        at[3] = 2;
        segment.option_bytes += 4;
    }
    if (agreed->timestamps)
        output_timestamp_option(&segment, timestamp, entry->timestamp_recent);
    /* Lost for want of a packet buffer is as good as lost on the wire: it is sent again. */
    (void)output_send(endpoint, NULL, &entry->key, &entry->path, &segment);
}

void tcp_send_reset(struct tcp_connection *c, int64_t now_ns)
{
    (void)output_segment_of(c, output_empty_seq(c), TCP_FLAG_RST | TCP_FLAG_ACK, 0, now_ns);
}

void tcp_send_probe(struct tcp_connection *c, int64_t now_ns)
{
    (void)output_segment_of(c, c->send_una, TCP_FLAG_ACK, 1, now_ns);
    c->send_max = seq_later(c->send_max, c->send_una + 1);
}

void tcp_refuse_segment(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                        uint32_t seq, uint32_t ack, uint8_t flags)
{
    struct output_segment reset = {.seq = seq, .ack = ack, .flags = flags};

    (void)output_send(endpoint, NULL, &segment->flow, &segment->path, &reset);
}

bool tcp_retransmit(struct tcp_connection *c, int64_t now_ns)
{
    uint32_t most = output_payload_max(c);
    uint32_t end = tcp_send_end(c);
    uint8_t flags = TCP_FLAG_ACK | TCP_FLAG_PSH;
    struct tcp_interval hole;
    uint32_t length;

    if (!tcp_send_hole(c, c->recovering ? c->repaired : c->send_una, &hole))
        return false;
    length = seq_earlier(hole.end, end) - hole.start;
    if (length > most)
        length = most;
    if (c->fin_queued && hole.start + length == end && seq_after(c->send_max, end))
        flags |= TCP_FLAG_FIN;
    count(c->endpoint->counters, COUNTER_TCP_RETRANSMITS);
    c->timing = false;
    c->repaired = hole.start + length + ((flags & TCP_FLAG_FIN) != 0);
    (void)output_segment_of(c, hole.start, flags, length, now_ns);
    return true;
}

/* Sends one segment of what is queued; false when there is nothing (more) to send now. */
static bool output_next(struct tcp_connection *c, int64_t now_ns)
{
    uint32_t end = tcp_send_end(c);
    uint32_t window = c->send_window < c->congestion_window ? c->send_window : c->congestion_window;
    uint32_t edge = c->send_una + window;
    uint32_t most = output_payload_max(c);
    uint32_t length = 0;
    uint8_t flags = TCP_FLAG_ACK;
    bool fin;

    if (seq_before(c->send_next, seq_earlier(end, edge)))
        length = seq_earlier(end, edge) - c->send_next;
    if (length > most)
        length = most;
    fin = c->fin_queued && c->send_next + length == end;
    if (length == 0 && !fin)
        return false;
    if (c->send_next + length == end)
        flags |= TCP_FLAG_PSH;
    if (fin)
        flags |= TCP_FLAG_FIN;
    if (!output_segment_of(c, c->send_next, flags, length, now_ns)) {
        /* Not the retransmission timer: it counts against the peer. */
        tcp_timer_set(c, TCP_TIMER_WINDOW, now_ns + CLOCK_NS_PER_MS);
        return false;
    }
    if (!c->timing && c->send_next == c->send_max) {
        c->timing = true;
        c->timed_seq = c->send_next;
        c->timed_ns = now_ns;
    }
    c->send_next += length + (fin ? 1 : 0);
    c->send_max = seq_later(c->send_max, c->send_next);
    if (c->deadline_ns[TCP_TIMER_RETRANSMIT] == 0)
        tcp_timer_set(c, TCP_TIMER_RETRANSMIT, now_ns + c->rto_ns);
    return true;
}

/* Tells the peer of a window that has opened by enough to be worth it (RFC 9293 3.8.6.2.2). */
static void output_window_update(struct tcp_connection *c)
{
    uint32_t opened;
    uint32_t enough = 2u * c->mss;

    if (c->fin_received || c->read_closed)
        return;
    opened = tcp_window_edge(c) - c->promised_edge;
    if (enough > c->endpoint->limits.window_bytes / 2)
        enough = c->endpoint->limits.window_bytes / 2;
    if (opened >= enough)
        c->ack_now = true;
}

static void output_connection(struct tcp_connection *c, int64_t now_ns)
{
    if (c->state < TCP_STATE_ESTABLISHED)
        return;
    if (c->state != TCP_STATE_TIME_WAIT) {
        output_window_update(c);
        /* Each round moves send_next or ends: bounded by the send block. */
        while (output_next(c, now_ns))
            continue;
        if (c->send_window == 0 && c->send_length > 0 && c->deadline_ns[TCP_TIMER_RETRANSMIT] == 0)
            tcp_timer_set(c, TCP_TIMER_RETRANSMIT, now_ns + c->rto_ns);
    }
    if (c->ack_now)
        output_acknowledge(c, now_ns);
}

unsigned tcp_flush(struct tcp_endpoint *endpoint, int64_t now_ns)
{
    unsigned sent = 0;

    endpoint->now_ns = now_ns;
    while (endpoint->dirty != TCP_NONE) {
        struct tcp_connection *c = tcp_at(endpoint, endpoint->dirty);

        tcp_unmark_dirty(c);
        if (c->dying)
            tcp_settle(c, now_ns);
        else
            output_connection(c, now_ns);
        sent++;
    }
    CHECK_SLOW(sent == 0 || tcp_sound(endpoint, NULL));
    return sent;
}

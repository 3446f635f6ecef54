/* Segment arrival, in the order of RFC 9293 3.10.7, with the checks of RFC 5961 and RFC 7323. */
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"
#include "dataplane/tcp/connection.h"
#include "dataplane/tcp/wire.h"

static bool input_checksum_good(const struct ip_segment *segment)
{
    const uint8_t *remote = segment->flow.remote_address + 16 - segment->address_bytes;
    const uint8_t *local = segment->flow.local_address + 16 - segment->address_bytes;
    uint64_t sum =
        checksum_pseudo(remote, local, segment->address_bytes, FRAME_PROTOCOL_TCP, segment->length);

    return checksum_fold(checksum_add(sum, segment->bytes, segment->length)) == 0xffff;
}

/* What a segment takes of the sequence space. */
static uint32_t input_length(const struct tcp_header *header)
{
    return header->payload_length + ((header->flags & TCP_FLAG_SYN) != 0) +
           ((header->flags & TCP_FLAG_FIN) != 0);
}

/* No connection: RFC 9293 3.10.7.1. */
static void input_refuse(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                         const struct tcp_header *header)
{
    if (header->flags & TCP_FLAG_RST)
        return;
    if (header->flags & TCP_FLAG_ACK)
        tcp_refuse_segment(endpoint, segment, header->ack, 0, TCP_FLAG_RST);
    else
        tcp_refuse_segment(endpoint, segment, 0, header->seq + input_length(header),
                           TCP_FLAG_RST | TCP_FLAG_ACK);
}

/* A challenge ACK (RFC 5961), at most TCP_CHALLENGES_MAX a second for each connection. */
static void input_challenge(struct tcp_connection *c, int64_t now_ns)
{
    uint32_t now_ms = (uint32_t)(now_ns / CLOCK_NS_PER_MS);

    if (now_ms - c->challenge_ms >= TCP_CHALLENGE_NS / CLOCK_NS_PER_MS) {
        c->challenge_ms = now_ms;
        c->challenges = 0;
    }
    if (c->challenges >= TCP_CHALLENGES_MAX)
        return;
    c->challenges++;
    c->ack_now = true;
    tcp_mark_dirty(c);
}

/* RFC 9293 3.10.7.4, first check. */
static bool input_in_window(const struct tcp_connection *c, const struct tcp_header *header)
{
    uint32_t length = input_length(header);
    uint32_t window = c->advertised_edge - c->receive_next;
    uint32_t first = header->seq - c->receive_next;
    uint32_t last = header->seq + length - 1 - c->receive_next;

    if (length == 0)
        return window == 0 ? first == 0 : first < window;
    return window > 0 && (first < window || last < window ||
                          (seq_before(header->seq, c->receive_next) &&
                           seq_after(header->seq + length, c->advertised_edge)));
}

/* These bytes came before: the next acknowledgement says so (RFC 2883). */
static void input_repeated(struct tcp_connection *c, uint32_t start, uint32_t end)
{
    if (start == end)
        return;
    c->repeat = (struct tcp_interval){start, end};
    c->repeated = true;
}

/* A segment outside the window: tell the peer where we are. Data that lies just before it is most
 * likely a retransmission whose acknowledgement was lost, and is always answered; a segment without
 * data (an old acknowledgement, a probe) within a limit, or two ends that each find the other's
 * acknowledgement old would answer each other for ever. */
static enum counter input_outside(struct tcp_connection *c, const struct tcp_header *header,
                                  int64_t now_ns)
{
    uint32_t end = header->seq + input_length(header);

    if (header->flags & TCP_FLAG_RST)
        return COUNTER_TCP_IN_OUT_OF_WINDOW;
    if (seq_at_or_before(end, c->receive_next) && c->receive_next - end < TCP_WINDOW_MAX) {
        if (input_length(header) == 0) {
            input_challenge(c, now_ns);
            return COUNTER_TCP_IN_DUPLICATE;
        }
        input_repeated(c, header->seq, header->seq + header->payload_length);
        c->ack_now = true;
        tcp_mark_dirty(c);
        return COUNTER_TCP_IN_DUPLICATE;
    }
    input_challenge(c, now_ns);
    return COUNTER_TCP_IN_OUT_OF_WINDOW;
}

static void input_enter_time_wait(struct tcp_connection *c, int64_t now_ns)
{
    struct tcp_endpoint *endpoint = c->endpoint;

    if (c->opened) {
        const struct tcp_application *application = tcp_above(c);

        c->opened = false;
        application->closed(application->context, c, TCP_CLOSED_NORMAL, now_ns);
    }
    tcp_receive_release(c);
    for (int i = 0; i < TCP_TIMER_COUNT; i++)
        tcp_timer_clear(c, (enum tcp_timer)i);
    tcp_clients_leave(&endpoint->clients, &c->client);
    c->state = TCP_STATE_TIME_WAIT;
    tcp_age_add(endpoint, &endpoint->time_wait, c);
    tcp_timer_set(c, TCP_TIMER_STATE, now_ns + TCP_TIME_WAIT_NS);
}

/* Our FIN has been acknowledged. */
static void input_fin_acknowledged(struct tcp_connection *c, int64_t now_ns)
{
    switch (c->state) {
    case TCP_STATE_FIN_WAIT_1:
        c->state = TCP_STATE_FIN_WAIT_2;
        tcp_timer_set(c, TCP_TIMER_STATE, now_ns + TCP_FIN_WAIT_NS);
        break;
    case TCP_STATE_CLOSING:
        input_enter_time_wait(c, now_ns);
        break;
    case TCP_STATE_LAST_ACK:
        tcp_kill(c, TCP_CLOSED_NORMAL);
        break;
    default:
        break;
    }
}

/* The ACK field (fifth check). False when the segment is to be dropped. */
static bool input_acknowledgement(struct tcp_connection *c, const struct tcp_header *header,
                                  int64_t now_ns)
{
    uint32_t window = (uint32_t)header->window << c->send_scale;
    bool same_window = window == c->send_window;

    /* RFC 5961 5.2: older than the largest window we ever had is a blind guess. */
    if (seq_after(header->ack, c->send_max) ||
        seq_before(header->ack, c->send_una - c->send_window_max)) {
        input_challenge(c, now_ns);
        return false;
    }
    /* A window counts from the acknowledgement it came with: with a new one it is always taken,
     * even from a segment sent again, whose sequence number is lower than SND.WL1; with an old one
     * never (RFC 9293 3.10.7.4). Measured from another SND.UNA it would reach beyond what the peer
     * has room for. */
    if (seq_after(header->ack, c->send_una) ||
        (header->ack == c->send_una && seq_at_or_before(c->send_wl1, header->seq))) {
        bool opened = c->send_window == 0 && window > 0;

        if (window > c->send_window)
            tcp_mark_dirty(c);
        c->send_window = window;
        if (opened)
            tcp_window_opened(c, now_ns);
        c->send_window_max = window > c->send_window_max ? window : c->send_window_max;
        c->send_wl1 = header->seq;
    }
    if (c->sack && header->sack_count > 0)
        tcp_sacked(c, header);
    if (seq_after(header->ack, c->send_una)) {
        bool was_acknowledged = tcp_fin_acknowledged(c);

        tcp_acknowledged(c, header->ack, header->has_timestamp && header->timestamp_echo != 0,
                         header->timestamp_echo, now_ns);
        if (!was_acknowledged && tcp_fin_acknowledged(c))
            input_fin_acknowledged(c, now_ns);
    } else if (header->ack == c->send_una && header->payload_length == 0 && same_window &&
               window > 0 && !(header->flags & TCP_FLAG_FIN) && c->send_una != c->send_max) {
        /* (With a window of 0 it answers a probe.) */
        tcp_duplicate_ack(c, now_ns);
    }
    return true;
}

/* A FIN that is now in order. True when it is new. */
static bool input_finish(struct tcp_connection *c, int64_t now_ns)
{
    if (!c->fin_known || c->fin_received || c->receive_next != c->fin_seq)
        return false;
    c->fin_received = true;
    if (c->read_closed)
        c->read_seq = c->receive_next;
    c->receive_next++;
    /* It takes a number but no room: at the very edge it moves the edge. */
    c->advertised_edge = seq_later(c->advertised_edge, c->receive_next);
    c->ack_now = true;
    tcp_mark_dirty(c);
    if (c->state == TCP_STATE_ESTABLISHED) {
        c->state = TCP_STATE_CLOSE_WAIT;
    } else if (c->state == TCP_STATE_FIN_WAIT_1) {
        c->state = TCP_STATE_CLOSING;
    } else if (c->state == TCP_STATE_FIN_WAIT_2) {
        input_enter_time_wait(c, now_ns);
        tcp_mark_dirty(c);
    }
    return true;
}

/* When to acknowledge (RFC 5681 4.2): every second segment, and at once while the peer is starting
 * up or repairing a gap. */
static void input_schedule_ack(struct tcp_connection *c, bool at_once, int64_t now_ns)
{
    if (c->unacknowledged_segments < 2)
        c->unacknowledged_segments++;
    if (at_once)
        c->quick_acks = TCP_QUICK_ACKS;
    if (at_once || c->quick_acks > 0 || c->unacknowledged_segments >= 2) {
        if (c->quick_acks > 0 && !at_once)
            c->quick_acks--;
        c->ack_now = true;
        tcp_mark_dirty(c);
    } else if (c->deadline_ns[TCP_TIMER_ACK] == 0) {
        tcp_timer_set(c, TCP_TIMER_ACK, now_ns + TCP_DELAYED_ACK_NS);
    }
}

static enum counter input_payload(struct tcp_connection *c, const struct tcp_header *header,
                                  int64_t now_ns)
{
    bool had_gap = c->interval_count > 0;

    if (header->payload_length == 0)
        return COUNTER_TCP_IN_ACCEPTED;
    switch (tcp_place(c, header->seq, header->payload, header->payload_length)) {
    case TCP_PLACED:
        c->active_ns = now_ns;
        input_schedule_ack(c, had_gap, now_ns);
        return COUNTER_TCP_IN_ACCEPTED;
    case TCP_PLACED_AHEAD:
        count(c->endpoint->counters, COUNTER_TCP_OUT_OF_ORDER);
        input_schedule_ack(c, true, now_ns);
        return COUNTER_TCP_IN_ACCEPTED;
    case TCP_PLACED_NOTHING:
        input_repeated(c, header->seq, header->seq + header->payload_length);
        input_schedule_ack(c, true, now_ns);
        return COUNTER_TCP_IN_DUPLICATE;
    case TCP_PLACED_NO_ROOM:
        break;
    }
    return COUNTER_TCP_IN_NO_ROOM;
}

/* Tells the application what has changed. It may close or abort in any of these. */
static void input_tell(struct tcp_connection *c, bool readable, bool finished, int64_t now_ns)
{
    const struct tcp_application *application = tcp_above(c);

    if (c->send_refused && c->opened && !c->dying && c->send_length < TCP_SEND_BYTES / 2) {
        c->send_refused = false;
        application->writable(application->context, c, now_ns);
    }
    if (readable && c->opened && !c->dying && !c->read_closed)
        application->readable(application->context, c, now_ns);
    if (finished && c->opened && !c->dying && !c->read_closed)
        application->finished(application->context, c, now_ns);
}

/* Sixth to eighth check: data and FIN of an acceptable segment. */
static enum counter input_deliver(struct tcp_connection *c, const struct tcp_header *header,
                                  int64_t now_ns)
{
    uint32_t readable = tcp_unread(c);
    uint32_t fin_seq = header->seq + header->payload_length;
    enum counter outcome;
    bool finished;

    if (c->fin_received || c->dying || c->state == TCP_STATE_TIME_WAIT) {
        if (input_length(header) > 0 && !c->dying)
            input_schedule_ack(c, true, now_ns);
        input_tell(c, false, false, now_ns); /* its acknowledgement may have made room */
        return COUNTER_TCP_IN_ACCEPTED;
    }
    outcome = input_payload(c, header, now_ns);
    /* A FIN before bytes we already hold contradicts them: the bytes were first. */
    if ((header->flags & TCP_FLAG_FIN) && !c->fin_known && outcome != COUNTER_TCP_IN_NO_ROOM &&
        seq_at_or_before(fin_seq, c->advertised_edge) && !seq_before(fin_seq, c->receive_next) &&
        (c->interval_count == 0 || !seq_before(fin_seq, c->intervals[c->interval_count - 1].end))) {
        c->fin_known = true;
        c->fin_seq = fin_seq;
    }
    finished = input_finish(c, now_ns);
    input_tell(c, tcp_unread(c) != readable, finished, now_ns);
    return outcome;
}

/* RFC 7323 3.2 and 5.3 R1: timestamps on every segment once agreed; PAWS. False: drop (*outcome).
 */
static bool input_timestamp(struct tcp_connection *c, const struct tcp_header *header,
                            enum counter *outcome, int64_t now_ns)
{
    if (!c->timestamps || (header->flags & TCP_FLAG_RST))
        return true;
    if (!header->has_timestamp) {
        *outcome = COUNTER_TCP_IN_BAD_HEADER;
        return false;
    }
    if (seq_before(header->timestamp, c->timestamp_recent)) {
        if (input_length(header) == 0) {
            input_challenge(c, now_ns); /* answered without end, two ends could keep at it */
        } else {
            c->ack_now = true;
            tcp_mark_dirty(c);
        }
        *outcome = COUNTER_TCP_IN_OUT_OF_WINDOW;
        return false;
    }
    return true;
}

static enum counter input_reset(struct tcp_connection *c, const struct tcp_header *header,
                                int64_t now_ns)
{
    if (header->seq == c->receive_next) {
        tcp_kill(c, TCP_CLOSED_RESET);
        return COUNTER_TCP_IN_RESET;
    }
    input_challenge(c, now_ns); /* RFC 5961 3.2 */
    return COUNTER_TCP_IN_CHALLENGED;
}

/* The handshake of `entry` is complete: makes the connection, takes what came with the ACK. */
static enum counter input_establish(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                                    const struct tcp_half_open *entry,
                                    const struct tcp_header *header, int64_t now_ns)
{
    struct tcp_connection *c = tcp_connection_new(endpoint, entry);
    const struct tcp_application *application;
    enum counter outcome;

    if (c == NULL) {
        count(endpoint->counters, COUNTER_CONNECTIONS_REFUSED);
        input_refuse(endpoint, segment, header);
        return COUNTER_TCP_IN_REFUSED;
    }
    c->send_window = (uint32_t)header->window << c->send_scale;
    c->send_window_max = c->send_window;
    c->send_wl1 = header->seq;
    if (c->timestamps && header->has_timestamp &&
        seq_at_or_before(c->timestamp_recent, header->timestamp))
        c->timestamp_recent = header->timestamp;
    c->opened = true;
    application = tcp_above(c);
    application->opened(application->context, c, now_ns);
    outcome = input_deliver(c, header, now_ns);
    tcp_settle(c, now_ns);
    return outcome;
}

/* A segment for a half-open connection: RFC 9293 3.10.7.4 in state SYN-RECEIVED. */
static enum counter input_half_open(struct tcp_endpoint *endpoint, struct tcp_half_open *entry,
                                    const struct ip_segment *segment,
                                    const struct tcp_header *header, int64_t now_ns)
{
    uint8_t control = header->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST);
    struct tcp_half_open complete;

    if (control == TCP_FLAG_SYN) {
        /* Ours was lost, or this one is old, forged, or a new attempt: who really has begun anew
         * answers ours with RST, which makes room for it (RFC 5961 4.2 in this state). */
        if (header->seq == entry->peer_seq)
            tcp_handshake_again(entry, segment, header);
        tcp_send_syn_ack(endpoint, entry, tcp_handshake_timestamp(entry, now_ns));
        return header->seq == entry->peer_seq ? COUNTER_TCP_IN_DUPLICATE
                                              : COUNTER_TCP_IN_CHALLENGED;
    }
    if (header->seq - (entry->peer_seq + 1) >= TCP_COMMAND_WINDOW) {
        if (!(header->flags & (TCP_FLAG_RST | TCP_FLAG_SYN)))
            tcp_send_syn_ack(endpoint, entry, tcp_handshake_timestamp(entry, now_ns));
        return COUNTER_TCP_IN_OUT_OF_WINDOW;
    }
    if (header->flags & TCP_FLAG_RST) {
        if (header->seq != entry->peer_seq + 1)
            return COUNTER_TCP_IN_OUT_OF_WINDOW; /* RFC 5961 3.2: a guess changes nothing */
        count(endpoint->counters, COUNTER_HALF_OPEN_RESET);
        tcp_half_open_free(endpoint, entry);
        return COUNTER_TCP_IN_RESET;
    }
    if (control != TCP_FLAG_ACK || (entry->agreed.timestamps && !header->has_timestamp))
        return COUNTER_TCP_IN_BAD_HEADER;
    if (header->ack != entry->own_seq + 1) {
        input_refuse(endpoint, segment, header);
        return COUNTER_TCP_IN_BAD_ACK;
    }
    complete = *entry;
    count(endpoint->counters, COUNTER_HALF_OPEN_COMPLETED);
    tcp_half_open_free(endpoint, entry);
    return input_establish(endpoint, segment, &complete, header, now_ns);
}

static enum counter input_synchronised(struct tcp_connection *c, const struct tcp_header *header,
                                       int64_t now_ns)
{
    enum counter outcome;

    if (!input_timestamp(c, header, &outcome, now_ns))
        return outcome;
    if (!input_in_window(c, header)) {
        /* A full window still takes acknowledgements (RFC 9293 3.10.7.4). */
        if ((header->flags & (TCP_FLAG_ACK | TCP_FLAG_RST | TCP_FLAG_SYN)) == TCP_FLAG_ACK &&
            header->seq == c->receive_next) {
            (void)input_acknowledgement(c, header, now_ns);
            input_tell(c, false, false, now_ns);
        }
        return input_outside(c, header, now_ns);
    }
    if (header->flags & TCP_FLAG_RST)
        return input_reset(c, header, now_ns);
    /* RFC 7323 5.3 R3, and only now: a guess from outside the window must not set the clock. */
    if (c->timestamps && seq_at_or_before(header->seq, c->last_ack_sent))
        c->timestamp_recent = header->timestamp;
    if (header->flags & TCP_FLAG_SYN) {
        input_challenge(c, now_ns); /* RFC 5961 4.2 */
        return COUNTER_TCP_IN_CHALLENGED;
    }
    if (!(header->flags & TCP_FLAG_ACK))
        return COUNTER_TCP_IN_BAD_HEADER;
    if (!input_acknowledgement(c, header, now_ns))
        return COUNTER_TCP_IN_BAD_ACK;
    return input_deliver(c, header, now_ns);
}

/* TIME-WAIT: a new SYN may take the place over (RFC 6191, RFC 9293 3.10.7.4); RST is ignored
 * (RFC 1337); anything else is told where we were. Returns false when the caller should treat the
 * segment as one for a listener. */
static bool input_time_wait(struct tcp_connection *c, const struct tcp_header *header,
                            enum counter *outcome, int64_t now_ns)
{
    bool newer = c->timestamps && header->has_timestamp
                     ? seq_after(header->timestamp, c->timestamp_recent)
                     : seq_after(header->seq, c->receive_next);

    *outcome = COUNTER_TCP_IN_DUPLICATE;
    if (header->flags & TCP_FLAG_RST)
        return true;
    if ((header->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN && newer) {
        tcp_kill(c, TCP_CLOSED_NORMAL);
        tcp_settle(c, now_ns);
        return false;
    }
    if (header->flags & TCP_FLAG_FIN)
        tcp_timer_set(c, TCP_TIMER_STATE, now_ns + TCP_TIME_WAIT_NS);
    if (input_length(header) > 0)
        input_challenge(c, now_ns);
    return true;
}

static enum counter input_without_connection(struct tcp_endpoint *endpoint,
                                             const struct ip_segment *segment,
                                             const struct tcp_header *header, int64_t now_ns)
{
    uint8_t control = header->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST | TCP_FLAG_FIN);
    struct tcp_half_open *entry = tcp_half_open_find(endpoint, &segment->flow, segment->hash);
    const struct tcp_listener *listener;
    struct tcp_half_open cookie;

    if (entry != NULL)
        return input_half_open(endpoint, entry, segment, header, now_ns);
    listener = tcp_listener_find(endpoint, &segment->flow);
    if (control == TCP_FLAG_SYN && listener != NULL) {
        switch (tcp_clients_ask(&endpoint->clients, segment->flow.remote_address, now_ns)) {
        case TCP_CLIENT_WELCOME:
            return tcp_handshake_syn(endpoint, segment, header, listener, now_ns);
        case TCP_CLIENT_FAST:
            return COUNTER_TCP_IN_THROTTLED; /* no answer: it tries again in a second */
        case TCP_CLIENT_FULL:
            count(endpoint->counters, COUNTER_CONNECTIONS_REFUSED);
            input_refuse(endpoint, segment, header);
            return COUNTER_TCP_IN_REFUSED;
        }
    }
    if (listener != NULL && (control & ~TCP_FLAG_FIN) == TCP_FLAG_ACK &&
        tcp_handshake_cookie(endpoint, segment, header, listener, &cookie, now_ns))
        return input_establish(endpoint, segment, &cookie, header, now_ns);
    input_refuse(endpoint, segment, header);
    return listener != NULL ? COUNTER_TCP_IN_NO_CONNECTION : COUNTER_TCP_IN_NO_LISTENER;
}

/* On a port shared with the kernel, before anything is made of it: is it for one of ours? */
static bool input_listened_for(const struct tcp_endpoint *endpoint, struct ip_segment *segment)
{
    if (segment->length < 4)
        return false;
    segment->flow.local_port = bytes_get16(segment->bytes + 2);
    return tcp_listener_find(endpoint, &segment->flow) != NULL;
}

/* The way back is the way it came (a gateway may be replaced by another). Only a segment that has
 * got the connection on shows it: who can make one of those knows its sequence numbers and has seen
 * its traffic already. An ARP or ND message shows nothing, and changes nothing. */
static void input_follow(struct tcp_connection *c, const struct ip_segment *segment)
{
    if (memcmp(c->path.peer_mac, segment->path.peer_mac, sizeof(c->path.peer_mac)) != 0 &&
        segment->path.port == c->path.port && segment->path.vlan == c->path.vlan)
        memcpy(c->path.peer_mac, segment->path.peer_mac, sizeof(c->path.peer_mac));
}

static enum counter input_segment(void *context, struct ip_segment *segment, int64_t now_ns)
{
    struct tcp_endpoint *endpoint = context;
    struct tcp_header header;
    struct tcp_connection *c;
    uint32_t receive_next;
    uint32_t send_una;
    enum counter outcome;

    endpoint->now_ns = now_ns;
    if (segment->shared && !input_listened_for(endpoint, segment))
        return COUNTER_FRAME_OTHER_PORT;
    if (!tcp_header_read(&header, segment->bytes, segment->length))
        return COUNTER_TCP_IN_BAD_HEADER;
    if (!segment->checksum_good && !input_checksum_good(segment))
        return COUNTER_TCP_IN_BAD_CHECKSUM;
    if (segment->cut)
        header.flags &= (uint8_t)~TCP_FLAG_FIN; /* it comes after bytes we have not seen */
    segment->flow.local_port = header.destination_port;
    segment->flow.remote_port = header.source_port;
    segment->hash = tcp_key_hash(endpoint, &segment->flow);
    c = tcp_table_find(endpoint, &segment->flow, segment->hash);
    if (c != NULL && c->dying) {
        tcp_settle(c, now_ns);
        c = NULL;
    }
    if (c != NULL && c->state == TCP_STATE_TIME_WAIT) {
        if (input_time_wait(c, &header, &outcome, now_ns))
            return outcome;
        c = NULL;
    }
    if (c == NULL)
        return input_without_connection(endpoint, segment, &header, now_ns);
    receive_next = c->receive_next;
    send_una = c->send_una;
    outcome = input_synchronised(c, &header, now_ns);
    if (c->receive_next != receive_next || c->send_una != send_una)
        input_follow(c, segment);
    if (c->dying)
        tcp_settle(c, now_ns);
    return outcome;
}

struct ip_upper tcp_upper(struct tcp_endpoint *endpoint)
{
    return (struct ip_upper){
        .context = endpoint, .input = input_segment, .too_big = tcp_path_mtu_told};
}

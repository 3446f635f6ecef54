#include "dataplane/tcp/handshake.h"

#include <string.h>

#include "dataplane/net/frame.h"
#include "dataplane/tcp/connection.h"
#include "platform/check.h"

#define HANDSHAKE_SLICE         64u /* table entries looked at in each call */
#define HANDSHAKE_COOKIE_COUNTS 32u /* the count's five bits in the cookie */

/* Descending, so that the first that fits is the largest. */
static const uint16_t handshake_cookie_mss[8] = {8960, 1460, 1440, 1400, 1220, 1024, 536, 216};

/* For what a peer gets to see: sequence number and timestamp offset (RFC 6528, RFC 7323 5.4). */
static uint64_t handshake_hash(const struct tcp_endpoint *endpoint, const struct ip_flow *key)
{
    uint8_t packed[TCP_KEY_IPV4_BYTES];

    if (!ip_flow_is_ipv4(key))
        return siphash(&endpoint->handshake_secret, key, sizeof(*key));
    tcp_key_pack_ipv4(key, packed);
    return siphash(&endpoint->handshake_secret, packed, sizeof(packed));
}

static uint32_t handshake_timestamp_offset(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

uint32_t tcp_handshake_timestamp(const struct tcp_half_open *entry, int64_t now_ns)
{
    return (uint32_t)(now_ns / CLOCK_NS_PER_MS) + entry->timestamp_offset;
}

static struct tcp_half_open *half_open_set(struct tcp_endpoint *endpoint, uint32_t hash)
{
    return &endpoint->half_open[(size_t)(hash & endpoint->half_open_mask) * TCP_HALF_OPEN_WAYS];
}

struct tcp_half_open *tcp_half_open_find(struct tcp_endpoint *endpoint, const struct ip_flow *key,
                                         uint32_t hash)
{
    struct tcp_half_open *set = half_open_set(endpoint, hash);

    if (endpoint->half_open_count == 0)
        return NULL;
    for (unsigned i = 0; i < TCP_HALF_OPEN_WAYS; i++) {
        if (set[i].used && set[i].hash == hash && memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return &set[i];
    }
    return NULL;
}

static struct tcp_half_open *half_open_take(struct tcp_endpoint *endpoint, uint32_t hash)
{
    struct tcp_half_open *set = half_open_set(endpoint, hash);

    for (unsigned i = 0; i < TCP_HALF_OPEN_WAYS; i++) {
        if (set[i].used)
            continue;
        set[i].used = true;
        endpoint->half_open_count++;
        count_set(endpoint->counters, COUNTER_HALF_OPEN, endpoint->half_open_count);
        return &set[i];
    }
    return NULL;
}

void tcp_half_open_free(struct tcp_endpoint *endpoint, struct tcp_half_open *entry)
{
    CHECK(entry->used);
    entry->used = false;
    endpoint->half_open_count--;
    count_set(endpoint->counters, COUNTER_HALF_OPEN, endpoint->half_open_count);
}

static struct tcp_agreed handshake_agree(const struct ip_segment *segment,
                                         const struct tcp_header *header)
{
    bool ipv4 = segment->address_bytes == 4;
    uint32_t headers = (ipv4 ? FRAME_IPV4_BYTES : FRAME_IPV6_BYTES) + TCP_HEADER_BYTES;
    uint16_t assumed = ipv4 ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT_IPV6;
    uint16_t offered = header->has_mss ? header->mss : assumed;
    struct tcp_agreed agreed = {
        .own_mss = (uint16_t)(segment->mtu - headers),
        .scaling = header->has_scale,
        .send_scale = header->has_scale ? header->scale : 0,
        .sack = header->sack_ok,
        .timestamps = header->has_timestamp,
    };

    agreed.mss = offered < agreed.own_mss ? offered : agreed.own_mss;
    if (agreed.mss < TCP_MSS_MIN)
        agreed.mss = TCP_MSS_MIN;
    return agreed;
}

/* 24 bits that only we can make, for this peer (`hash` is handshake_hash()), its sequence number
 * and this period. A hash of another length: none of one kind is one of the other. */
static uint32_t cookie_proof(const struct tcp_endpoint *endpoint, uint64_t hash, uint32_t peer_seq,
                             uint64_t period)
{
    const uint64_t bound[3] = {hash, period, peer_seq};

    return (uint32_t)siphash(&endpoint->handshake_secret, bound, sizeof(bound)) & 0xffffff;
}

static unsigned cookie_mss_index(uint16_t mss)
{
    unsigned index = 0;

    while (index < 7 && handshake_cookie_mss[index] > mss)
        index++;
    return index;
}

/* The timestamp that carries the options: the newest not in the future with those low bits. */
static uint32_t cookie_timestamp(const struct tcp_agreed *agreed, uint32_t timestamp)
{
    uint32_t bits = agreed->scaling ? agreed->send_scale : TCP_COOKIE_NO_SCALE;
    uint32_t coded;

    bits |= agreed->sack ? 0x10u : 0;
    coded = (timestamp & ~((1u << TCP_COOKIE_BIT_COUNT) - 1)) | bits;
    return seq_after(coded, timestamp) ? coded - (1u << TCP_COOKIE_BIT_COUNT) : coded;
}

static void handshake_send_cookie(struct tcp_endpoint *endpoint, struct tcp_half_open *entry,
                                  uint64_t hash, int64_t now_ns)
{
    uint64_t period = (uint64_t)(now_ns / TCP_COOKIE_PERIOD_NS);
    uint32_t timestamp = tcp_handshake_timestamp(entry, now_ns);

    entry->own_seq = (uint32_t)(period % HANDSHAKE_COOKIE_COUNTS) << 27 |
                     cookie_mss_index(entry->agreed.mss) << 24 |
                     cookie_proof(endpoint, hash, entry->peer_seq, period);
    if (!entry->agreed.timestamps) {
        /* Nowhere to keep them. */
        entry->agreed.scaling = false;
        entry->agreed.sack = false;
    }
    endpoint->cookie_ns = now_ns;
    count(endpoint->counters, COUNTER_SYN_COOKIES_SENT);
    tcp_send_syn_ack(endpoint, entry, cookie_timestamp(&entry->agreed, timestamp));
}

/* Ticks of the retransmission timer, wrapping like sequence numbers. */
static uint32_t handshake_tick(int64_t ns)
{
    return (uint32_t)((uint64_t)ns >> TCP_TICK_SHIFT);
}

enum counter tcp_handshake_syn(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                               const struct tcp_header *header, const struct tcp_listener *listener,
                               int64_t now_ns)
{
    uint64_t hash = handshake_hash(endpoint, &segment->flow);
    struct tcp_half_open made = {
        .key = segment->flow,
        .hash = segment->hash,
        .timestamp_offset = handshake_timestamp_offset(hash),
        .path = segment->path,
        .peer_seq = header->seq,
        .timestamp_recent = header->timestamp,
        .agreed = handshake_agree(segment, header),
        .listener = tcp_listener_index(endpoint, listener),
        .used = true,
    };
    struct tcp_half_open *entry = half_open_take(endpoint, segment->hash);

    if (entry == NULL) {
        if (made.agreed.mss < handshake_cookie_mss[7])
            return COUNTER_TCP_IN_NO_ROOM; /* no cookie can say that */
        handshake_send_cookie(endpoint, &made, hash, now_ns);
        return COUNTER_TCP_IN_ACCEPTED;
    }
    /* RFC 6528: a clock of 4 us ticks plus a keyed hash of the four-tuple. */
    made.own_seq = (uint32_t)(now_ns / 4000) + (uint32_t)hash;
    made.deadline_tick = handshake_tick(now_ns + TCP_RTO_INITIAL_NS);
    *entry = made;
    count(endpoint->counters, COUNTER_SYN_KEPT);
    tcp_send_syn_ack(endpoint, entry, tcp_handshake_timestamp(entry, now_ns));
    return COUNTER_TCP_IN_ACCEPTED;
}

void tcp_handshake_again(struct tcp_half_open *entry, const struct ip_segment *segment,
                         const struct tcp_header *header)
{
    struct tcp_agreed now = handshake_agree(segment, header);
    struct tcp_agreed *agreed = &entry->agreed;

    agreed->timestamps = agreed->timestamps && now.timestamps;
    agreed->sack = agreed->sack && now.sack;
    agreed->scaling = agreed->scaling && now.scaling;
    if (!agreed->scaling)
        agreed->send_scale = 0;
    if (now.mss < agreed->mss)
        agreed->mss = now.mss;
    entry->path = segment->path;
    if (now.timestamps)
        entry->timestamp_recent = header->timestamp;
}

bool tcp_handshake_cookie(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                          const struct tcp_header *header, const struct tcp_listener *listener,
                          struct tcp_half_open *entry, int64_t now_ns)
{
    uint32_t cookie = header->ack - 1;
    uint64_t period = (uint64_t)(now_ns / TCP_COOKIE_PERIOD_NS);
    uint64_t age = (period - (cookie >> 27)) % HANDSHAKE_COOKIE_COUNTS;
    uint32_t bits = header->timestamp_echo & ((1u << TCP_COOKIE_BIT_COUNT) - 1);
    uint64_t hash;

    if (now_ns - endpoint->cookie_ns >= 2 * TCP_COOKIE_PERIOD_NS)
        return false;
    hash = handshake_hash(endpoint, &segment->flow);
    if (age > 1 || age > period ||
        (cookie & 0xffffff) != cookie_proof(endpoint, hash, header->seq - 1, period - age)) {
        count(endpoint->counters, COUNTER_SYN_COOKIES_BAD);
        return false;
    }
    *entry = (struct tcp_half_open){
        .key = segment->flow,
        .hash = segment->hash,
        .timestamp_offset = handshake_timestamp_offset(hash),
        .path = segment->path,
        .peer_seq = header->seq - 1,
        .own_seq = cookie,
        .timestamp_recent = header->timestamp,
        .agreed = handshake_agree(segment, header),
        .listener = tcp_listener_index(endpoint, listener),
    };
    entry->agreed.mss = handshake_cookie_mss[cookie >> 24 & 7];
    if (entry->agreed.mss > entry->agreed.own_mss)
        entry->agreed.mss = entry->agreed.own_mss;
    entry->agreed.scaling = entry->agreed.timestamps && (bits & 0x0f) != TCP_COOKIE_NO_SCALE;
    entry->agreed.send_scale = entry->agreed.scaling ? (uint8_t)(bits & 0x0f) : 0;
    entry->agreed.sack = entry->agreed.timestamps && (bits & 0x10) != 0;
    count(endpoint->counters, COUNTER_SYN_COOKIES_GOOD);
    return true;
}

static void handshake_expired(struct tcp_endpoint *endpoint, struct tcp_half_open *entry,
                              int64_t now_ns)
{
    if (entry->retries >= TCP_SYN_RETRIES_MAX) {
        count(endpoint->counters, COUNTER_HALF_OPEN_EXPIRED);
        tcp_half_open_free(endpoint, entry);
        return;
    }
    entry->retries++;
    if (now_ns - endpoint->cookie_ns < TCP_FLOOD_NS) {
        /* Most of the entries are a flood's, and their addresses somebody else's. */
        entry->deadline_tick = handshake_tick(now_ns + (TCP_RTO_INITIAL_NS << entry->retries));
        count(endpoint->counters, COUNTER_SYN_ACKS_WITHHELD);
        return;
    }
    entry->deadline_tick = handshake_tick(now_ns + (TCP_RTO_INITIAL_NS << entry->retries));
    count(endpoint->counters, COUNTER_TCP_RETRANSMITS);
    tcp_send_syn_ack(endpoint, entry, tcp_handshake_timestamp(entry, now_ns));
}

unsigned tcp_handshake_timers(struct tcp_endpoint *endpoint, int64_t now_ns)
{
    uint32_t size = (endpoint->half_open_mask + 1) * TCP_HALF_OPEN_WAYS;
    uint32_t tick = handshake_tick(now_ns);
    unsigned ran = 0;

    for (unsigned i = 0; i < HANDSHAKE_SLICE && endpoint->half_open_count > 0; i++) {
        struct tcp_half_open *entry = &endpoint->half_open[endpoint->half_open_cursor];

        endpoint->half_open_cursor = (endpoint->half_open_cursor + 1) % size;
        if (!entry->used || seq_before(tick, entry->deadline_tick))
            continue;
        handshake_expired(endpoint, entry, now_ns);
        ran++;
    }
    return ran;
}

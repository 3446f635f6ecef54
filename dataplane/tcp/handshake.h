/* handshake.h: connections that are not yet: SYN received, final ACK awaited. Private to
 * dataplane/tcp.
 *
 * A small table of compact entries keeps half-open connections and retransmits their SYN-ACK: the
 * server speaks first, so a client whose final ACK was lost would otherwise wait for a banner for
 * ever. When the place for a SYN is taken, the answer is a SYN cookie (RFC 4987 3.6) that costs no
 * memory: MSS in the sequence number, window scale and SACK in the timestamp's low bits. Under a
 * flood the table keeps serving whom it has, newcomers get cookies, and nothing grows; and while
 * cookies are being sent no SYN-ACK is repeated, for most would go to hosts that never asked.
 *
 * The table is set-associative: a SYN may sit in one of TCP_HALF_OPEN_WAYS places of the set its
 * keyed hash names, so a look-up is one cache line or two and no list can be made long.
 */
#ifndef DATAPLANE_TCP_HANDSHAKE_H
#define DATAPLANE_TCP_HANDSHAKE_H

#include "dataplane/tcp/endpoint.h"
#include "dataplane/tcp/wire.h"

#define TCP_HALF_OPEN_WAYS   4u
#define TCP_COOKIE_PERIOD_NS (64 * CLOCK_NS_PER_SECOND) /* a cookie is good for one to two */
#define TCP_FLOOD_NS         (10 * CLOCK_NS_PER_SECOND) /* since the last cookie: none is repeated */
#define TCP_COOKIE_BIT_COUNT 6u /* low bits of the timestamp that carry options */
#define TCP_COOKIE_NO_SCALE  15u

/* What a handshake has agreed on. */
struct tcp_agreed {
    uint16_t mss;     /* payload bytes we may send, before options */
    uint16_t own_mss; /* what we offer */
    uint8_t send_scale;
    bool scaling;
    bool sack;
    bool timestamps;
};

struct tcp_half_open {
    struct ip_flow key;
    struct packet_path path;
    uint32_t peer_seq; /* of the SYN */
    uint32_t own_seq;  /* of our SYN-ACK */
    uint32_t timestamp_recent;
    uint32_t deadline_tick;    /* of the next retransmission */
    uint32_t hash;             /* of key */
    uint32_t timestamp_offset; /* of our timestamp clock towards that peer */
    struct tcp_agreed agreed;
    uint8_t retries;
    uint8_t listener; /* whose it will be */
    bool used;
};
_Static_assert(sizeof(struct tcp_half_open) <= 88, "a flood may fill the table with them");

/* The entry for `key`, whose tcp_key_hash() is `hash`, or null. */
struct tcp_half_open *tcp_half_open_find(struct tcp_endpoint *endpoint, const struct ip_flow *key,
                                         uint32_t hash);

void tcp_half_open_free(struct tcp_endpoint *endpoint, struct tcp_half_open *entry);

/* Answers a SYN for a listener. */
enum counter tcp_handshake_syn(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                               const struct tcp_header *header, const struct tcp_listener *listener,
                               int64_t now_ns);

/* The SYN of `entry` has come again, perhaps with fewer options (a sender whose SYN is not answered
 * may take them for the cause): what both ask for is agreed. */
void tcp_handshake_again(struct tcp_half_open *entry, const struct ip_segment *segment,
                         const struct tcp_header *header);

/* If `header` completes a handshake begun with a cookie, fills `entry` as though it had been kept
 * and returns true. */
bool tcp_handshake_cookie(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                          const struct tcp_header *header, const struct tcp_listener *listener,
                          struct tcp_half_open *entry, int64_t now_ns);

/* Retransmits SYN-ACKs that are due, looking at a bounded slice of the table. Returns how many. */
unsigned tcp_handshake_timers(struct tcp_endpoint *endpoint, int64_t now_ns);

/* Our timestamp clock towards that peer, in ms. */
uint32_t tcp_handshake_timestamp(const struct tcp_half_open *entry, int64_t now_ns);

/* output.c */
void tcp_send_syn_ack(struct tcp_endpoint *endpoint, const struct tcp_half_open *entry,
                      uint32_t timestamp);

#endif

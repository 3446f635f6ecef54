/* connection.h: the record of one connection. Private to dataplane/tcp.
 *
 * Names of sequence variables follow RFC 9293 3.3.1. The receive side keeps a window of block
 * *slots*: slot i holds the bytes [base_seq + i * MESSAGE_BLOCK_BYTES, + MESSAGE_BLOCK_BYTES), so a
 * byte's place follows from its sequence number alone. An idle connection holds no block at all.
 */
#ifndef DATAPLANE_TCP_CONNECTION_H
#define DATAPLANE_TCP_CONNECTION_H

#include "dataplane/message/piece.h"
#include "dataplane/tcp/endpoint.h"
#include "dataplane/tcp/handshake.h"
#include "dataplane/tcp/sequence.h"
#include "platform/clock.h"

#define TCP_NONE              UINT32_MAX
#define TCP_SLOTS             (TCP_WINDOW_MAX / MESSAGE_BLOCK_BYTES + 1)
#define TCP_COMMAND_WINDOW    8192u /* bytes promised while commands are spoken */
#define TCP_RECEIVE_SCALE     3u    /* 65535 << 3 covers TCP_WINDOW_MAX and one block more */
#define TCP_EDGE_SLACK        (1u << TCP_RECEIVE_SCALE) /* room for rounding the window up */
#define TCP_MSS_DEFAULT       536u                      /* RFC 9293 3.7.1 */
#define TCP_MSS_DEFAULT_IPV6  1220u
#define TCP_MSS_MIN           64u  /* a smaller offer is raised: it only wastes our replies */
#define TCP_PATH_MTU_MIN      552u /* a router that asks for less is not believed */
#define TCP_PATH_MTU_MIN_IPV6 1280u
#define TCP_INITIAL_WINDOW    10u    /* segments, and */
#define TCP_INITIAL_BYTES     14600u /* bytes, unless two segments are more (RFC 6928) */
#define TCP_QUICK_ACKS        16u /* first segments, and those after a gap, are answered at once */

#define TCP_RTO_INITIAL_NS   (1 * CLOCK_NS_PER_SECOND) /* RFC 6298 */
#define TCP_RTO_MIN_NS       (1 * CLOCK_NS_PER_SECOND)
#define TCP_RTO_MAX_NS       (60 * CLOCK_NS_PER_SECOND)
#define TCP_RETRIES_MAX      7u /* 1+2+4+8+16+32+60 s: R2 above the 100 s of RFC 9293 3.8.3 */
#define TCP_SYN_RETRIES_MAX  5u
#define TCP_DELAYED_ACK_NS   (40 * CLOCK_NS_PER_MS)
#define TCP_CLOSE_NS         (180 * CLOCK_NS_PER_SECOND) /* to get rid of what was queued, after close */
#define TCP_FIN_WAIT_NS      (60 * CLOCK_NS_PER_SECOND)
#define TCP_TIME_WAIT_NS     (60 * CLOCK_NS_PER_SECOND)
#define TCP_WINDOW_RETRY_NS  (10 * CLOCK_NS_PER_MS)
#define TCP_EVICT_IDLE_NS    (10 * CLOCK_NS_PER_SECOND) /* younger ones are never evicted */
#define TCP_EVICT_HOLDING_MS 100u /* the rest of a line comes at once, but for a loss */
/* Commands may hold a quarter of the blocks while half of all is free, half of that those that hold
 * little. When less is free, they have their part (dataplane/message/store.h), and so much of it an
 * address, twice that its neighbourhood. */
#define TCP_COMMAND_SHARE        4u
#define TCP_COMMAND_CLIENT       4u
#define TCP_COMMAND_CLIENT_LEAST 4u /* blocks */
#define TCP_EVICTIONS_A_TICK     8u
/* Of one address's connections, received bytes that nobody has consumed: so much of all blocks, and
 * twice that of one neighbourhood's, when there is not plenty. */
#define TCP_CLIENT_SHARE   16u
#define TCP_CHALLENGE_NS   (1 * CLOCK_NS_PER_SECOND)
#define TCP_CHALLENGES_MAX 10u /* a connection, in each TCP_CHALLENGE_NS */

enum tcp_state {
    TCP_STATE_FREE,
    TCP_STATE_ESTABLISHED,
    TCP_STATE_CLOSE_WAIT,
    TCP_STATE_FIN_WAIT_1,
    TCP_STATE_FIN_WAIT_2,
    TCP_STATE_CLOSING,
    TCP_STATE_LAST_ACK,
    TCP_STATE_TIME_WAIT,
};

enum tcp_timer {
    TCP_TIMER_RETRANSMIT, /* data or FIN unacknowledged; or the peer's window is zero */
    TCP_TIMER_ACK,        /* delayed acknowledgement */
    TCP_TIMER_STATE,      /* after tcp_close(): at most so long; FIN-WAIT-2 and TIME-WAIT */
    TCP_TIMER_WINDOW,     /* blocks or packet buffers were short: try again */
    TCP_TIMER_APPLICATION,
    TCP_TIMER_COUNT,
};

struct tcp_interval {
    uint32_t start;
    uint32_t end;
};

struct tcp_connection {
    struct tcp_endpoint *endpoint;
    uint32_t index;
    uint32_t generation;            /* of this place; never 0 while in use */
    uint32_t table_next;            /* hash chain, or free list */
    struct tcp_client_place client; /* where it is counted */
    uint32_t hash;                  /* of key */
    struct ip_flow key;
    struct packet_path path;

    uint8_t state;  /* enum tcp_state */
    uint8_t expect; /* enum tcp_expect */
    uint8_t close_reason;
    bool dying : 1;  /* finalised as soon as no callback is running */
    bool dirty : 1;  /* on the endpoint's output list */
    bool opened : 1; /* the application knows it */
    bool ack_now : 1;
    bool fin_queued : 1;    /* tcp_close(): FIN follows the last byte */
    bool fin_received : 1;  /* in order: receive_next counts it */
    bool fin_known : 1;     /* fin_seq is valid */
    bool send_refused : 1;  /* owes the application a `writable` */
    bool timestamps : 1;    /* RFC 7323, agreed */
    bool sack : 1;          /* RFC 2018, agreed */
    bool scaling : 1;       /* RFC 7323, agreed */
    bool timing : 1;        /* timed_seq is being timed (without timestamps) */
    bool repeated : 1;      /* `repeat` is to be reported (RFC 2883) */
    bool read_closed : 1;   /* tcp_close(): what arrives is acknowledged and dropped */
    bool holds_command : 1; /* on the endpoint's list of holders, */
    bool holds_waiting : 1; /* or would be if it were not waiting for us */
    uint8_t listener;       /* index in endpoint->listeners */
    uint8_t challenges;
    uint8_t command_slots; /* blocks it is counted with as a holder */

    /* Receive. */
    uint32_t receive_next;
    uint32_t read_seq;        /* first byte the application has not consumed */
    uint32_t base_seq;        /* of slot 0; meaningful while slot_count > 0 */
    uint32_t promised_edge;   /* right edge we mean to grant: never retracted */
    uint32_t advertised_edge; /* highest one on the wire: promised_edge, rounded up to the scale */
    uint32_t fin_seq;
    struct tcp_interval repeat; /* bytes that came twice: the next D-SACK block */
    uint32_t newest_interval;   /* start of the interval that grew last: first SACK block */
    uint32_t timestamp_recent;  /* TS.Recent */
    uint32_t last_ack_sent;     /* Last.ACK.sent */
    uint8_t receive_scale;
    uint8_t send_scale;
    uint8_t slot_count;
    uint8_t interval_count;
    uint8_t quick_acks;
    uint8_t unacknowledged_segments; /* 2 says it all */
    uint8_t sacked_count;            /* of the send side, as the next: here there is room */
    bool recovering : 1;
    bool send_small : 1; /* send_place is a piece */
    uint32_t slots[TCP_SLOTS];
    struct tcp_interval intervals[TCP_INTERVALS_MAX]; /* beyond receive_next, ascending, apart */

    /* Send. The reply bytes [send_base, send_base + send_length) lie in a circle: a piece of a
     * block, or a block. */
    uint32_t send_una;
    uint32_t send_next;
    uint32_t send_max; /* highest send_next ever: what may be acknowledged */
    uint32_t send_window;
    uint32_t send_window_max; /* largest ever seen, for RFC 5961 5.2 */
    uint32_t send_wl1;
    uint32_t send_base;
    uint32_t send_place; /* of the piece, or of the block's first (message/piece.h) */
    uint16_t send_head;  /* place of send_base in the circle */
    uint16_t send_length;
    uint16_t mss; /* payload bytes of a segment we send, before its options */
    uint8_t retries;
    uint8_t duplicate_acks;
    uint32_t congestion_window;
    uint32_t slow_start_threshold;
    uint32_t recover;  /* RFC 6582 */
    uint32_t repaired; /* in recovery: holes before it have been sent again */
    struct tcp_interval sacked[TCP_SACK_BLOCKS_MAX]; /* held by the peer, ascending, apart */
    uint32_t timed_seq;
    uint32_t timestamp_offset;
    uint32_t challenge_ms; /* when the first of them was sent, wrapping */
    int64_t timed_ns;
    int64_t srtt_ns; /* 0: no sample yet */
    int64_t rttvar_ns;
    int64_t rto_ns;

    /* Timers: deadlines (0 = unset) and one entry in the wheel at the earliest of them. */
    int64_t deadline_ns[TCP_TIMER_COUNT];
    int64_t armed_ns;
    uint32_t wheel_slot; /* TCP_NONE: not linked */
    uint32_t wheel_next;
    uint32_t wheel_previous;
    uint32_t dirty_next;
    uint32_t dirty_previous;
    uint32_t age_next; /* in TIME-WAIT, or among the holders: oldest first */
    uint32_t age_previous;
    uint32_t held_ms;  /* since when it is among the holders, wrapping */
    int64_t active_ns; /* the peer last sent something new */
};
_Static_assert(sizeof(struct tcp_connection) <= 496, "idle connections have to cost little");

static inline struct tcp_connection *tcp_at(const struct tcp_endpoint *endpoint, uint32_t index)
{
    return (struct tcp_connection *)(endpoint->connections + (size_t)index * endpoint->stride);
}

/* table.c */
/* What is the same in every IPv4 key need not be hashed. */
#define TCP_KEY_IPV4_BYTES 12u
static inline void tcp_key_pack_ipv4(const struct ip_flow *key, uint8_t packed[TCP_KEY_IPV4_BYTES])
{
    memcpy(packed, key->local_address + 12, 4);
    memcpy(packed + 4, key->remote_address + 12, 4);
    memcpy(packed + 8, &key->local_port, 2);
    memcpy(packed + 10, &key->remote_port, 2);
}
/* Keyed. A packet's key is hashed once: whoever needs the hash is given it. */
uint32_t tcp_key_hash(const struct tcp_endpoint *endpoint, const struct ip_flow *key);
struct tcp_connection *tcp_table_find(struct tcp_endpoint *endpoint, const struct ip_flow *key,
                                      uint32_t hash);
void tcp_table_insert(struct tcp_endpoint *endpoint, struct tcp_connection *connection);
void tcp_table_remove(struct tcp_endpoint *endpoint, struct tcp_connection *connection);

/* listener.c */
/* Who listens at the local end of `flow`, or null. */
const struct tcp_listener *tcp_listener_find(const struct tcp_endpoint *endpoint,
                                             const struct ip_flow *flow);
static inline uint8_t tcp_listener_index(const struct tcp_endpoint *endpoint,
                                         const struct tcp_listener *listener)
{
    return (uint8_t)(listener - endpoint->listeners.at);
}

/* Whom to tell: tcp_application_of(), without the call. */
static inline const struct tcp_application *tcp_above(const struct tcp_connection *connection)
{
    return connection->endpoint->listeners.at[connection->listener].application;
}

/* endpoint.c */
/* An established connection from a completed handshake; null at a limit. */
struct tcp_connection *tcp_connection_new(struct tcp_endpoint *endpoint,
                                          const struct tcp_half_open *entry);
/* Marks for the end; tcp_settle() makes it so once no callback runs. */
void tcp_kill(struct tcp_connection *connection, enum tcp_close_reason reason);
/* Finalises `connection` if it is dying: tells the application, frees all it holds. */
void tcp_settle(struct tcp_connection *connection, int64_t now_ns);
/* Looks for connections that could make room in a table that is nearly full. For each tick. */
void tcp_silent_look(struct tcp_endpoint *endpoint);
/* Blocks for commands have run out: resets the connection that has held a block of an unfinished
 * command for longest, if that is long, but not `spared`. True when there was one. */
bool tcp_evict_holder(struct tcp_endpoint *endpoint, const struct tcp_connection *spared);

/* age.c */
void tcp_age_add(struct tcp_endpoint *endpoint, struct tcp_age *age, struct tcp_connection *c);
void tcp_age_remove(struct tcp_endpoint *endpoint, struct tcp_age *age, struct tcp_connection *c);
/* Holders hold blocks of a command whose rest we wait for. To be called when what makes one has
 * changed: blocks, what is expected, or whether the application has a deadline. */
void tcp_holder_update(struct tcp_connection *connection);
/* Its blocks of received bytes are held for `class`. */
void tcp_holder_reclass(struct tcp_connection *connection, enum block_class class);
/* Who has been one for longest, but not `spared`; null when there is none. */
struct tcp_connection *tcp_holder_oldest(const struct tcp_endpoint *endpoint,
                                         const struct tcp_connection *spared);

/* timer.c */
void tcp_timer_set(struct tcp_connection *connection, enum tcp_timer timer, int64_t deadline_ns);
void tcp_timer_clear(struct tcp_connection *connection, enum tcp_timer timer);
void tcp_wheel_remove(struct tcp_connection *connection);

/* reassembly.c */
enum tcp_placed { TCP_PLACED, TCP_PLACED_AHEAD, TCP_PLACED_NOTHING, TCP_PLACED_NO_ROOM };
/* Places payload at `seq`; receive_next moves over what is now in order. */
enum tcp_placed tcp_place(struct tcp_connection *connection, uint32_t seq, const uint8_t *bytes,
                          uint32_t length);
/* Recomputes the right edge that may be advertised now (reserving blocks in DATA) and returns it;
 * never before the edge that was promised. */
uint32_t tcp_window_edge(struct tcp_connection *connection);
/* First sequence number after the in-order bytes (a FIN is not a byte). */
static inline uint32_t tcp_data_end(const struct tcp_connection *connection)
{
    return connection->receive_next - (connection->fin_received ? 1 : 0);
}
/* What the application has not consumed. */
static inline uint32_t tcp_unread(const struct tcp_connection *connection)
{
    return tcp_data_end(connection) - connection->read_seq;
}
/* Gives back every block and forgets what lies ahead of receive_next. */
void tcp_receive_release(struct tcp_connection *connection);

/* acknowledge.c */
/* The peer acknowledges up to `ack`, which is new. `echo` is TSecr in ms since our offset, valid
 * when `timed`. */
void tcp_acknowledged(struct tcp_connection *connection, uint32_t ack, bool timed, uint32_t echo,
                      int64_t now_ns);
/* The peer's window was closed and no longer is: what waited for it need not wait out the probes'
 * back-off. */
void tcp_window_opened(struct tcp_connection *connection, int64_t now_ns);
void tcp_duplicate_ack(struct tcp_connection *connection, int64_t now_ns);
/* Takes note of what the peer holds beyond a gap (RFC 2018). */
void tcp_sacked(struct tcp_connection *connection, const struct tcp_header *header);
/* The first sent but not held byte at or after `from`: its place and how many follow it before the
 * next held one. False when there is none. */
bool tcp_send_hole(const struct tcp_connection *connection, uint32_t from,
                   struct tcp_interval *hole);
/* struct ip_upper's `too_big`; `context` is the endpoint. */
void tcp_path_mtu_told(void *context, const struct ip_flow *addresses,
                       const uint8_t quoted[IP_QUOTED_BYTES], uint32_t mtu);
void tcp_retransmit_expired(struct tcp_connection *connection, int64_t now_ns);
uint32_t tcp_timestamp(const struct tcp_connection *connection, int64_t now_ns);

/* True when everything sent, FIN included, has been acknowledged. */
bool tcp_fin_acknowledged(const struct tcp_connection *connection);

/* output.c */
void tcp_mark_dirty(struct tcp_connection *connection);
void tcp_unmark_dirty(struct tcp_connection *connection);
void tcp_send_reset(struct tcp_connection *connection, int64_t now_ns);
/* Sends one byte into a closed window (RFC 9293 3.8.6.1). */
void tcp_send_probe(struct tcp_connection *connection, int64_t now_ns);
/* Answers a segment that belongs to no connection (RFC 9293 3.10.7.1). */
void tcp_refuse_segment(struct tcp_endpoint *endpoint, const struct ip_segment *segment,
                        uint32_t seq, uint32_t ack, uint8_t flags);
/* Bytes of the circle that replies lie in, when there is one. */
static inline uint32_t tcp_send_room(const struct tcp_connection *connection)
{
    return connection->send_small ? PIECE_BYTES : TCP_SEND_BYTES;
}
/* Copies queued bytes from `seq` on out of it. */
void tcp_send_copy(const struct tcp_connection *connection, uint32_t seq, uint8_t *to,
                   uint32_t length);
/* Gives the circle back. */
void tcp_send_release(struct tcp_connection *connection);
/* First sequence number after the queued reply bytes. */
uint32_t tcp_send_end(const struct tcp_connection *connection);
/* Retransmits the next hole: the first unacknowledged segment, or, within a recovery, the first one
 * not yet repaired. False when there is nothing to repair. */
bool tcp_retransmit(struct tcp_connection *connection, int64_t now_ns);

#endif

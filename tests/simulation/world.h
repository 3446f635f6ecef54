/* world.h: one simulated run: senders, links, one worker's endpoint, and what is known about all of
 * them. See docs/simulation.md.
 *
 * A *host* is a sender's machine with one port of its own (a *tuple*, since our end is always the
 * same). An *exchange* is one connection attempt from a tuple; a tuple may have several, one after
 * the other. Bytes are numbered from 0 in each direction; position p of the sender's bytes has
 * sequence number iss + 1 + p, and the FIN stands at the position behind the last byte.
 *
 * Threads: one. Memory: everything belongs to struct world; exchanges never move.
 */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "dataplane/ip/interface.h"
#include "dataplane/message/store.h"
#include "dataplane/smtp/session.h"
#include "dataplane/tcp/endpoint.h"
#include "events.h"
#include "random.h"
#include "wire.h"

#define WORLD_MS     INT64_C(1000000)
#define WORLD_SECOND INT64_C(1000000000)
#define WORLD_BLOCKS 1024u /* in the region; a run uses the first few, or all */
#define WORLD_SLOTS  128u
/* In a crowd: room for a maximal mail or two, and some for every sender's envelope. */
#define WORLD_CROWD_BLOCKS 240u
#define WORLD_CROWD_WINDOW 32768u
#define WORLD_CROWD_MAIL   1500000 /* bytes: limits.message_size */
#define WORLD_PORT         25u
#define WORLD_OUTAGES      3u
#define WORLD_NONE         UINT32_MAX

struct world;
struct exchange;

/* A frame on its way, with what the oracles must know about it. */
struct frame {
    uint32_t exchange; /* who sent it; WORLD_NONE: nobody's connection */
    uint32_t tuple;
    bool forged;  /* by an attacker: must never be accepted */
    bool damaged; /* bits were flipped */
    bool fin;
    int64_t position; /* of the payload's first byte */
    uint32_t payload_length;
    uint32_t payload_offset; /* in bytes[] */
    uint32_t length;
    uint8_t bytes[];
};

/* One way of a link. Chances are parts in 10,000 and end with world.faults_end_ns. */
struct direction {
    unsigned loss;
    unsigned duplicate;
    unsigned reorder;
    unsigned damage;
    int64_t delay_ns;
    int64_t jitter_ns;
    int64_t late_ns;     /* how much later what is reordered or doubled may come */
    uint32_t mtu;        /* bytes of an IP packet */
    uint32_t narrow_mtu; /* of a link further on, whose router says so; 0: none */
    int64_t narrow_from_ns;
    int64_t outage_start_ns[WORLD_OUTAGES];
    int64_t outage_end_ns[WORLD_OUTAGES];
    int64_t last_arrival_ns;
};

enum peer_state { PEER_WAITING, PEER_SYN_SENT, PEER_OPEN, PEER_TIME_WAIT, PEER_GONE };

enum peer_end {
    PEER_END_NONE,
    PEER_COMPLETED,   /* both directions finished */
    PEER_WAS_RESET,   /* by a valid RST */
    PEER_WAS_REFUSED, /* RST in answer to SYN */
    PEER_DID_RESET,   /* on purpose */
    PEER_DID_VANISH,  /* on purpose */
    PEER_DID_GIVE_UP, /* nothing moved for too long */
};

enum peer_recovery { PEER_BY_TIMER, PEER_BY_DUPLICATES, PEER_BY_SACK };
enum peer_segments { PEER_FULL_SEGMENTS, PEER_RANDOM_SEGMENTS, PEER_TINY_SEGMENTS };

/* How a sender is going to behave: drawn once, when the run is planned. */
struct peer_plan {
    int64_t start_ns;
    uint32_t tuple;
    int64_t total; /* bytes it means to send */
    int64_t give_up_ns;
    bool resets;
    bool vanishes;
    bool floods;         /* sends a SYN and nothing more */
    bool frozen;         /* its receive window never opens again */
    int64_t trouble_ns;  /* after the handshake, when it resets or vanishes */
    bool two_versions;   /* sends different bytes for the same position */
    bool attacked;       /* somebody sends forged segments in its name */
    bool waits_for_fin;  /* closes only after the server has */
    bool stops_at_fin;   /* sends no more once the server has closed */
    bool lost_last_ack;  /* the handshake's third segment never leaves */
    bool silent_updates; /* never says by itself that its window has opened */
    bool fin_with_data;
    enum peer_recovery recovery;
    enum peer_segments segments;
    unsigned overlap;  /* chances, parts in 10,000 of segments */
    unsigned wild;     /* far out of the window */
    unsigned keep;     /* old bytes again, as keep-alives do */
    int64_t cwnd_max;  /* segments */
    unsigned burst;    /* segments sent in one go */
    int64_t gap_ns;    /* longest pause between two writes */
    int64_t write_max; /* bytes of one write */
    int64_t ack_delay_ns;
    unsigned ack_every;
    int64_t window_bytes; /* receive buffer */
    int64_t read_gap_ns;  /* 0: reads at once */
    int64_t read_max;
    int64_t time_wait_ns;
    int64_t clock_ns; /* granularity of its timestamps */
    bool ip_options;
    bool trailing_bytes;
};

struct peer_range {
    int64_t start;
    int64_t end;
};

#define PEER_SACKED_MAX 32u

struct peer {
    struct peer_plan plan;
    enum peer_state state;
    enum peer_end end;
    bool silent; /* its host answers nothing */
    uint8_t mac[6];
    uint16_t vlan;
    bool ipv6;
    uint8_t address[16]; /* IPv4: the first four */
    uint16_t port;

    /* Options: offered, then agreed. */
    bool offer_mss, offer_scale, offer_sack, offer_timestamp;
    uint16_t offered_mss;
    uint8_t offered_scale;
    bool scale, sack, timestamp;
    uint8_t their_scale;
    uint16_t their_mss;
    uint32_t iss;
    uint32_t irs;
    uint32_t clock_offset;
    uint32_t timestamp_recent;

    /* Sending. */
    uint8_t *bytes;
    uint8_t *other_bytes; /* two_versions */
    uint8_t *versions;    /* two_versions: bit 0, bit 1: was sent */
    uint8_t *held;        /* two_versions: 1 where the endpoint holds a byte for good */
    uint8_t *held_value;
    uint8_t *arrived; /* 1 where a good frame brought the byte to the endpoint */
    int64_t capacity;
    int64_t total;
    int64_t written;
    int64_t arrived_prefix;
    bool fin_arrived;
    bool fin_wanted;
    int64_t una, next, max; /* the FIN counts as one */
    int64_t highest;        /* next at its highest: max without the probes */
    int64_t edge;           /* right edge of the endpoint's window, as learnt */
    int64_t cwnd;           /* segments */
    unsigned duplicates;
    bool recovering;
    int64_t recover;
    int64_t repaired; /* recovery by SACK has sent up to here */
    struct peer_range sacked[PEER_SACKED_MAX];
    unsigned sacked_count;
    unsigned last_window;
    int64_t rto_ns;
    int64_t srtt_ns;
    int64_t timed_position;
    int64_t timed_ns;

    /* Receiving. */
    uint8_t *got; /* 1 where a reply byte has come */
    int64_t got_capacity;
    int64_t receive_next;
    int64_t read;
    int64_t promised; /* largest right edge ever announced */
    int64_t updated;  /* right edge of the last announcement */
    bool fin_seen;    /* in order */
    bool fin_known;
    int64_t fin_position;
    int64_t last_out_of_order;
    unsigned unacknowledged;
    bool syn_ack_seen;

    /* Timers, 0: unset. */
    int64_t retransmit_ns, persist_ns, ack_ns, read_ns, write_ns, trouble_ns, end_ns, give_up_ns;
    int64_t event_ns;
};

enum recorder_reading { READ_AT_ONCE, READ_SLOWLY, READ_IN_FITS };
enum recorder_close { CLOSE_WHEN_FINISHED, CLOSE_WHEN_ALL_READ, CLOSE_EARLY, CLOSE_BY_ABORT };

/* The application above the endpoint in the recording mode. */
struct recorder {
    enum recorder_reading reading;
    enum recorder_close closing;
    int64_t close_at; /* bytes read before an early close or abort */
    int64_t reply_total;
    int64_t reply_max; /* bytes of one tcp_send() */
    int64_t reply_gap_ns;
    int64_t read_gap_ns;
    int64_t read_max;
    unsigned switching; /* chance of another tcp_expect() in each round */
    unsigned deadlines; /* chance of a short deadline in each round */
    int64_t idle_ns;
    int64_t read;
    int64_t idle_until_ns;
    int64_t deadline_ns;
    int64_t next_read_ns;
    int64_t next_reply_ns;
    int64_t event_ns;
    int64_t nothing_until_ns; /* TCP_EXPECT_NOTHING is in force; 0: not */
    bool refused;             /* owed a `writable` */
};

struct exchange {
    struct world *world;
    uint32_t index;
    struct peer peer;
    struct recorder recorder;
    struct dialogue *dialogue; /* mail mode */
    uint32_t previous;         /* exchange of the same tuple, or WORLD_NONE */
    bool clean;                /* nothing in the plan excuses anything but a complete exchange */

    /* The endpoint's side, as seen. */
    struct connection_handle handle;
    bool opened;
    bool open;
    bool finished;
    bool aborted; /* the application called tcp_abort() */
    bool closed;  /* ... tcp_close() */
    bool ended;   /* `closed` was called */
    enum tcp_close_reason reason;
    uint8_t *replies; /* queued by tcp_send() */
    int64_t reply_count;
    int64_t reply_capacity;
    bool has_edge;
    uint32_t edge; /* right edge last advertised */
    bool has_timestamp;
    uint32_t timestamp;
    int64_t acked;             /* highest position acknowledged */
    int64_t unacknowledged_ns; /* since when something in order waits for its ACK; 0: nothing */
    int64_t closed_ns;
    bool gave_up; /* the application did: nothing came for too long */
};

struct worker_round {
    unsigned frames_in;
    unsigned timers;
    unsigned calls; /* of the application */
    unsigned frames_out;
    unsigned bare_out; /* without payload */
};

struct world {
    uint64_t seed;
    bool trace;
    bool mail; /* the SMTP server is on top, not the recorder */
    bool failed;
    bool pressure;      /* memory or connections may run out */
    bool port_verifies; /* received checksums are marked as good by the port */
    char failure[600];
    struct random random;
    struct events events;
    int64_t start_ns;
    int64_t now_ns;
    int64_t faults_end_ns;
    int64_t end_ns;       /* nothing may take longer */
    uint32_t crowd;       /* senders of maximal mails beside good small ones; 0: none */
    uint32_t payload_min; /* the least any segment of ours can carry */

    struct region *region;
    struct store store;
    struct region_counters *counters;
    struct tcp_endpoint endpoint;
    struct packet_output output;
    struct ip_host ip;
    struct tcp_application application; /* the one on top */
    struct tcp_application watched;     /* what the endpoint calls instead */
    struct mail *server;                /* mail mode */
    uint8_t *out;                       /* the frame begun */
    uint32_t out_length;
    unsigned out_refused; /* chance that there is no room for a frame */

    struct direction to_server;
    struct direction to_peers;
    struct exchange *exchanges;
    uint32_t exchange_count;
    uint32_t done_count;
    uint32_t *tuples; /* exchange in force of each tuple, or WORLD_NONE */
    uint32_t tuple_count;
    uint16_t port_base;
    uint32_t *connection_exchange; /* by the endpoint's connection index */

    /* The worker. */
    struct frame **queue; /* ring of frames that have come in */
    uint32_t queue_size;
    uint32_t queue_head;
    uint32_t queue_count;
    bool poll_pending;
    uint32_t window_bytes; /* limits.window */
    int64_t tick_ns;
    int64_t latest_round_ns;
    int64_t stall_until_ns;
    unsigned stalls; /* chance of a stall at each tick */
    unsigned timer_budget;
    bool timers_behind;
    struct worker_round round;
    bool lenient_acks; /* an acknowledgement may be late: the port was full, or memory is short */

    uint64_t rounds;
    uint64_t frames_given;
    uint64_t frames_sent;
    uint64_t frames_lost;
    uint64_t connections_completed;
    uint64_t bytes_delivered;
};

/* Records the first failure and stops the run. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline bool world_faulty(const struct world *world)
{
    return world->now_ns < world->faults_end_ns;
}

/* Runs `seed`; false when an oracle was violated (and says so on stdout). */
bool world_run(struct world *world, struct region *region, uint64_t seed, int mode, bool trace);

/* plan.c: draws everything that is fixed in advance. */
void plan_world(struct world *world, int mode);

/* network.c */
struct frame *network_frame(uint32_t length);
/* Sends a frame (ownership moves) towards the server or back. */
void network_carry(struct world *world, struct frame *frame, bool to_server);
/* The endpoint's way out. */
void network_output_init(struct world *world);

/* worker.c */
void worker_receive(struct world *world, struct frame *frame);
void worker_poll(struct world *world);
void worker_tick(struct world *world);
void worker_poll_soon(struct world *world);
/* Gives one frame to the endpoint at once (the frame stays the caller's). */
enum counter worker_give(struct world *world, const struct frame *frame);

/* peer.c, peer_input.c, peer_output.c: the sender. */
void peer_start(struct exchange *x);
void peer_arrival(struct world *world, const struct frame *frame);
void peer_timer(struct exchange *x, int64_t at_ns);
void peer_schedule(struct exchange *x);
void peer_finished(struct exchange *x, enum peer_end end);
void peer_input(struct exchange *x, const struct wire_segment *segment);
void peer_send_syn(struct exchange *x);
void peer_send_ack(struct exchange *x);
void peer_send_reset(struct exchange *x);
/* Sends what window and congestion window allow, and sets the timers. */
void peer_push(struct exchange *x);
void peer_retransmit_first(struct exchange *x);
void peer_retransmit_hole(struct exchange *x);
void peer_timed_out(struct exchange *x);
void peer_probe(struct exchange *x);
/* Common fields of a segment from this sender. */
void peer_fill(struct exchange *x, struct wire_segment *segment);
uint32_t peer_timestamp(const struct exchange *x);
/* A RST from a host that knows of no such connection. */
void peer_host_reset(struct world *world, struct exchange *x, const struct wire_segment *segment);
static inline uint32_t peer_seq(const struct peer *peer, int64_t position)
{
    return peer->iss + 1 + (uint32_t)position;
}
/* Makes room for `length` more bytes of the sender's own. */
void peer_reserve(struct peer *peer, int64_t total);

/* application.c: stands between the endpoint and its application, to know what passes. */
void application_install(struct world *world, const struct tcp_application *application);

/* recorder.c */
void recorder_application(struct tcp_application *application, struct world *world);
void recorder_event(struct exchange *x, int64_t at_ns);

/* attack.c */
void attack_event(struct world *world, uint32_t exchange);

/* oracle.c: what must hold. */
/* The exchange whose sender acknowledges or is acknowledged by `ack`; null when there is none. */
struct exchange *oracle_by_ack(struct world *world, uint32_t tuple, uint32_t ack);
void oracle_frame_sent(struct world *world, const uint8_t *bytes, uint32_t length);
void oracle_delivered(struct exchange *x, int64_t position, const uint8_t *bytes, uint32_t length);
void oracle_round(struct world *world);
void oracle_end(struct world *world);
/* Around ip_input(). */
struct oracle_before {
    struct tcp_connection *connection;
    uint32_t generation;
    uint32_t receive_next;
    bool read_closed;
    unsigned interval_count;
    uint32_t intervals[16][2];
};
void oracle_before_input(struct world *world, const struct frame *frame,
                         struct oracle_before *before);
void oracle_after_input(struct world *world, const struct frame *frame,
                        const struct oracle_before *before, enum counter outcome);
struct tcp_connection *oracle_connection(struct world *world, const struct exchange *x);
/* The exchange a connection of the endpoint belongs to. */
struct exchange *oracle_exchange(struct world *world, const struct tcp_connection *connection);

#endif

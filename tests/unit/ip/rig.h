/* rig.h: a rig for the packet code: one interface, one TCP endpoint on a real region and
 * store, an application that records what it is told, and clients that build every packet by hand.
 *
 * Time stands still except in rig_advance(). What the endpoint sends is parsed and checked (link,
 * IP and TCP headers, checksums) as it leaves, and waits in a queue for rig_next(). Every packet
 * that goes in is checked to be counted exactly once. rig_close() lets every connection end and
 * checks that nothing is left.
 *
 * Threads: one. No cmocka in here, so that the fuzzers can use it: a failed check aborts by
 * CHECK().
 */
#ifndef TESTS_UNIT_IP_RIG_H
#define TESTS_UNIT_IP_RIG_H

#include "dataplane/ip/interface.h"
#include "dataplane/net/frame.h"
#include "dataplane/tcp/connection.h"
#include "dataplane/tcp/wire.h"
#include "platform/check.h"

#define RIG_QUEUE        256u
#define RIG_FRAME_BYTES  2048u
#define RIG_BLOCKS       64u
#define RIG_PORT         25u
#define RIG_SECOND_PORT  587u
#define RIG_RECEIVED_MAX (4u << 20)
#define RIG_UNLIMITED    UINT32_MAX
#define RIG_MS           CLOCK_NS_PER_MS
#define RIG_SECOND       CLOCK_NS_PER_SECOND
#define RIG_SACK_MAX     4u
#define RIG_ADDRESS    \
    (const uint8_t[4]) \
    {                  \
        198, 18, 0, 1  \
    }
#define RIG_ADDRESS6               \
    (const uint8_t[16])            \
    {                              \
        0x20, 0x01, 0, 2, [15] = 1 \
    }
#define RIG_MAC          \
    (const uint8_t[6])   \
    {                    \
        2, 0, 0, 0, 0, 1 \
    }
#define RIG_CLIENT_MAC   \
    (const uint8_t[6])   \
    {                    \
        2, 0, 0, 0, 1, 1 \
    }
#define RIG_MTU 1500u
#define RIG_MSS 1460u

/* A frame that was sent, taken apart. */
struct rig_frame {
    uint8_t bytes[RIG_FRAME_BYTES];
    uint32_t length;
    int64_t sent_ns;
    uint16_t vlan;
    uint16_t type;
    const uint8_t *network; /* behind the link header */
    bool segment;           /* of TCP: then what follows is valid */
    struct tcp_header tcp;
    unsigned sack_count;
    uint32_t sack[RIG_SACK_MAX][2];
};

struct rig;

struct rig_options {
    uint32_t blocks;               /* 0: RIG_BLOCKS */
    uint32_t connections;          /* 0: 64 */
    uint32_t half_open;            /* 0: 16 */
    uint32_t connections_a_client; /* 0: 64 */
    uint32_t connections_a_prefix; /* 0: 256 */
    uint32_t connection_rate;      /* 0: any */
    uint32_t window_bytes;         /* 0: 65536 */
    uint16_t mtu;                  /* 0: RIG_MTU */
    uint16_t port;                 /* listened at; 0: RIG_PORT */
    /* In place of the rig's own, which then is told nothing; and at RIG_SECOND_PORT. */
    const struct tcp_application *application;
    const struct tcp_application *second;
};

struct rig {
    struct region region;
    struct store store;
    struct tcp_endpoint endpoint;
    struct packet_output output;
    struct ip_host ip;
    uint32_t blocks;
    int64_t now_ns;
    uint64_t given; /* packets put in */
    struct rig_frame *queue;
    unsigned queue_first;
    unsigned queue_count;
    uint64_t sent;     /* frames */
    uint32_t buffers;  /* begin() gives none when 0; RIG_UNLIMITED */
    uint32_t building; /* bytes of the frame begun, 0: none */

    /* The application. */
    struct tcp_application application;
    bool keep; /* leave what was received where it is */
    uint8_t *received;
    size_t received_length;
    unsigned opened, readable, writable, finished, expired, closed;
    enum tcp_close_reason reason;      /* of the last one closed */
    int64_t expired_ns;                /* of the last call */
    struct tcp_connection *connection; /* opened last; null once it has closed */
    void (*on_opened)(struct rig *rig, struct tcp_connection *connection);
    void (*on_readable)(struct rig *rig, struct tcp_connection *connection);
    void (*on_finished)(struct rig *rig, struct tcp_connection *connection);
    void (*on_writable)(struct rig *rig, struct tcp_connection *connection);
    void (*on_expired)(struct rig *rig, struct tcp_connection *connection, int64_t now_ns);
};

void rig_open(struct rig *rig, const struct rig_options *options);

/* rig_open() in two steps, so that a rig can be started again and again on one region. `options`
 * may be null; its `blocks` do not matter here. */
void rig_make(struct rig *rig, uint32_t blocks);
void rig_start(struct rig *rig, const struct rig_options *options);

/* rig_close() in two steps. */
void rig_stop(struct rig *rig);
void rig_unmake(struct rig *rig);

/* Aborts what is open, lets time pass, and checks that nothing is left of anything. */
void rig_close(struct rig *rig);

/* Takes the rig down as it is. */
void rig_forget(struct rig *rig);

/* Puts a frame in, checks that one counter counts it, and returns that. Does not flush. */
enum counter rig_input(struct rig *rig, const uint8_t *frame, uint32_t length);

/* Sends what waits. */
void rig_flush(struct rig *rig);

/* Lets time pass in steps of a millisecond, running timers and sending what they give rise to. */
void rig_advance(struct rig *rig, int64_t ns);

/* The oldest frame that was sent and not looked at, or null. Valid until the next frame is sent. */
const struct rig_frame *rig_next(struct rig *rig);

/* Forgets what was sent. */
void rig_drain(struct rig *rig);

uint64_t rig_counter(const struct rig *rig, enum counter counter);

/* One peer. Zero it, then client_init(). */
struct client {
    struct rig *rig;
    uint8_t address[4];
    uint16_t port;
    uint16_t server_port;
    uint16_t vlan;
    uint16_t window; /* as put on the wire */
    /* What the SYN offers. */
    int scale;    /* -1: no option */
    uint16_t mss; /* 0: no option */
    bool sack;
    bool timestamps; /* offered, and then put on every segment */
    /* State, as a well-behaved peer would keep it. */
    uint32_t initial; /* of the SYN */
    uint32_t first;   /* of the first byte we send */
    uint32_t seq;     /* next to send */
    uint32_t own;     /* first byte the server sends */
    uint32_t ack;     /* next expected from the server */
    uint32_t clock;   /* TSval */
    uint32_t echo;    /* TSecr */
};

/* A segment as it goes on the wire. */
struct segment {
    uint8_t flags;
    uint32_t seq;
    uint32_t ack;
    uint16_t window;
    uint16_t urgent;
    const void *payload;
    uint32_t length;
    const uint8_t *options;
    uint8_t option_bytes; /* a multiple of 4 */
};

/* Client number `number` (address 198.18.1.number, port 40000). Offers nothing but an MSS. */
void client_init(struct client *client, struct rig *rig, uint8_t number);

/* Writes the whole frame of `segment`; returns its length. */
uint32_t client_frame(const struct client *client, const struct segment *segment, uint8_t *frame);

/* Puts `segment` in as it is: no options are added. */
enum counter client_put(struct client *client, const struct segment *segment);

/* Puts in a segment with the client's ack, window and (if agreed) timestamps. */
enum counter client_send(struct client *client, uint8_t flags, uint32_t seq, const void *payload,
                         uint32_t length);

/* As client_send(), acknowledging `ack`. */
enum counter client_send_ack(struct client *client, uint32_t ack);

/* Puts in the bytes of the stream at [offset, offset + length), whose content client_byte() gives;
 * does not move `seq`. */
enum counter client_stream(struct client *client, uint32_t offset, uint32_t length);
uint8_t client_byte(uint32_t offset);

enum counter client_syn(struct client *client);

/* The whole handshake. Leaves nothing in the queue; rig->connection is the connection. */
void client_connect(struct client *client);

/* The next frame, which must be a TCP segment for this client; moves `ack` past its content when it
 * is in order and keeps its timestamp. Null when there is none. */
const struct rig_frame *client_next(struct client *client);

/* Closes from the client's side: FIN, and everything it takes until the server has forgotten. */
void client_finish(struct client *client);

/* The right edge of the window in `frame`. */
uint32_t client_edge(const struct client *client, const struct rig_frame *frame);

#endif

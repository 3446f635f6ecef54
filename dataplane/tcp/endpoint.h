/* endpoint.h: a worker's TCP endpoint as the worker and the simulator drive it.
 *
 * For each burst: every segment by tcp_upper(), then tcp_timers(), then tcp_flush(), which sends
 * what the burst gave rise to (so replies and acknowledgements of one burst share segments).
 *
 * Threads: one. Memory: tcp_endpoint_create() allocates everything, on the main thread; nothing is
 * allocated afterwards.
 */
#ifndef DATAPLANE_TCP_ENDPOINT_H
#define DATAPLANE_TCP_ENDPOINT_H

#include "dataplane/counting.h"
#include "dataplane/ip/upper.h"
#include "dataplane/net/siphash.h"
#include "dataplane/tcp/clients.h"
#include "dataplane/tcp/tcp.h"

#define TCP_WHEEL_BITS  8u
#define TCP_WHEEL_SLOTS (1u << TCP_WHEEL_BITS)
#define TCP_TICK_SHIFT  22u /* a tick is 2^22 ns, about 4.2 ms */

/* Silent connections are looked for before they have to make room: once a table is nearly full, a
 * tick looks at the next places until so many are known. So whoever has been silent for long is
 * known within about a second, wherever in the table it is; with tables beyond 250,000 places later
 * in proportion. */
#define TCP_SILENT_KEPT  16u
#define TCP_SILENT_FROM  8u    /* a part of the table, free */
#define TCP_SILENT_ROUND 256u  /* ticks */
#define TCP_SILENT_LOOK  1024u /* places a tick, at most */

/* A list of connections, oldest first. */
struct tcp_age {
    uint32_t oldest;
    uint32_t newest;
    uint32_t count;
};

struct tcp_half_open; /* dataplane/tcp/handshake.h */

struct tcp_limits {
    uint32_t connections;             /* of this endpoint, TIME-WAIT included */
    uint32_t half_open;               /* kept besides them, rounded up; beyond it: SYN cookies */
    struct tcp_client_limits clients; /* of one address and one neighbourhood, TIME-WAIT excluded */
    uint32_t window_bytes;            /* in DATA: 16 KiB..TCP_WINDOW_MAX */
};

struct tcp_endpoint {
    struct store *store;
    struct region_counters *counters;
    struct packet_output *output;
    struct tcp_listeners listeners;
    struct tcp_limits limits;
    struct siphash_key secret;
    struct siphash_key handshake_secret; /* for what peers see: it tells nothing about the tables */
    uint8_t *connections; /* stride bytes each: struct tcp_connection, then the session */
    size_t stride;
    uint32_t free_connection;
    uint32_t connection_count;
    uint32_t *table;
    uint32_t table_mask;
    struct tcp_clients clients;
    uint32_t
        silent[TCP_SILENT_KEPT]; /* connections found so, or that were: to be looked at again */
    uint32_t silent_count;
    uint32_t silent_cursor;
    uint32_t command_slots;          /* blocks that the holders hold */
    struct tcp_age holders;          /* of blocks of a command whose rest we wait for */
    struct tcp_half_open *half_open; /* sets of TCP_HALF_OPEN_WAYS; tcp/handshake.h */
    uint32_t half_open_mask;         /* number of sets - 1 */
    uint32_t half_open_count;
    uint32_t half_open_cursor;
    int64_t cookie_ns; /* when the last SYN cookie was sent; long ago: a final ACK carries none */
    struct tcp_age time_wait;
    uint32_t dirty; /* connections with something to send */
    uint32_t dirty_last;
    int64_t now_ns; /* of the call in progress */
    uint64_t tick;  /* the wheel has run up to here */
    uint32_t wheel[2][TCP_WHEEL_SLOTS];
};

/* `store`, `counters`, `output` and the listeners' applications are borrowed. `secret` must be
 * random. STATUS_NO_MEMORY. */
enum status tcp_endpoint_create(struct tcp_endpoint *endpoint, struct store *store,
                                struct region_counters *counters, struct packet_output *output,
                                const struct tcp_listeners *listeners,
                                const struct tcp_limits *limits, const struct siphash_key *secret,
                                int64_t now_ns) STATUS_CHECKED;

/* Forgets every connection (no packet is sent, `closed` is called for each). */
void tcp_endpoint_destroy(struct tcp_endpoint *endpoint, int64_t now_ns);

/* The endpoint as what IP gives its segments to. What a router says of the path MTU is believed
 * only when the segment it quotes is in flight (RFC 5927), and never below the smallest MTU of the
 * protocol. */
struct ip_upper tcp_upper(struct tcp_endpoint *endpoint);

/* The costly invariants, for CHECK_SLOW() (each tcp_flush() that did something asks) and tests:
 * each connection is on the lists its state calls for and on no other, once; blocks, clients and
 * places are counted as they are held. Stops at a CHECK where one does not hold, else true. `holds`
 * (may be null): blocks held, to be compared with store_sound()'s. Walks everything; changes and
 * restores. */
bool tcp_sound(struct tcp_endpoint *endpoint, uint32_t *holds);

/* Runs timers that are due, at most `budget` of them; returns how many it ran. */
unsigned tcp_timers(struct tcp_endpoint *endpoint, int64_t now_ns, unsigned budget);

/* Sends what is waiting; returns how many connections had something. */
unsigned tcp_flush(struct tcp_endpoint *endpoint, int64_t now_ns);

#endif

/* clients.h: how many connections each client has, how fast it makes them, and what it did wrong in
 * them. Private to dataplane/tcp.
 *
 * A client is counted twice: by its address (IPv4 /32, IPv6 /64, since one host owns all of a /64)
 * and by its neighbourhood (IPv4 /24, IPv6 /48), so that neither one host nor one rented subnet can
 * take all the places. Only completed handshakes count: whoever spoofs addresses completes none.
 *
 * Entries without connections are kept, oldest re-used first, so that the rate of a client that
 * comes and goes is remembered. There are more entries than connections can hold, so one can always
 * be had; nothing is allocated after the start.
 */
#ifndef DATAPLANE_TCP_CLIENTS_H
#define DATAPLANE_TCP_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/siphash.h"

enum tcp_client_level { TCP_CLIENT_ADDRESS, TCP_CLIENT_PREFIX, TCP_CLIENT_LEVELS };

#define TCP_CLIENTS_REMEMBERED 4096u /* entries beyond those that connections can hold */

struct tcp_client {
    uint64_t prefix; /* masked; an IPv4 address stands where no IPv6 client can be: ::/32 */
    int64_t paid_ns; /* the bucket, in time: when what it owes (1 s / rate a connection) is paid */
    uint32_t connections : 31;
    uint32_t level : 1; /* enum tcp_client_level */
    uint32_t next;      /* hash chain, or free list */
    union {
        struct { /* those without connections, oldest first */
            uint32_t idle_next;
            uint32_t idle_previous;
        };
        struct {               /* those with: */
            uint32_t held;     /* blocks of received bytes their connections hold */
            uint32_t commands; /* of which those of commands whose rest we wait for */
        };
    };
};
_Static_assert(TCP_CLIENT_LEVELS == 2, "one bit tells them apart");
_Static_assert(sizeof(struct tcp_client) == 32, "every connection pays for two");

struct tcp_client_limits {
    uint32_t connections[TCP_CLIENT_LEVELS]; /* at once */
    uint32_t rate;                           /* new connections a second from one address; 0: any */
};

struct tcp_clients {
    struct tcp_client_limits limits;
    struct siphash_key secret;
    struct tcp_client *entries;
    int64_t *faults_ns; /* [entry] another bucket, in time: of faults */
    uint32_t *table;
    uint32_t mask;
    uint32_t free;
    uint32_t idle_oldest;
    uint32_t idle_newest;
};

/* Which entries a connection is counted in. */
struct tcp_client_place {
    uint32_t entry[TCP_CLIENT_LEVELS];
};

enum tcp_client_answer {
    TCP_CLIENT_WELCOME,
    TCP_CLIENT_FULL, /* too many at once */
    TCP_CLIENT_FAST, /* too many a second: it may try again */
};

/* For at most `connections` at once. False: no memory. */
bool tcp_clients_create(struct tcp_clients *clients, uint32_t connections,
                        const struct tcp_client_limits *limits, const struct siphash_key *secret);
void tcp_clients_destroy(struct tcp_clients *clients);

/* Would one more connection from `address` be within its limits? Changes nothing. */
enum tcp_client_answer tcp_clients_ask(struct tcp_clients *clients, const uint8_t address[16],
                                       int64_t now_ns);

/* Counts one more. TCP_CLIENT_FULL: counted nowhere. Never TCP_CLIENT_FAST: that was asked at the
 * SYN. */
enum tcp_client_answer tcp_clients_enter(struct tcp_clients *clients, const uint8_t address[16],
                                         struct tcp_client_place *place, int64_t now_ns);

/* Counts one less, of a connection that holds nothing any more. */
void tcp_clients_leave(struct tcp_clients *clients, const struct tcp_client_place *place);

/* Counts blocks (`more` may be negative) of a connection that is counted. */
static inline void tcp_clients_hold(struct tcp_clients *clients,
                                    const struct tcp_client_place *place, int32_t more)
{
    for (uint32_t level = 0; level < TCP_CLIENT_LEVELS; level++)
        clients->entries[place->entry[level]].held += (uint32_t)more;
}

static inline void tcp_clients_hold_commands(struct tcp_clients *clients,
                                             const struct tcp_client_place *place, int32_t more)
{
    for (uint32_t level = 0; level < TCP_CLIENT_LEVELS; level++)
        clients->entries[place->entry[level]].commands += (uint32_t)more;
}

/* Faults of a client, as the application sees them: `an_hour` from one address (0: any number) and
 * TCP_CLIENT_FAULTS_PREFIX times as many from its neighbourhood, all at once or one by one; they
 * are remembered as long as the client is. Counts one; false when that is one too many. */
#define TCP_CLIENT_FAULTS_PREFIX 4u
bool tcp_clients_fault(struct tcp_clients *clients, const struct tcp_client_place *place,
                       uint32_t an_hour, int64_t now_ns);

/* Would one more fault of the address be one too many? */
bool tcp_clients_faulty(const struct tcp_clients *clients, const struct tcp_client_place *place,
                        uint32_t an_hour, int64_t now_ns);

/* Do the address and its neighbourhood hold less than `share` and twice that? */
bool tcp_clients_within(const struct tcp_clients *clients, const struct tcp_client_place *place,
                        uint32_t share);

/* The same of blocks of commands. */
bool tcp_clients_commands_within(const struct tcp_clients *clients,
                                 const struct tcp_client_place *place, uint32_t share);

#endif

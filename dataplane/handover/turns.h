/* turns.h: whose message goes to the next free scanner.
 *
 * First come, first served would let one client with many slow messages keep everybody else waiting
 * beyond limits.verdict_timeout. So the time of the scanners is shared among the clients that wait
 * (IPv4 address, IPv6 /64), not their places in a line: start-time fair queueing (Goyal, Vin and
 * Cheng, 1996). Each client has a *tag*, the scanner time it has had on a common clock; the
 * smallest tag is next. The clock is the tag of whoever began last; a client that comes anew starts
 * there, without credit for its absence. What a message takes is known when it ends, and counts
 * then; a beginning counts a little, so that clients alternate meanwhile. Messages of one client go
 * in order.
 *
 * What is promised: a client that waits is behind at most the messages that are at the scanners,
 * and those of others up to its own share of time. What is not: a client with messages at every
 * scanner keeps them until they end (1.5 x scanner.time_limit), and one with many addresses has as
 * many shares.
 *
 * Clients are told apart by a keyed hash in TURNS_CLIENTS places; two in one place share it. A
 * client owes at most `debt_max_ns` to the common clock, so that one very slow message does not
 * shut it out; when nobody waits and nothing is scanned all is forgiven.
 *
 * Threads: the owning worker. Memory: none but the struct; messages are linked. Hot path: a step is
 * O(log TURNS_CLIENTS), no heap, lock or system call after turns_init().
 */
#ifndef DATAPLANE_HANDOVER_TURNS_H
#define DATAPLANE_HANDOVER_TURNS_H

#include "dataplane/message/store.h"

#define TURNS_CLIENTS  512u    /* a power of two */
#define TURNS_BEGIN_NS 1000000 /* what a beginning counts */

struct turns_client {
    struct message *first; /* waiting, in order; null: none */
    struct message *last;
    int64_t tag_ns;
    uint64_t order; /* among equal tags: who came or began earlier */
    uint32_t place; /* in `queue`, when it waits */
    uint32_t era;   /* tags of an earlier one are forgotten */
};

struct turns {
    uint64_t secret[2];
    int64_t clock_ns;
    uint32_t era;
    int64_t debt_max_ns;
    uint64_t order;
    uint32_t scanning;             /* messages that have begun and not ended */
    uint32_t count;                /* of clients that wait */
    uint32_t queue[TURNS_CLIENTS]; /* heap: the next one first */
    struct turns_client clients[TURNS_CLIENTS];
};

/* Main thread. Nobody waits; debt_max_ns is 0. */
void turns_init(struct turns *turns);

/* A message comes to wait: behind its client's others, or (`first`) before them. */
void turns_add(struct turns *turns, struct message *message, bool first);

/* A message no longer waits. */
void turns_remove(struct turns *turns, struct message *message);

/* Whose turn it is; null when nobody waits. */
struct message *turns_next(const struct turns *turns);

/* A message that still waits has been given to a scanner. */
void turns_begin(struct turns *turns, const struct message *message);

/* A scanner is done with it, or gone, after `took_ns`. */
void turns_end(struct turns *turns, const struct message *message, int64_t took_ns);

/* The costly invariants, for CHECK_SLOW() and tests: `waiting` messages in all, each of the client
 * it is under; the queue holds exactly the clients that wait, in the order of a heap; `scanning`
 * messages have begun and not ended. Stops at a CHECK where one does not hold, else true. */
bool turns_sound(const struct turns *turns, uint32_t waiting, uint32_t scanning);

#endif

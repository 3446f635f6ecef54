/* turns.h: whose message goes to the next free scanner.
 *
 * First come, first served would let one client with many slow messages keep everybody else waiting
 * beyond limits.verdict_timeout. So the time of the scanners is shared, not places in a line, and
 * on three levels: among the customers whose mail waits, for each customer among the neighbourhoods
 * it comes from (IPv4 /24, IPv6 /48), in each of these among the clients (IPv4 address, IPv6 /64).
 * On each it is start-time fair queueing (Goyal, Vin and Cheng, 1996). Whoever shares has a *tag*,
 * the scanner time it has had on a clock common to those it shares with; the smallest tag is next.
 * The clock is the tag of whoever began last; one that comes anew starts there, without credit for
 * its absence. What a message takes is known when it ends, and counts then; a beginning counts a
 * little, so that they alternate meanwhile. Messages of one client go in order.
 *
 * What is promised: a customer's mail that waits is behind at most the messages that are at the
 * scanners, and those of other customers up to its own share of time; so is a client's among those
 * of its customer. What is not: messages at every scanner keep them until they end (1.5 x
 * scanner.time_limit).
 *
 * Each owes at most `debt_max_ns` to its clock, so that one very slow message does not shut it out;
 * when nobody waits and nothing is scanned all is forgiven. Debts of those who have no message left
 * are remembered as long as there is room; the oldest is forgotten first.
 *
 * Threads: the owning worker. Memory: turns_init() allocates 4 nodes a message (some 128 bytes
 * each), so that there is always one more. Hot path: a look is three steps; a change is amortized
 * O(log n) of those that wait, no heap, lock or system call after turns_init().
 */
#ifndef DATAPLANE_HANDOVER_TURNS_H
#define DATAPLANE_HANDOVER_TURNS_H

#include "dataplane/message/store.h"
#include "dataplane/net/siphash.h"

#define TURNS_BEGIN_NS 1000000 /* what a beginning counts */

enum turns_level { TURNS_ALL, TURNS_CUSTOMER, TURNS_AROUND, TURNS_CLIENT, TURNS_LEVELS };

/* Somebody who shares with those of the same parent. */
struct turns_node {
    uint64_t key;    /* who it is: customer's place, or prefix */
    uint32_t parent; /* whose clock its tag is on */
    uint32_t chain;  /* the next of one hash, or of the free ones */
    uint32_t held;   /* messages below it that wait or are scanned */
    uint32_t era;    /* tags of an earlier one are forgotten */
    int64_t tag_ns;
    int64_t clock_ns;    /* of those below it */
    uint64_t order;      /* among equal tags: who came or began earlier */
    uint32_t next_below; /* the one below it whose turn it is: a pairing heap */
    uint32_t heap_child; /* its own place in its parent's */
    uint32_t heap_next;
    uint32_t heap_previous; /* sibling before it, or the one above */
    bool waits;             /* is in its parent's */
    uint32_t idle_next;     /* by the time when the last message left */
    uint32_t idle_previous;
    struct message *first; /* a client's that wait, in order; null: none */
    struct message *last;
};

struct turns {
    struct siphash_key secret;
    uint32_t era;
    int64_t debt_max_ns;
    uint64_t order;
    uint32_t scanning; /* messages that have begun and not ended */
    uint32_t node_count;
    uint32_t free;
    uint32_t idle_first; /* nodes without messages, whose debts are remembered */
    uint32_t idle_last;
    struct turns_node *nodes; /* the first one is all of them */
    uint32_t *table;
    uint32_t mask;
};

/* Main thread. Nobody waits; debt_max_ns is 0. `messages`: that wait or are scanned, at most.
 * STATUS_NO_MEMORY, STATUS_SYSTEM. */
enum status turns_init(struct turns *turns, uint32_t messages) STATUS_CHECKED;
void turns_fini(struct turns *turns);

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

/* The costly invariants, for CHECK_SLOW() and tests: `waiting` messages in all, each under its
 * client; the heaps hold exactly those below whom somebody waits, in order; `scanning` messages
 * have begun and not ended; nobody without messages is listed as having some. Stops at a CHECK
 * where one does not hold, else true. */
bool turns_sound(const struct turns *turns, uint32_t waiting, uint32_t scanning);

#endif

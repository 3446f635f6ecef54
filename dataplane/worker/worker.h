/* worker.h: one poll-mode worker: a core, its queues, and everything it owns.
 *
 * A worker runs worker_run() on its own lcore and shares nothing mutable with another worker. Main
 * talks to it through the few atomic words below; packets come from its port queues, or, where a
 * port cannot spread flows itself, from worker 0 over a ring (and go back the same way).
 *
 * After worker_init() (main thread) nothing is allocated. In `idle: poll` the loop makes no system
 * call at all; in `adaptive` it sleeps, shortly, when there was nothing to do for a while.
 */
#ifndef DATAPLANE_WORKER_WORKER_H
#define DATAPLANE_WORKER_WORKER_H

#include "dataplane/counting.h"
#include "dataplane/handover/handover.h"
#include "dataplane/ip/interface.h"
#include "dataplane/smtp/session.h"
#include "dataplane/tcp/endpoint.h"
#include "platform/dpdk/port.h"

#define WORKER_BURST      32u
#define WORKER_PASS_RING  1024u /* packets on their way from one worker to another */
#define WORKER_TX_PENDING 64u   /* packets collected before they are given to the port */
#define WORKER_TO_KERNEL  CONFIG_PORTS_MAX

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

/* A configuration as the workers use it. Main makes it, the workers switch to it at a burst
 * boundary; a message keeps the one of its first recipient. Workers say which is the oldest that
 * something still goes by; those before it go. */
struct worker_settings {
    uint32_t generation; /* the configuration's number: from 1, rising */
    struct config *config;
    struct smtp_customers *customers;
};

/* A compiled prefilter as the workers use it; switched like a configuration. */
struct worker_prefilter {
    uint32_t generation; /* from 1, rising */
    struct prefilter prefilter;
    struct inspector *inspectors[REGION_WORKERS_MAX];
    /* What the first scanners will have loaded, as far as can be told before they have: until then
     * it vouches for them. The database is all zero where it does not. */
    struct link_identity expected;
};

/* What main tells all workers. Written by main, read by workers. */
struct worker_orders {
    struct worker_settings *_Atomic settings;
    _Atomic uint32_t settings_left; /* messages of this generation or older go on by the newest */
    struct worker_prefilter *_Atomic prefilter; /* null: every message is scanned */
    struct cache *cache;                        /* made before the workers; may be null */
    _Atomic bool drain;                         /* no new transactions; idle sessions are closed */
    _Atomic bool stop;
};

struct worker_transmit {
    struct rte_mempool *pool;
    const struct port *ports;
    uint32_t port_count;
    struct rte_mbuf *begun; /* by packet_output.begin */
    /* By our number of the port; WORKER_TO_KERNEL more for its exception interface. */
    uint32_t pending_count[2 * CONFIG_PORTS_MAX];
    struct rte_mbuf *pending[2 * CONFIG_PORTS_MAX][WORKER_TX_PENDING];
};

struct worker {
    struct counting counting; /* first: it begins on a cache line */
    unsigned index;
    unsigned count;                   /* of workers */
    struct region_counters *counters; /* its row */
    struct store store;
    struct tcp_endpoint endpoint;
    struct smtp_server smtp;
    struct stream_listener mail; /* plain SMTP, at every port's addresses */
    struct handover handover;
    struct ip_host ip;
    struct packet_output output;
    struct worker_transmit transmit;
    struct rte_ring **inboxes;  /* [worker]: packets passed on to it by worker 0 */
    struct rte_ring **outboxes; /* [worker]: packets worker 0 is to send for it */
    struct log_rings log;
    struct siphash_key spread_key; /* worker 0: whose a flow is */
    bool poll;                     /* cores.idle: poll */
    struct worker_orders *orders;
    const struct worker_settings *settings;   /* in force */
    uint32_t settings_slot;                   /* where the look at all messages has come to */
    uint32_t settings_least;                  /* the oldest generation met by it so far */
    const struct worker_prefilter *prefilter; /* in force */
    int64_t housekeeping_ns;
    int64_t announce_ns; /* worker 0: when our addresses are announced again */
    unsigned announced;
    unsigned idle_rounds;
    int64_t quiet_since_ns; /* draining: nobody is being served since then; 0: somebody is */
    /* Said to main: */
    _Atomic uint32_t
        settings_oldest; /* nothing here refers to settings older than this generation */
    _Atomic uint32_t prefilter_seen; /* generation in force; 0: none */
    _Atomic bool drained;            /* nothing in progress any more */
};

/* What all workers are made from. */
struct worker_setup {
    const struct config *config;
    const struct region *region;
    unsigned worker_count;
    const struct port *ports;
    struct rte_mempool **pools; /* [worker] */
    struct rte_ring **inboxes;
    struct rte_ring **outboxes;
    struct peers *peers;
    void **log_rings; /* [worker]: memory of struct log_rings */
    struct worker_orders *orders;
    struct siphash_key secret;
};

/* Main thread: makes worker `index`. */
enum status worker_init(struct worker *worker, const struct worker_setup *setup,
                        unsigned index) STATUS_CHECKED;
void worker_fini(struct worker *worker);

/* The loop; returns when told to stop. `argument` is a struct worker. */
int worker_run(void *argument);

/* settings.c: takes up main's newest settings, and looks on through the messages for the oldest one
 * in use, a bounded number of them a call. Part of housekeeping. */
void worker_follow_settings(struct worker *worker);

/* transmit.c */
void transmit_init(struct worker *worker, const struct worker_setup *setup);
/* Gives everything collected to the ports (or to worker 0). Returns how many packets. */
unsigned transmit_flush(struct worker *worker);
/* Passes a received frame on to the kernel by the exception interface of port `index`. */
void transmit_to_kernel(struct worker *worker, uint32_t index, struct rte_mbuf *packet);
/* Worker 0: sends what the kernel has to send on the ports it shares with us. */
unsigned transmit_from_kernel(struct worker *worker);
/* Worker 0: sends what the others have put into their outboxes. */
unsigned transmit_for_others(struct worker *worker);

/* receive.c */
/* Takes a burst from every queue that is this worker's. Returns how many packets. */
unsigned receive_burst(struct worker *worker, int64_t now_ns);

#endif

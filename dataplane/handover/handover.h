/* handover.h: from a complete message to its outcome: scan, policy, relay, answer.
 *
 * One struct handover a worker. Its submit() is the only way a message leaves the packet core, and
 * handover_conclude() the only place where a message's one outcome is counted, logged and its
 * memory given back; so the counters add up and no message has two ends.
 *
 *   submit -> waiting -> at a scanner -> verdict -> (policy) -> at control -> outcome
 *
 * Bounds: messages are bounded by the store's slots; a scanner has at most one job of a worker;
 * a message waits at most limits.verdict_timeout over all its stages, then 451. A scanner
 * that dies, answers nonsense or overruns scanner.time_limit costs the message one retry on another
 * scanner; the second time it is unscannable(scanner died | time limit | bad answer). With no
 * scanner up it waits for one until the time-out: unscannable(no engine). With control gone: 451.
 * Where scanners are scarce, clients take turns (turns.h).
 *
 * Threads: the owning worker; no locks, heap or system calls after init.
 */
#ifndef DATAPLANE_HANDOVER_HANDOVER_H
#define DATAPLANE_HANDOVER_HANDOVER_H

#include "dataplane/handover/peers.h"
#include "dataplane/handover/turns.h"
#include "dataplane/log/record.h"
#include "dataplane/smtp/session.h"

struct handover_peer {
    uint64_t life; /* as acted on */
    struct channel channel;
    uint32_t outstanding; /* jobs without an answer */
    bool broken;          /* breaks the protocol or overran: gets nothing more, waits for its end */
};

struct message_list {
    struct message *first;
    struct message *last;
    uint32_t count;
};

struct handover {
    struct store *store;
    struct smtp_server *smtp;
    struct tcp_endpoint *endpoint;
    struct region_counters *counters;
    struct peers *peers;
    struct ring *log; /* producer side; records of struct log_record */
    uint32_t worker;
    uint32_t changes;         /* of the slot table, as acted on */
    uint32_t next_slot;       /* where the search for a scanner starts */
    uint64_t job;             /* last job number given out */
    int64_t sweep_ns;         /* when deadlines are looked at next */
    int64_t scan_limit_ns;    /* watchdog for one job at a scanner: 1.5 x scanner.time_limit */
    int64_t verdict_limit_ns; /* limits.verdict_timeout */
    int64_t wall_offset_ns;   /* wall clock minus now_ns; refreshed by the worker */
    struct handover_peer slots[PEERS_SLOTS];
    struct message_list waiting; /* for a scanner: all of them, oldest first (retries are older) */
    struct turns turns;          /* the same messages by client: who is next */
    struct message_list scanning;
    struct message_list relaying;
};

/* Main thread. Fills `handover` and the `service` of `smtp`. */
void handover_init(struct handover *handover, struct store *store, struct smtp_server *smtp,
                   struct tcp_endpoint *endpoint, struct region_counters *counters,
                   struct peers *peers, struct ring *log, uint32_t worker,
                   const struct config *config);

/* Takes over the time limits of a (re)loaded configuration. */
void handover_configure(struct handover *handover, const struct config *config);

/* Worker, once a burst: takes answers, notices peers that came or went, starts waiting jobs,
 * enforces deadlines (a bounded slice of them a call). Returns how many things it did: 0 = idle. */
unsigned handover_poll(struct handover *handover, int64_t now_ns);

/* Messages that are waiting, being scanned or relayed. */
uint32_t handover_pending(const struct handover *handover);

/* The one end of every message: counts `outcome`, logs, frees. `status` is the reply's text as sent
 * (or as it would have been), without CRLF. */
void handover_conclude(struct handover *handover, struct message *message,
                       enum mail_outcome outcome, const char *status, const char *relay,
                       int64_t now_ns);

#endif

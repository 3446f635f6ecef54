/* handover.h: from a complete message to its outcome: scan, policy, relay, answer.
 *
 * One struct handover a worker. Its submit() is the only way a message leaves the packet core, and
 * handover_conclude() the only place where a message's one outcome is counted, logged and its
 * memory given back; so the counters add up and no message has two ends.
 *
 *   submit -> inspected -> waiting -> at a scanner -> verdict -> (policy) -> at control -> outcome
 *                 |                                      ^
 *                 +---- settled clean, or by the cache --+
 *
 * The prefilter looks at a message while it arrives, a bounded number of bytes each poll; what it
 * settles skips the scanner. It does so only while every ready scanner says that it has loaded the
 * very database the prefilter was made from, into the library it was proven for (`vouched`).
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
#include "signatures/content/inspect/inspect.h"

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

/* What the prefilter knows of a message, by its slot. */
struct handover_inspection {
    struct inspection *inspection; /* null: none yet, or done */
    uint32_t extent;               /* where it goes on reading ... */
    uint32_t offset;               /* ... in that extent */
    uint32_t inspected_bytes;
    uint32_t asked_bytes; /* of the message when it was last put on the list */
    bool listed;
    bool complete;                /* submitted */
    struct inspect_result result; /* when complete and done */
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
    /* The prefilter in force; null: every message is scanned. */
    struct inspector *inspector;
    struct cache *cache;
    bool vouched; /* every scanner that is ready has the database the prefilter was made from */
    struct handover_inspection *inspections; /* [slot - store->slot_first] */
    struct message_list inspecting;
    struct message_list waiting; /* for a scanner: all of them, oldest first (retries are older) */
    struct turns turns;          /* the same messages by client: who is next */
    struct message_list scanning;
    struct message_list relaying;
};

/* Main thread. Fills `handover` and the `service` of `smtp`. STATUS_NO_MEMORY. */
enum status handover_init(struct handover *handover, struct store *store, struct smtp_server *smtp,
                          struct tcp_endpoint *endpoint, struct region_counters *counters,
                          struct peers *peers, struct ring *log, uint32_t worker,
                          const struct config *config) STATUS_CHECKED;
void handover_fini(struct handover *handover);

/* Worker: another prefilter, or none (null), from now on. What the old inspector was looking at is
 * begun anew. Both are borrowed until the next call; the cache may be null. */
void handover_use_prefilter(struct handover *handover, struct inspector *inspector,
                            struct cache *cache);

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

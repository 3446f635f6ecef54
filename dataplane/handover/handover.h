/* handover.h: from a complete message to its outcome: scan, policy, relay, answer.
 *
 * One struct handover a worker. Its submit() is the only way a message leaves the packet core. From
 * there it goes down the stations (station.h), each a file and a row of one table; handover.c moves
 * it from one to the next and is where it ends: each message has one outcome, counted and logged
 * once (handover_conclude()), and its memory goes back once, when no peer reads it any more. So the
 * counters add up and no message has two ends.
 *
 *   submit -> inspect -> decide -> scan -> decide -> relay -> answer
 *                          |                 |                  ^
 *                          +-----------------+---- refused -----+
 *
 * What is decided is dataplane/policy's: decide.h (scan, relay, refuse), attempt.h (what a scanner
 * may say and what its death costs), reply.h (what the sender hears).
 *
 * The prefilter looks at a message while it arrives, a bounded number of bytes each poll; what it
 * settles skips the scanner. It does so only while every ready scanner says that it has loaded the
 * very database the prefilter was made from, into the library it was proven for (`vouched`). Where
 * all scanners are gone for a while (a parent that starts anew loads for many seconds) the last
 * word stands, until one is ready that says something else; before the first one nothing is
 * settled.
 *
 * Bounds: messages are bounded by the store's slots; a scanner has at most one job of a worker;
 * a message waits at most limits.verdict_timeout over all its stations, then 451. A scanner
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
#include "dataplane/handover/routes.h"
#include "dataplane/handover/turns.h"
#include "dataplane/log/rings.h"
#include "dataplane/policy/reply.h"

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

/* Where a message is after its last byte, or, at inspect, already before. */
enum station {
    STATION_NONE, /* the session's, or nobody's */
    STATION_INSPECT,
    STATION_DECIDE,
    STATION_SCAN,
    STATION_RELAY,
    STATION_ANSWER,
    STATION_COUNT,
};

/* What the stations keep of a message, by its slot. */
struct passage {
    enum station at;           /* while a peer reads it: where it was given to the peer */
    bool again;                /* scan: it had a scanner, so it is before its client's others */
    struct mail_result result; /* answer: what the sender is to hear */
    const char *relay;         /* answer: who answered; borrowed until the message has moved on */
    bool unwanted;             /* relay: nobody waits for it any more, and control ... */
    bool withdrawn;            /* ... has been told so */
    /* The prefilter's. */
    struct inspection *inspection; /* null: none yet, or done */
    uint32_t extent;               /* where it goes on reading ... */
    uint32_t offset;               /* ... in that extent */
    uint32_t inspected_bytes;
    uint32_t asked_bytes; /* of the message when it was last put on the list */
    bool listed;
    bool complete;                   /* submitted */
    struct inspect_result inspected; /* when complete and done */
};

struct handover {
    struct store *store;
    struct smtp_server *smtp;
    struct tcp_endpoint *endpoint;
    struct region_counters *counters;
    struct peers *peers;
    struct log_rings *log; /* producer side */
    uint32_t worker;
    uint32_t changes;            /* of the slot table, as acted on */
    uint32_t next_slot;          /* where the search for a scanner starts */
    uint32_t answer_slot;        /* where the search for an answer goes on */
    uint32_t inspect_turns;      /* of this poll, still to be given */
    uint32_t inspect_left;       /* bytes the prefilter may still look at in this poll */
    uint64_t job;                /* last job number given out */
    int64_t sweep_ns;            /* when deadlines are looked at next */
    int64_t scan_limit_ns;       /* watchdog for one job at a scanner: 1.5 x scanner.time_limit */
    int64_t verdict_limit_ns;    /* limits.verdict_timeout */
    int64_t wall_offset_ns;      /* wall clock minus now_ns; refreshed by the worker */
    struct handover_peer *slots; /* [peers->slot_count] */
    /* The prefilter in force; null: every message is scanned. */
    struct inspector *inspector;
    struct cache *cache;
    bool vouched; /* every scanner that is ready, or the last ones that were, has the database the
                     prefilter was made from; or the first ones will have it */
    bool scanners_seen; /* one has been ready: from then on only what scanners say counts */
    char vouched_engine[PEERS_ENGINE_BYTES]; /* ... and this engine */
    uint64_t vouched_signatures;             /* link_signatures() of it */
    struct passage *passages;                /* [slot - store->slot_first] */
    struct message_list inspecting;
    struct message_list waiting; /* for a scanner: all of them, by deadline */
    struct turns turns;          /* the same messages by client: who is next */
    struct message_list scanning;
    struct message_list relaying;
    struct relay_result relay_answer; /* the one being acted on */
    struct routes routes;             /* customers nothing is received for */
};

/* Main thread. Fills `handover` and the `service` of `smtp`. STATUS_NO_MEMORY. */
enum status handover_init(struct handover *handover, struct store *store, struct smtp_server *smtp,
                          struct tcp_endpoint *endpoint, struct region_counters *counters,
                          struct peers *peers, struct log_rings *log, uint32_t worker,
                          const struct config *config) STATUS_CHECKED;
void handover_fini(struct handover *handover);

/* Worker: another prefilter, or none (null), from now on. What the old inspector was looking at is
 * begun anew. Both are borrowed until the next call; the cache may be null. `expected` is what the
 * first scanners will have, for as long as none has been ready; null: not known. */
void handover_use_prefilter(struct handover *handover, struct inspector *inspector,
                            struct cache *cache, const struct link_identity *expected);

/* Takes over the time limits of a (re)loaded configuration. */
void handover_configure(struct handover *handover, const struct config *config);

/* Worker, once a burst: takes answers, notices peers that came or went, starts waiting jobs,
 * enforces deadlines (a bounded slice of them a call). Returns how many things it did: 0 = idle. */
unsigned handover_poll(struct handover *handover, int64_t now_ns);

/* The costly invariants between two polls, for CHECK_SLOW() (each poll that did something asks) and
 * tests: every submitted message is on exactly one list, what is out at each peer is as much as is
 * counted as out, and turns.h's agree. Stops at a CHECK where one does not hold, else true. */
bool handover_sound(const struct handover *handover);

/* Messages on any list: being looked at, waiting, being scanned or relayed. */
uint32_t handover_pending(const struct handover *handover);

#endif

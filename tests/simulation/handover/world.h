/* world.h: the handover in a world of chance: real sessions, stores, handovers, rings and channel
 * memory; played are the senders, the scanners, control, and the main thread's half of the peers.
 *
 * One seed is one run, the same on every machine. Scanners and control die at any moment, are slow
 * or lie until `faults_end_ns`; from there on everything has to complete. What must hold is in
 * oracle.c. See docs/simulation.md.
 *
 * Threads: one. Memory: static, and what the real objects take.
 */
#ifndef TESTS_SIMULATION_HANDOVER_WORLD_H
#define TESTS_SIMULATION_HANDOVER_WORLD_H

#include "dataplane/handover/handover.h"
#include "dataplane/log/rings.h"
#include "tests/simulation/random.h"
#include "tests/unit/handover/senders.h"

#define WORLD_WORKERS      2u
#define WORLD_SLOTS        24u /* a worker */
#define WORLD_BLOCKS       600u
#define WORLD_SCANNERS_MAX 4u
#define WORLD_CUSTOMERS    3u
#define WORLD_MAILS_MAX    400u
#define WORLD_SENDERS_MAX \
    24u /* at once; two for each place a worker has would be refused all day */
#define WORLD_BODY_MAX 6000u

#define WORLD_MS     INT64_C(1000000)
#define WORLD_SECOND (1000 * WORLD_MS)

/* -- mails ------------------------------------------------------------------------------------- */

/* What a sender meant, and what everybody said of it: the oracle's ledger. */
struct mail {
    uint32_t number;
    uint32_t worker;
    uint32_t customer;       /* 0 defer, 1 reject, 2 deliver */
    enum verdict_kind truth; /* what an honest scanner says */
    uint32_t body_bytes;
    uint64_t body_seed;
    int64_t submitted_ns; /* its last byte was said; 0: not yet */
    bool left;            /* the sender went away */
    bool answered;        /* heard its one reply ... */
    unsigned code;        /* ... with that code */
    bool scanned_clean;   /* a scanner answered so, truthfully */
    bool scanned_infected;
    unsigned failed_scans; /* attempts that were seen to begin and gave no answer */
    unsigned relayed;      /* jobs control had for it */
    bool accepted;         /* the customer's server said 250 */
    bool refused;          /* it said 5xx */
    bool relay_written;    /* control's answer was in the ring while its link was whole */
};

enum sender_state { SENDER_NONE, SENDER_ENVELOPE, SENDER_BODY, SENDER_WAITING, SENDER_DONE };

struct sender {
    enum sender_state state;
    struct tcp_connection *connection;
    struct mail *mail;
    struct mail *next; /* whose envelope was sent behind the mail; null: none */
    unsigned left;     /* mails still to send */
    uint32_t said;     /* bytes of the body */
    unsigned replies;  /* heard of the envelope's three */
    unsigned data_code;
    char line[1024]; /* a reply that has not ended */
    size_t line_length;
    char body[WORLD_BODY_MAX + 256];
};

/* -- peers ------------------------------------------------------------------------------------- */

enum scanner_fate {
    FATE_HONEST,
    FATE_DIES_BEFORE, /* takes the job, and is gone before it says that it works */
    FATE_DIES_AT_WORK,
    FATE_DIES_AFTER, /* with its answer in the ring */
    FATE_HANGS,
    FATE_LIES, /* an answer nobody may believe */
    FATE_COUNT,
};

/* The main thread's view of a process, and the process. */
struct process {
    enum peer_state state;
    uint32_t slot;
    uint32_t epoch;
    int64_t next_ns; /* of the next birth */
    int64_t kill_ns; /* when the kill that was asked for comes to pass; 0: none was */
    struct channel channel[WORLD_WORKERS];
    bool scribbled; /* has written into its rings what it should not: nothing it said counts */
};

struct scanner {
    struct process process;
    bool busy;
    uint32_t worker; /* whose job it has */
    struct scan_job job;
    enum scanner_fate fate;
    int64_t until_ns;
};

struct delivery {
    bool used;
    uint32_t worker;
    struct relay_job job;
    struct mail *mail;
    int64_t until_ns; /* INT64_MAX: it never answers of itself */
    bool withdrawn;   /* in time */
};

#define WORLD_DELIVERIES (2 * WORLD_WORKERS * WORLD_SLOTS)
#define WORLD_OLD        16u

struct control {
    struct process process;
    struct delivery deliveries[WORLD_DELIVERIES];
    struct relay_result old[WORLD_OLD]; /* answers it gave once, to be said again */
    uint32_t old_worker[WORLD_OLD];
    uint32_t old_count;
};

/* -- all of it --------------------------------------------------------------------------------- */

/* Drawn once a run; chances are of 10,000. */
struct plan {
    bool calm; /* nobody fails: each mail ends as its truth says */
    uint32_t scanners;
    uint32_t mails;
    int64_t begin_ns;  /* of the first mail */
    unsigned arrivals; /* a round, for each sender that is away */
    int64_t faults_end_ns;
    int64_t scan_most_ns;  /* an honest scan's */
    int64_t relay_most_ns; /* an answer's */
    unsigned scanner_fails;
    unsigned control_dies; /* a round */
    unsigned control_lies; /* an answer */
    unsigned control_hangs;
    unsigned sender_leaves; /* a round */
};

struct world_worker {
    struct store store;
    struct tcp_endpoint endpoint;
    struct smtp_server smtp;
    struct stream_listener mail;
    struct handover handover;
    struct log_rings log_producer;
    struct log_rings log_consumer;
    void *log_memory;
    uint32_t records; /* of messages */
};

struct world {
    uint64_t seed;
    struct random random;
    bool trace;
    bool failed;
    int64_t now_ns;
    struct plan plan;
    struct region region; /* borrowed by all runs of a process */
    struct config config;
    struct config_customer customers[WORLD_CUSTOMERS];
    struct smtp_customers *table;
    struct peers peers;
    struct world_worker workers[WORLD_WORKERS];
    struct scanner scanners[WORLD_SCANNERS_MAX];
    struct control control;
    struct sender senders[WORLD_SENDERS_MAX];
    struct mail mails[WORLD_MAILS_MAX];
    uint32_t mail_count;
    /* For the last line. */
    uint64_t total_mails;
    uint64_t total_delivered;
    uint64_t total_deaths;
};

/* False when an oracle has spoken. The region is writable and has room for all workers. */
bool world_run(struct world *world, uint64_t seed, bool trace);

static inline bool world_faulty(const struct world *world)
{
    return !world->plan.calm && world->now_ns < world->plan.faults_end_ns;
}

/* The seed's failure, once, with its words. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_trace(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* senders.c */
void senders_act(struct world *world);
bool senders_done(const struct world *world);
void mail_body(const struct mail *mail, char *body);
/* The mail a message is: its body is read through `view`'s region, and must be what was sent. Null
 * after world_fail(). */
struct mail *mail_read(struct world *world, uint32_t message, uint32_t generation, uint32_t length);

/* process.c: births and deaths, as dataplane/main plays them. */
void process_init(struct process *process, uint32_t slot);
void process_act(struct world *world, struct process *process);
void process_die(struct world *world, struct process *process);
void process_end(struct world *world, struct process *process);
bool process_alive(const struct process *process);

/* scanners.c, control.c */
void scanner_act(struct world *world, struct scanner *scanner);
void control_act(struct world *world);

/* oracle.c */
void oracle_reply(struct world *world, struct mail *mail, const char *reply);
void oracle_relay(struct world *world, const struct mail *mail, const struct relay_job *job);
void oracle_round(struct world *world);
void oracle_end(struct world *world);

#endif

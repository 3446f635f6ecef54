/* crowd.h: an appliance of several workers before a crowd of senders, in virtual time.
 *
 * Real are, for each worker, everything between the packet and the rings: dataplane/net, ip, tcp,
 * stream, smtp, message, handover and policy, with the slot table, rings and channel memory. Played
 * are senders (a small TCP of their own on links that lose nothing: loss is the other simulator's),
 * scanners and control, which are honest and take their time. So what is looked at is memory,
 * places and turns: who waits for whom, and who is refused.
 *
 * Two things are asked: the property that somebody always gets on (progress.c), and trials
 * by those who would take it all (trials.c). See docs/simulation.md.
 *
 * Threads: one. Memory: what a run takes is freed with it.
 */
#ifndef TESTS_SIMULATION_CROWD_CROWD_H
#define TESTS_SIMULATION_CROWD_CROWD_H

#include "dataplane/handover/handover.h"
#include "dataplane/ip/interface.h"
#include "dataplane/log/rings.h"
#include "dataplane/smtp/session.h"
#include "dataplane/tcp/endpoint.h"
#include "tests/simulation/events.h"
#include "tests/simulation/random.h"
#include "tests/simulation/wire.h"

#define CROWD_MS     INT64_C(1000000)
#define CROWD_SECOND (1000 * CROWD_MS)

#define CROWD_WORKERS_MAX   4u
#define CROWD_SCANNERS_MAX  8u
#define CROWD_CUSTOMERS_MAX 12u
#define CROWD_PORT          25u
#define CROWD_MTU           9000u /* senders of much fill it: fewer frames say the same */

struct crowd;

/* A frame on its way; an event's. */
struct frame {
    uint32_t length;
    uint8_t bytes[];
};

/* -- senders ----------------------------------------------------------------------------------- */

/* What one without a mail is after: blocks that others need. It says all it has at once. */
enum client_grab {
    GRAB_NOTHING,
    GRAB_COMMANDS,  /* begins a command and never ends it */
    GRAB_REPLIES,   /* asks for very many, and acknowledges none */
    GRAB_ENVELOPES, /* names as many recipients as it may, and sends nothing */
};

/* What one is going to do; fixed when the run is planned. */
struct client_plan {
    int64_t start_ns;
    uint32_t address; /* a number: which host it is */
    uint32_t customer;
    uint32_t body_bytes;
    bool announces;  /* SIZE= */
    bool judged;     /* a good sender: what it hears and how long it takes is counted */
    bool deaf;       /* its receive window is 0 for ever */
    bool holds;      /* never says the final dot */
    bool mute;       /* acknowledges nothing once that has left */
    uint32_t behind; /* bytes of commands said behind the final dot, without waiting */
    enum client_grab grab;
    int64_t rate;     /* bytes a second of its line */
    int64_t delay_ns; /* one way */
    int64_t retry_ns; /* comes again so long after a refusal; 0: never */
    uint16_t mss;
};

enum client_state { CLIENT_AWAY, CLIENT_SYN_SENT, CLIENT_OPEN, CLIENT_GONE };

enum client_stage {
    STAGE_BANNER,
    STAGE_EHLO,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_BODY,
    STAGE_QUIT
};

struct client {
    struct client_plan plan;
    struct crowd *crowd;
    uint32_t index;
    uint32_t worker;

    /* Its TCP. Positions count the bytes it says, from 0. */
    enum client_state state;
    uint16_t port;
    uint32_t iss;
    uint32_t irs;
    int64_t una, next, edge, end;
    uint32_t heard; /* bytes of replies */
    uint8_t scale;
    unsigned duplicates;
    bool said_fin;
    bool heard_fin;
    int64_t line_ns; /* its line is busy until then */
    int64_t timer_ns;
    int64_t event_ns; /* of the earliest event that looks at the timer; 0: none */
    int64_t backoff_ns;

    /* What it says: `before`, then the body with its dot, then commands. */
    enum client_stage stage;
    char before[512];
    int64_t before_bytes;
    int64_t body_at;   /* position; -1: not yet */
    const char *again; /* behind `before`, again and again: of one that grabs */
    char line[1024];   /* a reply that has not ended */
    size_t line_bytes;

    /* What became of it. */
    unsigned tries;
    unsigned refusals; /* 4xx before the data */
    int64_t begun_ns;  /* this try's SYN */
    int64_t data_ns;   /* DATA was said; 0: not in a transaction with data */
    int64_t taken_ns;  /* DATA was acknowledged */
    int64_t go_ns;     /* 354 was heard */
    int64_t dot_ns;    /* the final dot has left */
    int64_t took_ns;   /* from SYN to the final reply */
    unsigned code;     /* of the mail, or of the refusal; 0: none yet */
    bool received;     /* by a scanner, whole and unchanged */
};

/* -- the appliance ------------------------------------------------------------------------------
 */

struct crowd_worker {
    struct crowd *crowd;
    uint32_t number;
    struct store store;
    struct tcp_endpoint endpoint;
    struct ip_host ip;
    struct packet_output output;
    struct smtp_server smtp;
    struct stream_listener mail;
    struct handover handover;
    struct log_rings log_producer;
    struct log_rings log_consumer;
    void *log_memory;
    struct frame **queue; /* a ring that grows */
    uint32_t queue_size, queue_head, queue_count;
    bool poll_pending;
    uint8_t out[WIRE_FRAME_BYTES_MAX];
    uint32_t out_length;
    uint32_t live;        /* senders in a transaction with data whose customer answers */
    int64_t progress_ns;  /* the latest completion, or when the first of those came */
    int64_t overdrawn_ns; /* since when commands hold what is not theirs; 0: they do not */
};

struct crowd_scanner {
    struct channel channel[CROWD_WORKERS_MAX];
    bool busy;
    uint32_t worker;
    struct scan_job job;
    int64_t until_ns;
};

struct crowd_delivery {
    uint32_t worker;
    struct relay_job job;
    int64_t until_ns;
    bool hangs;
};

/* How a customer's server is. */
struct crowd_customer {
    bool hangs;
    int64_t least_ns; /* of an answer */
    int64_t most_ns;
};

struct crowd_plan {
    uint32_t workers;
    uint32_t blocks; /* a worker */
    uint32_t slots;  /* a worker */
    uint32_t scanners;
    int64_t scan_ns;        /* of any mail */
    int64_t scan_byte_ps;   /* and for each of its bytes, in picoseconds */
    uint32_t message_bytes; /* limits.message_size */
    int64_t admission_wait_ns;
    int64_t verdict_timeout_ns;
    uint32_t customers;
    struct crowd_customer customer[CROWD_CUSTOMERS_MAX];
    int64_t end_ns; /* whoever is still there is sent away */
};

struct crowd {
    uint64_t seed;
    struct random random;
    bool trace;
    bool failed;
    const char *what; /* for a failure: the property, or the trial's name */
    int64_t now_ns;
    struct crowd_plan plan;
    struct events events;
    struct region region;
    struct config config;
    struct config_customer customers[CROWD_CUSTOMERS_MAX];
    struct smtp_customers *served;
    struct peers peers;
    struct crowd_worker workers[CROWD_WORKERS_MAX];
    struct crowd_scanner scanners[CROWD_SCANNERS_MAX];
    struct channel control[CROWD_WORKERS_MAX];
    struct crowd_delivery *deliveries;
    uint32_t delivery_count, delivery_capacity;
    struct client *clients;
    uint32_t client_count, client_capacity;
    uint32_t clients_left; /* not yet gone for good */
    uint32_t by_port[65536];
    uint16_t last_port;
    bool ending;

    int64_t patience_ns; /* longest time without a completion; 0: not asked for */
    int64_t longest_ns;  /* that was seen */
    uint64_t completed;  /* messages with a final answer of verdict or server */
    uint64_t refused;    /* 4xx, whatever for */
    uint64_t rounds;
};

/* The first failure, with its words. */
void crowd_fail(struct crowd *crowd, const char *format, ...) __attribute__((format(printf, 2, 3)));
void crowd_trace(const struct crowd *crowd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* crowd.c: `plan` is filled in; then clients are added; then the run. */
void crowd_init(struct crowd *crowd);
struct client *crowd_client(struct crowd *crowd, const struct client_plan *plan);
void crowd_run(struct crowd *crowd);
void crowd_fini(struct crowd *crowd);
/* A transaction with data begins or ends (`completed`: by a verdict, or the server's own word). */
void crowd_live(struct crowd *crowd, const struct client *client, bool begins, bool completed);

/* worker.c */
void worker_init(struct crowd *crowd, uint32_t number);
void worker_fini(struct crowd_worker *worker);
void worker_receive(struct crowd_worker *worker, struct frame *frame);
void worker_poll(struct crowd_worker *worker);
void worker_tick(struct crowd_worker *worker);
/* Everything is back, and was counted. */
void worker_check_end(struct crowd_worker *worker);

/* client.c */
void client_start(struct client *client);
void client_input(struct client *client, const struct frame *frame);
void client_timer(struct client *client);
void client_push(struct client *client);
void client_leave(struct client *client);

/* dialogue.c */
void dialogue_begin(struct client *client);
/* It is connected: one that grabs says all it has. */
void dialogue_grab(struct client *client);
void dialogue_heard(struct client *client, const uint8_t *bytes, uint32_t length);
/* More of what it said has come. */
void dialogue_acknowledged(struct client *client);
/* The bytes it says at [from, from + length). */
void dialogue_bytes(const struct client *client, int64_t from, uint32_t length, uint8_t *to);

/* body.c: what the client's mail is, byte for byte. */
void body_bytes(const struct client *client, uint32_t from, uint32_t length, uint8_t *to);
/* Whose mail it is; null after crowd_fail(): it is not what was sent. */
struct client *body_check(struct crowd *crowd, uint32_t message, uint32_t generation,
                          uint32_t length);

/* peers.c: scanners and control. */
void peers_begin(struct crowd *crowd);
void peers_act(struct crowd *crowd);
void peers_end(struct crowd *crowd);

/* progress.c, trials.c: false when something did not hold. */
bool progress_run(struct crowd *crowd, uint64_t seed, bool trace);
/* All trials, or those whose name contains `name`; with POSTERN_TEST_NIGHT at full size. */
bool trials_run(struct crowd *crowd, const char *name);

#endif

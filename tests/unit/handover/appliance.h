/* appliance.h: the dataplane's half of the hand-over, whole and real: stores in a sealed region,
 * SMTP sessions, struct handover for each worker, the slot table and its server on a socket. Time
 * is the test's. What is played is only what is outside: the senders (senders.h) and the peers
 * (peer.h).
 *
 * appliance_fini() is where every test ends: it takes all peers and senders away and then demands
 * that each block and slot is back, that each message that was started has exactly one outcome and
 * one log record, and that no descriptor is left open.
 *
 * Threads: one, which plays main and workers in turn. Tests only.
 */
#ifndef TESTS_UNIT_HANDOVER_APPLIANCE_H
#define TESTS_UNIT_HANDOVER_APPLIANCE_H

#include "dataplane/handover/handover.h"
#include "dataplane/main/peers_server.h"
#include "tests/unit/handover/peer.h"
#include "tests/unit/handover/senders.h"

#define APPLIANCE_WORKERS   2u
#define APPLIANCE_CUSTOMERS 11u
#define APPLIANCE_SLOTS     420u  /* a worker; more than RELAY_JOBS_PER_RING */
#define APPLIANCE_BLOCKS    2400u /* a worker */
#define APPLIANCE_PEERS     4u
#define APPLIANCE_SCANNERS  64u /* slots of the table */

#define SCAN_LIMIT_NS    (10 * INT64_C(1000000000)) /* scanner.time_limit; watchdog: 15 s */
#define VERDICT_LIMIT_NS (60 * INT64_C(1000000000)) /* limits.verdict_timeout */

struct appliance_worker {
    struct store store;
    struct tcp_endpoint endpoint;
    struct stream_listener mail;
    struct smtp_server smtp;
    struct handover handover;
    struct log_rings log_producer;
    struct log_rings log_consumer;
    void *log_memory;
    bool asleep;        /* is not polled */
    uint32_t concluded; /* records of messages read from the log */
    struct log_record last;
};

struct appliance {
    char directory[40];
    char path[64];
    unsigned descriptors; /* open before */
    struct region region;
    struct config config;
    struct config_customer customers[APPLIANCE_CUSTOMERS];
    struct smtp_customers *table;
    struct peers peers;
    struct peers_server *server;
    struct appliance_worker workers[APPLIANCE_WORKERS];
    struct peer *attached[APPLIANCE_PEERS];
    int64_t now_ns;
};

/* cmocka fixtures: *state is the one struct appliance. Domains defer.example, reject.example and
 * deliver.example are customers with that policy. */
int appliance_set_up(void **state);
int appliance_tear_down(void **state);

/* Connects a peer and lets it settle: a scanner parent with `slots` children, or control. */
void appliance_scanners(struct appliance *appliance, struct peer *peer, uint32_t slots);
void appliance_candidates(struct appliance *appliance, struct peer *peer, uint32_t slots);
void appliance_supervisor(struct appliance *appliance, struct peer *peer);
void appliance_control(struct appliance *appliance, struct peer *peer);
/* Its processes die. */
void appliance_lose(struct appliance *appliance, struct peer *peer);

/* Everybody gets several turns; time stands still. */
void appliance_settle(struct appliance *appliance);
void appliance_advance(struct appliance *appliance, int64_t ns);

/* Sends one whole mail to `domain` from a new connection; the answers up to 354 have been heard. */
struct tcp_connection *appliance_mail(struct appliance *appliance, uint32_t worker,
                                      const char *domain);
/* A whole mail, from MAIL to the final dot. */
const char *appliance_text(const char *domain);

/* The reply to the mail has come and begins with `start`; nothing else came. */
void appliance_expect(struct tcp_connection *sender, const char *start);
/* Nothing has been said. */
void appliance_silent(struct tcp_connection *sender);

uint64_t appliance_count(const struct appliance *appliance, enum counter counter);
/* Message slots in use. */
uint32_t appliance_messages_held(const struct appliance *appliance);
enum peer_state appliance_state(const struct appliance *appliance, uint32_t slot);

/* Reads what is in the logs, before they are full. */
void appliance_read_logs(struct appliance *appliance);

/* The record of the message that ended last on worker 0. */
const struct log_record *appliance_record(struct appliance *appliance);

#endif

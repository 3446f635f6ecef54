/* rig.h: what the relay's tests stand on: a real region with real messages in it, a loop, a
 * relay with one route, and a server process behind it (server.py).
 *
 * Failures end the test by cmocka's assertions.
 */
#ifndef TESTS_UNIT_RELAY_RIG_H
#define TESTS_UNIT_RELAY_RIG_H

#include <sys/types.h>

#include "control/link/region_source.h"
#include "control/relay/relay.h"
#include "dataplane/message/store.h"

#define RIG_MESSAGES    64u
#define RIG_CONNECTIONS 32u /* over all routes */
#define RIG_TRACE       "Received: from client.example ([192.0.2.1]) by mx.example\r\n"
#define RIG_FIELDS                                                                        \
    "X-Virus-Scanned: postern " POSTERN_VERSION " (ClamAV 1.4.6/27813) at mx.example\r\n" \
    "X-Virus-Status: Clean\r\n"

struct rig {
    struct region region;
    struct store store;
    struct region_hold *hold;
    struct loop loop;
    int64_t time_ns; /* where it is not 0, what the loop's clock says */
    struct resolver *resolver;
    struct transaction_owner owner;
    struct transaction *open[RIG_MESSAGES]; /* by slot */
    struct config config;
    struct config_customer customer;
    struct config_server servers[CONFIG_SERVERS_MAX];
    struct relay *relay;
    char directory[64];
    pid_t server;
    uint16_t port;
    unsigned answered;
    struct relay_result results[256]; /* in the order they came */
};

struct rig_mail {
    const char *customer; /* "acme" when null */
    const char *sender;   /* "sender@example.org" when null */
    const char *const *recipients;
    unsigned recipient_count; /* 0: one, "user@acme.example" */
    const void *body;
    size_t length;
    size_t piece; /* the body comes in pieces of this many bytes; 0: as large as they come */
    uint32_t flags;
    const char *verdict;  /* "clean" when null */
    uint32_t job_verdict; /* VERDICT_CLEAN when 0 */
};

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);

/* Starts server.py with that JSON, on `port` (0: any), and the relay's route to it if there is no
 * relay yet. */
void rig_serve(struct rig *rig, const char *json, uint16_t port);
void rig_stop_server(struct rig *rig);

/* The relay and its route to rig->port. */
void rig_relay(struct rig *rig);

/* Writes a message into the region; *job names it. */
struct message *rig_message(struct rig *rig, const struct rig_mail *mail, struct relay_job *job);
void rig_submit(struct rig *rig, const struct relay_job *job);

/* Runs the loop until `count` answers are there. */
void rig_wait(struct rig *rig, unsigned count);

/* Runs the loop for so long. */
void rig_run(struct rig *rig, unsigned ms);

/* From now on time stands still but for rig_pass(), which runs the timers that become due. */
void rig_stop_time(struct rig *rig);
void rig_pass(struct rig *rig, int64_t ns);

/* The transaction of the message, while it lasts. */
struct transaction *rig_transaction(const struct rig *rig, const struct message *message);

/* Writes, submits, waits: the answer. */
const struct relay_result *rig_send(struct rig *rig, const struct rig_mail *mail);

/* Connections the server has accepted. */
unsigned rig_connections(const struct rig *rig);

/* A file the server wrote (its length in *length, zero-terminated), or null. Free it. */
char *rig_file(const struct rig *rig, const char *name, size_t *length);

/* The server's message number `n` is trace, X-Virus fields and exactly that body. */
void rig_assert_message(const struct rig *rig, unsigned n, const void *body, size_t length);

#endif

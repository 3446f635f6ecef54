/* rig.h: one SMTP server with a real store, a configuration of two customers, and a service
 * that records what it is told. For unit tests and the fuzzer; no test framework in here.
 */
#ifndef TESTS_UNIT_SMTP_RIG_H
#define TESTS_UNIT_SMTP_RIG_H

#include "dataplane/policy/reply.h"
#include "pipe.h"

#define RIG_BLOCKS   1024u
#define RIG_SLOTS    8u
#define RIG_MESSAGES 256u
#define RIG_WALL     INT64_C(1795285802) /* Sat, 21 Nov 2026 18:30:02 +0000 */

/* A message as it was when submitted. */
struct rig_message {
    struct message *message; /* null once it has ended */
    uint32_t index;
    uint32_t generation;
    uint8_t *bytes; /* without our trace */
    size_t length;
    char *trace;
    uint32_t recipients;
    bool abandoned;
    char id[20];
};

struct rig {
    struct region region;
    struct store store;
    struct config config;
    struct config_customer customers[2];
    struct smtp_customers *table;
    struct smtp_server server;
    struct stream_listener listener;
    struct tcp_endpoint endpoint;
    struct tcp_connection pipe;
    struct rig_message messages[RIG_MESSAGES];
    unsigned submitted;
    unsigned concluded;
    unsigned abandoned;
    unsigned rejections;
    enum mail_outcome outcome; /* of the last conclude */
    char status[1024];         /* of the last conclude */
    char rejected[1024];       /* "COMMAND|sender|recipient|reply" of the last */
};

void rig_init(struct rig *rig);
void rig_fini(struct rig *rig);

/* A fresh connection (banner read) and empty records. */
void rig_open(struct rig *rig, const struct pipe_options *options);
/* Ends it, answers to nobody, and gives every message back. */
void rig_close(struct rig *rig);
/* True when nothing is held any more. */
bool rig_store_full(const struct rig *rig);

/* Sends all of it, in pieces of `piece` bytes. */
void rig_send(struct rig *rig, const char *bytes, size_t length, size_t piece);
/* Answers the oldest message that waits. False when none does. */
bool rig_finish(struct rig *rig, const struct mail_result *result);
/* The value of the `nth` envelope field of that kind of a submitted message, or null. */
const char *rig_field(struct rig *rig, const struct message *message, enum envelope_field field,
                      unsigned nth, size_t *length);

#endif

/* harness.h: one SMTP server with a real store, a configuration of two customers, and a service
 * that records what it is told. For unit tests and the fuzzer; no test framework in here.
 */
#ifndef TESTS_UNIT_SMTP_HARNESS_H
#define TESTS_UNIT_SMTP_HARNESS_H

#include "dataplane/policy/reply.h"
#include "pipe.h"

#define HARNESS_BLOCKS   1024u
#define HARNESS_SLOTS    8u
#define HARNESS_MESSAGES 256u
#define HARNESS_WALL     INT64_C(1795285802) /* Sat, 21 Nov 2026 18:30:02 +0000 */

/* A message as it was when submitted. */
struct harness_message {
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

struct harness {
    struct region region;
    struct store store;
    struct config config;
    struct config_customer customers[2];
    struct smtp_customers *table;
    struct smtp_server server;
    struct stream_listener listener;
    struct tcp_endpoint endpoint;
    struct tcp_connection pipe;
    struct harness_message messages[HARNESS_MESSAGES];
    unsigned submitted;
    unsigned concluded;
    unsigned abandoned;
    unsigned rejections;
    enum mail_outcome outcome; /* of the last conclude */
    char status[1024];         /* of the last conclude */
    char rejected[1024];       /* "COMMAND|sender|recipient|reply" of the last */
};

void harness_init(struct harness *harness);
void harness_fini(struct harness *harness);

/* A fresh connection (banner read) and empty records. */
void harness_open(struct harness *harness, const struct pipe_options *options);
/* Ends it, answers to nobody, and gives every message back. */
void harness_close(struct harness *harness);
/* True when nothing is held any more. */
bool harness_store_full(const struct harness *harness);

/* Sends all of it, in pieces of `piece` bytes. */
void harness_send(struct harness *harness, const char *bytes, size_t length, size_t piece);
/* Answers the oldest message that waits. False when none does. */
bool harness_finish(struct harness *harness, const struct mail_result *result);
/* The value of the `nth` envelope field of that kind of a submitted message, or null. */
const char *harness_field(struct harness *harness, const struct message *message,
                          enum envelope_field field, unsigned nth, size_t *length);

#endif

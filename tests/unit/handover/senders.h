/* senders.h: tcp.h without packets for many connections at once: remote senders whose bytes lie in
 * blocks of a real store, so that the SMTP sessions on top are the real ones.
 *
 * Threads: one. Memory: sender_close() gives every block back. Tests only.
 */
#ifndef TESTS_UNIT_HANDOVER_SENDERS_H
#define TESTS_UNIT_HANDOVER_SENDERS_H

#include "dataplane/tcp/tcp.h"

#define SENDERS_MAX       300u
#define SENDER_SENT_BYTES 16384u

struct tcp_connection {
    struct tcp_endpoint *endpoint;
    void *session;
    uint32_t index;
    uint32_t generation; /* 0: not open */
    uint32_t block;
    uint32_t filled;
    uint32_t consumed;
    uint64_t prefix;              /* which client it is of; the test may change it */
    bool closed;                  /* by our side */
    char sent[SENDER_SENT_BYTES]; /* what the sender got, zero-terminated */
    uint32_t sent_length;
    uint32_t heard; /* bytes of it that sender_heard() has shown */
};

struct tcp_endpoint {
    struct store *store;
    const struct tcp_application *application; /* borrowed */
    const int64_t *now_ns;                     /* borrowed */
    uint32_t opened;
    struct tcp_connection connections[SENDERS_MAX];
};

/* A new connection that has said EHLO. */
struct tcp_connection *sender_open(struct tcp_endpoint *endpoint);

/* The sender's bytes arrive, all at once: at most one block of them unread. */
void sender_say(struct tcp_connection *sender, const char *text);

/* What came back since the last call. */
const char *sender_heard(struct tcp_connection *sender);

/* The sender goes away. */
void sender_close(struct tcp_connection *sender);

#endif

/* pipe.h: tcp.h without packets: one in-memory connection whose received bytes lie in real blocks
 * of a store, so that sessions run, and leak, exactly as they would behind TCP.
 *
 * Threads: one. Memory: pipe_close() gives every block back. Tests and fuzzers only.
 */
#ifndef TESTS_UNIT_SMTP_PIPE_H
#define TESTS_UNIT_SMTP_PIPE_H

#include "dataplane/tcp/tcp.h"

#define PIPE_BLOCKS_MAX 4096u
#define PIPE_SENT_BYTES 262144u

/* The one there is; tcp_find() finds it. */
struct tcp_endpoint {
    struct tcp_connection *connection; /* null when closed */
    uint32_t faults;                   /* of its peer, whose hour never ends */
};

struct pipe_options {
    uint32_t block_use;   /* bytes placed in each block, 1..MESSAGE_BLOCK_BYTES */
    uint32_t block_start; /* where in each block they begin */
    uint32_t send_space;  /* bytes of unacknowledged replies */
};

struct tcp_connection {
    struct store *store;
    struct tcp_endpoint *endpoint;
    struct tcp_application application;
    struct pipe_options options;
    void *session;
    uint32_t generation;
    uint32_t blocks[PIPE_BLOCKS_MAX];
    uint32_t block_count;
    uint32_t first;    /* index of the first block with unconsumed bytes */
    uint32_t consumed; /* bytes of it that are consumed */
    uint32_t filled;   /* bytes in the last block */
    uint32_t readable;
    char sent[PIPE_SENT_BYTES];
    uint32_t sent_length;
    uint32_t acknowledged;
    bool refused; /* a tcp_send() since the last acknowledgement */
    bool closed;  /* by tcp_close() */
    bool aborted;
    bool send_blocked; /* no block left for replies */
    bool data_refused; /* tcp_expect(DATA) fails */
    uint64_t prefix;   /* of its peer: 198.18.0.7 */
    bool hold_acks;    /* replies stay unacknowledged until pipe_acknowledge() */
    enum tcp_expect expect;
    int64_t deadline_ns;
    int64_t now_ns;
};

void pipe_open(struct tcp_connection *pipe, struct tcp_endpoint *endpoint, struct store *store,
               const struct tcp_application *application, const struct pipe_options *options);

/* Places bytes and calls `readable`; returns how many found a block. */
size_t pipe_receive(struct tcp_connection *pipe, const void *bytes, size_t length);
void pipe_acknowledge(struct tcp_connection *pipe, uint32_t length);
void pipe_finish(struct tcp_connection *pipe);
void pipe_expire(struct tcp_connection *pipe);

/* Calls `closed`, gives everything back. */
void pipe_close(struct tcp_connection *pipe, enum tcp_close_reason reason);

#endif

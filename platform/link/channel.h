/* channel.h: what passes between a worker and a peer (a scanner child, or control).
 *
 * A *channel* is two rings, one each way, between one worker and one peer. A peer's channels, one
 * for each worker, lie in one memfd of its own (struct channel_memory), so that no scanner can
 * touch another's; behind them lies the row of what it counts. Messages themselves never travel:
 * only {message, generation, length}.
 *
 * A new incarnation of a peer gets a new memfd; nothing of the old one is ever reused.
 *
 * Threads: each ring has one producer and one consumer. Memory: channel_memory_close() unmaps.
 */
#ifndef PLATFORM_LINK_CHANNEL_H
#define PLATFORM_LINK_CHANNEL_H

#include "platform/link/job.h"
#include "platform/link/region.h"
#include "platform/link/ring.h"
#include "platform/link/row.h"

enum channel_kind { CHANNEL_SCANNER, CHANNEL_CONTROL };

/* One worker's pair as seen from one side. */
struct channel {
    struct ring jobs;    /* worker -> peer */
    struct ring results; /* peer -> worker */
    /* Published by the peer, a hint, never trusted: 1 while it works on a job. */
    _Atomic uint32_t *busy;
};

/* A peer's channels, mapped. */
struct channel_memory {
    int fd;
    size_t bytes;
    uint8_t *base;
    uint32_t worker_count;
    enum channel_kind kind;
};

/* Dataplane: makes and maps zeroed memory for `worker_count` channels. */
enum status channel_memory_create(struct channel_memory *memory, enum channel_kind kind,
                                  uint32_t worker_count) STATUS_CHECKED;

/* Peer: maps a received descriptor (writable) and checks its size. Takes ownership of `fd`. */
enum status channel_memory_open(struct channel_memory *memory, enum channel_kind kind,
                                uint32_t worker_count, int fd) STATUS_CHECKED;

void channel_memory_close(struct channel_memory *memory);

/* Attaches this side to the channel of `worker`. Each side does so once for each channel, before
 * the first item. The result borrows the mapping. */
void channel_attach(struct channel *channel, const struct channel_memory *memory, uint32_t worker);

/* What the peer counts (row.h): zeroed when the memory is made, written by the peer alone. */
struct peer_row *channel_row(const struct channel_memory *memory);

/* Dataplane, once the peer is no more and no worker uses the memory: jobs that it never read. */
uint64_t channel_unread(const struct channel_memory *memory);

#endif

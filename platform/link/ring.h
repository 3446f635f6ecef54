/* ring.h: a single-producer, single-consumer ring of fixed-size items in memory that two
 * processes may share and that neither has to trust.
 *
 * Each side keeps its own index in private memory (struct ring) and only *publishes* it; what the
 * other side publishes is range-checked before use. So a peer that scribbles over the shared part
 * can lose or garble its own items, and is found out (STATUS_BROKEN_PEER); it can never make us
 * read or write outside the ring. Items are copied in and out; after a pop the peer cannot change
 * what we hold.
 *
 * Threads: one producer thread, one consumer thread. No locks, no system calls: hot path.
 * Memory: the caller's (`ring_bytes()` of it, zeroed, aligned to RING_ALIGNMENT).
 * Limits: capacity is a power of two, 2..RING_CAPACITY_MAX; a full ring refuses (STATUS_NO_SPACE).
 */
#ifndef PLATFORM_LINK_RING_H
#define PLATFORM_LINK_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#define RING_ALIGNMENT    64u
#define RING_CAPACITY_MAX 65536u

struct ring_shared {
    _Alignas(RING_ALIGNMENT) _Atomic uint32_t produced; /* written by the producer only */
    _Alignas(RING_ALIGNMENT) _Atomic uint32_t consumed; /* written by the consumer only */
    _Alignas(RING_ALIGNMENT) uint8_t items[];
};

/* One side's view. Private memory; make one on each side with ring_attach(). */
struct ring {
    struct ring_shared *shared;
    uint32_t capacity;   /* items */
    uint32_t item_bytes; /* bytes */
    uint32_t produced;   /* producer: own index; consumer: last checked copy of the peer's */
    uint32_t consumed;   /* consumer: own index; producer: last checked copy of the peer's */
};

/* Bytes of shared memory for `capacity` items of `item_bytes` each, a multiple of RING_ALIGNMENT.
 */
size_t ring_bytes(uint32_t capacity, uint32_t item_bytes);

/* Binds `ring` to zeroed shared memory. Both sides must attach before the first item is pushed. */
void ring_attach(struct ring *ring, void *shared, uint32_t capacity, uint32_t item_bytes);

/* Producer: copies one item in. STATUS_NO_SPACE when full, STATUS_BROKEN_PEER when the consumer's
 * published index is impossible. */
enum status ring_push(struct ring *ring, const void *item) STATUS_CHECKED;

/* Producer: as ring_push(), but leaves the last `reserve` places for others: STATUS_NO_SPACE when
 * only they are free. */
enum status ring_push_reserving(struct ring *ring, const void *item,
                                uint32_t reserve) STATUS_CHECKED;

/* Consumer: copies one item out. STATUS_AGAIN when empty, STATUS_BROKEN_PEER when the producer's
 * published index is impossible. */
enum status ring_pop(struct ring *ring, void *item) STATUS_CHECKED;

/* In place of a consumer that is no more: goes on where it had got to by its own word, attached. */
void ring_resume(struct ring *ring);

/* Consumer: true if ring_pop() would find an item (or a broken peer). */
int ring_pending(const struct ring *ring);

#endif

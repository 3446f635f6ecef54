#include "platform/link/ring.h"

#include <string.h>

#include "platform/check.h"

static size_t ring_round(size_t bytes)
{
    return (bytes + RING_ALIGNMENT - 1) & ~(size_t)(RING_ALIGNMENT - 1);
}

size_t ring_bytes(uint32_t capacity, uint32_t item_bytes)
{
    return ring_round(sizeof(struct ring_shared) + (size_t)capacity * item_bytes);
}

void ring_attach(struct ring *ring, void *shared, uint32_t capacity, uint32_t item_bytes)
{
    CHECK(capacity >= 2 && capacity <= RING_CAPACITY_MAX && (capacity & (capacity - 1)) == 0);
    CHECK(item_bytes > 0);
    CHECK((uintptr_t)shared % RING_ALIGNMENT == 0);
    *ring = (struct ring){.shared = shared, .capacity = capacity, .item_bytes = item_bytes};
}

static uint8_t *ring_item(const struct ring *ring, uint32_t index)
{
    return ring->shared->items + (size_t)(index & (ring->capacity - 1)) * ring->item_bytes;
}

enum status ring_push_reserving(struct ring *ring, const void *item, uint32_t reserve)
{
    CHECK(reserve < ring->capacity);
    if (ring->produced - ring->consumed >= ring->capacity - reserve) {
        uint32_t consumed = atomic_load_explicit(&ring->shared->consumed, memory_order_acquire);

        if (ring->produced - consumed > ring->capacity)
            return STATUS_BROKEN_PEER;
        ring->consumed = consumed;
        if (ring->produced - consumed >= ring->capacity - reserve)
            return STATUS_NO_SPACE;
    }
    memcpy(ring_item(ring, ring->produced), item, ring->item_bytes);
    ring->produced++;
    atomic_store_explicit(&ring->shared->produced, ring->produced, memory_order_release);
    return STATUS_OK;
}

enum status ring_push(struct ring *ring, const void *item)
{
    return ring_push_reserving(ring, item, 0);
}

enum status ring_pop(struct ring *ring, void *item)
{
    if (ring->produced == ring->consumed) {
        uint32_t produced = atomic_load_explicit(&ring->shared->produced, memory_order_acquire);

        if (produced - ring->consumed > ring->capacity)
            return STATUS_BROKEN_PEER;
        ring->produced = produced;
        if (produced == ring->consumed)
            return STATUS_AGAIN;
    }
    memcpy(item, ring_item(ring, ring->consumed), ring->item_bytes);
    ring->consumed++;
    atomic_store_explicit(&ring->shared->consumed, ring->consumed, memory_order_release);
    return STATUS_OK;
}

void ring_resume(struct ring *ring)
{
    ring->consumed = atomic_load_explicit(&ring->shared->consumed, memory_order_acquire);
    ring->produced = ring->consumed;
}

int ring_pending(const struct ring *ring)
{
    if (ring->produced != ring->consumed)
        return 1;
    return atomic_load_explicit(&ring->shared->produced, memory_order_acquire) != ring->consumed;
}

/* counting.h: how a worker counts. One writer, relaxed stores, so readers may look at any time. */
#ifndef DATAPLANE_COUNTING_H
#define DATAPLANE_COUNTING_H

#include "platform/link/region.h"

static inline void count_add(struct region_counters *counters, enum counter counter, uint64_t n)
{
    _Atomic uint64_t *value = &counters->value[counter];

    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void count(struct region_counters *counters, enum counter counter)
{
    count_add(counters, counter, 1);
}

static inline void count_set(struct region_counters *counters, enum counter counter, uint64_t n)
{
    atomic_store_explicit(&counters->value[counter], n, memory_order_relaxed);
}

#endif

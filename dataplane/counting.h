/* counting.h: how a worker counts: in a row of its own, which is plain memory, and which is
 * published for all to read after a burst, at most every COUNTING_EVERY_NS. A reader sees each cell
 * as it was at one of these moments, not all of them at the same.
 *
 * Threads: the worker's. Hot path.
 */
#ifndef DATAPLANE_COUNTING_H
#define DATAPLANE_COUNTING_H

#include <assert.h>
#include <stddef.h>

#include "platform/clock.h"
#include "platform/link/region.h"

#define COUNTING_EVERY_NS CLOCK_NS_PER_MS

struct counting {
    struct region_counters row;
    struct region_counters *published; /* in the region */
    int64_t published_ns;
    bool news; /* counted since then */
};

static inline void count_add(struct region_counters *counters, enum counter counter, uint64_t n)
{
    counters->value[counter] += n;
}

static inline void count(struct region_counters *counters, enum counter counter)
{
    counters->value[counter]++;
}

static inline void count_set(struct region_counters *counters, enum counter counter, uint64_t n)
{
    counters->value[counter] = n;
}

static inline void count_time(struct region_counters *counters, enum histogram histogram,
                              int64_t ns)
{
    struct histogram_row *row = &counters->times[histogram];

    row->count[histogram_bucket(ns)]++;
    row->sum_ns += ns > 0 ? (uint64_t)ns : 0;
}

static inline void counting_publish(struct counting *counting, int64_t now_ns)
{
    const uint64_t *from = counting->row.value;
    uint64_t *to = counting->published->value;

    static_assert(sizeof(struct region_counters) % sizeof(uint64_t) == 0, "a row is cells");
    static_assert(offsetof(struct region_counters, times) == sizeof(counting->row.value),
                  "nothing lies between them");
    for (size_t i = 0; i < sizeof(struct region_counters) / sizeof(uint64_t); i++)
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    counting->published_ns = now_ns;
    counting->news = false;
}

/* After a round of the worker that did something (`did`) or not: when it becomes idle, what is new
 * is published at once. */
static inline void counting_round(struct counting *counting, bool did, int64_t now_ns)
{
    counting->news = counting->news || did;
    if (counting->news && (!did || now_ns - counting->published_ns >= COUNTING_EVERY_NS))
        counting_publish(counting, now_ns);
}

#endif

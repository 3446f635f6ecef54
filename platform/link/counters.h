/* counters.h: what the dataplane counts, as a program may ask for it. The list itself, with kinds,
 * units and words, is counter_list.h.
 *
 * One row a worker in the shared region (region.h); each row has one writer, that worker, and any
 * number of readers. Nothing here reads or writes a row: a caller brings the values.
 *
 * Threads: any. Memory: all of it is constant.
 */
#ifndef PLATFORM_LINK_COUNTERS_H
#define PLATFORM_LINK_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/link/counter_list.h"

enum counter {
#define X(name, ...) COUNTER_##name,
    COUNTER_LIST(X)
#undef X
        COUNTER_COUNT
};

enum counter_kind {
    COUNTER_KIND_COUNTER, /* only rises */
    COUNTER_KIND_GAUGE    /* what is now: it goes down, too */
};

/* What the rows of several workers are together. */
enum counter_over { COUNTER_OVER_SUM, COUNTER_OVER_LEAST, COUNTER_OVER_MOST };

struct counter_about {
    const char *name; /* as operators see it: letters, digits and underscores */
    const char *unit;
    const char *help;
    enum counter_kind kind;
    enum counter_over over;
};

/* All that is known of `counter`; null outside the list. */
const struct counter_about *counter_about(enum counter counter);

/* Its metric name; null outside the list. */
const char *counter_name(enum counter counter);

/* `counter` over all workers: `value` joined with that of one more worker. The first is taken as it
 * is. */
uint64_t counter_over(enum counter counter, uint64_t value, uint64_t next);

enum histogram {
#define X(name, ...) HISTOGRAM_##name,
    HISTOGRAM_LIST(X)
#undef X
        HISTOGRAM_COUNT
};

/* Bucket i counts times up to histogram_bounds_ns[i], but for those of the bucket before; the last
 * one all that were longer. 1 ms to 500 s. */
#define HISTOGRAM_BUCKETS 19u

extern const int64_t histogram_bounds_ns[HISTOGRAM_BUCKETS - 1];

/* One histogram of a row. */
struct histogram_row {
    uint64_t count[HISTOGRAM_BUCKETS];
    uint64_t sum_ns;
};

struct histogram_about {
    const char *name;
    const char *help;
};

/* All that is known of `histogram`; null outside the list. */
const struct histogram_about *histogram_about(enum histogram histogram);

/* The bucket of a time; of a negative one, the first. Hot path, once a message. */
unsigned histogram_bucket(int64_t ns);

/* A sum that must hold in every row. */
struct counter_sum {
    const char *what;
    const char *left; /* names, with a blank between two; NAME* is all that begin with NAME */
    const char *right;
};

/* The sums, to a last one whose `what` is null. */
extern const struct counter_sum counter_sums[];

/* The sum of all counters that `terms` (one side of a sum) names. */
uint64_t counter_total(const char *terms, const uint64_t values[COUNTER_COUNT]);

/* Whether `counter` is among `terms`. */
bool counter_matches(const char *terms, enum counter counter);

#endif

/* counters.h: what the processes count, as a program may ask for it. The list itself, with kinds,
 * units and words, is counter_list.h.
 *
 * One row a worker in the shared region (region.h), one a scanner child and one for control
 * (row.h); each row has one writer and any number of readers. Nothing here reads or writes a row: a
 * caller brings the values.
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

enum scanner_counter {
#define X(name, ...) SCANNER_COUNTER_##name,
    SCANNER_COUNTER_LIST(X)
#undef X
        SCANNER_COUNTER_COUNT
};

enum control_counter {
#define X(name, ...) CONTROL_COUNTER_##name,
    CONTROL_COUNTER_LIST(X)
#undef X
        CONTROL_COUNTER_COUNT
};

/* Whose row. */
enum row_kind { ROW_WORKER, ROW_SCANNER, ROW_CONTROL, ROW_KINDS };

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

/* All that a row of one kind has. */
struct counter_set {
    const char *name; /* "worker" */
    const struct counter_about *abouts;
    unsigned count;
    const struct histogram_about *times;
    unsigned time_count;
    const struct counter_sum *sums; /* to a last one whose `what` is null */
};

const struct counter_set *counter_set(enum row_kind kind);

/* What must be equal between the workers and the processes they give work to, all rows of each
 * joined, while nothing is on its way. */
struct counter_book {
    const char *what;
    const char *workers; /* names, as in a sum */
    enum row_kind kind;
    const char *others;
};

/* To a last one whose `what` is null. */
extern const struct counter_book counter_books[];

/* The sum of all counters that `terms` (one side of a sum) names; `values` are set->count. */
uint64_t counter_total(const struct counter_set *set, const char *terms, const uint64_t *values);

/* Whether `name` is among `terms`. */
bool counter_matches(const char *terms, const char *name);

/* Values of two rows, joined as `about` says. */
uint64_t counter_join(const struct counter_about *about, uint64_t value, uint64_t next);

#endif

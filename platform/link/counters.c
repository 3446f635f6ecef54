#include "platform/link/counters.h"

#include <string.h>

#include "platform/check.h"
#include "platform/clock.h"

#define COUNTER COUNTER_KIND_COUNTER
#define GAUGE   COUNTER_KIND_GAUGE
#define SUM     COUNTER_OVER_SUM
#define LEAST   COUNTER_OVER_LEAST
#define MOST    COUNTER_OVER_MOST

#define ABOUT(name, text, kind, unit, over, help) {(text), (unit), (help), (kind), (over)},
#define TIME(name, text, help)                    {(text), (help)},
#define SUMS(what, left, right)                   {(what), (left), (right)},

static const struct counter_about worker_abouts[] = {COUNTER_LIST(ABOUT)};
static const struct counter_about scanner_abouts[] = {SCANNER_COUNTER_LIST(ABOUT)};
static const struct counter_about control_abouts[] = {CONTROL_COUNTER_LIST(ABOUT)};
static const struct histogram_about worker_times[] = {HISTOGRAM_LIST(TIME)};
static const struct histogram_about scanner_times[] = {SCANNER_HISTOGRAM_LIST(TIME)};
static const struct histogram_about control_times[] = {CONTROL_HISTOGRAM_LIST(TIME)};
static const struct counter_sum worker_sums[] = {COUNTER_SUM_LIST(SUMS){0}};
static const struct counter_sum scanner_sums[] = {SCANNER_SUM_LIST(SUMS){0}};
static const struct counter_sum control_sums[] = {CONTROL_SUM_LIST(SUMS){0}};

static const struct counter_set counter_sets[ROW_KINDS] = {
    [ROW_WORKER] = {"worker", worker_abouts, COUNTER_COUNT, worker_times, HISTOGRAM_COUNT,
                    worker_sums},
    [ROW_SCANNER] = {"scanner", scanner_abouts, SCANNER_COUNTER_COUNT, scanner_times, 1,
                     scanner_sums},
    [ROW_CONTROL] = {"control", control_abouts, CONTROL_COUNTER_COUNT, control_times, 1,
                     control_sums},
};

const struct counter_book counter_books[] = {
#define X(what, workers, kind, others) {(what), (workers), (kind), (others)},
    COUNTER_BOOK_LIST(X)
#undef X
        {0}};

#define MS CLOCK_NS_PER_MS
#define S  CLOCK_NS_PER_SECOND
const int64_t histogram_bounds_ns[HISTOGRAM_BUCKETS - 1] = {
    1 * MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS,
    1 * S,  2 * S,  5 * S,  10 * S,  20 * S,  50 * S,  100 * S,  200 * S,  500 * S,
};
#undef MS
#undef S

const struct histogram_about *histogram_about(enum histogram histogram)
{
    return (unsigned)histogram < HISTOGRAM_COUNT ? &worker_times[histogram] : NULL;
}

unsigned histogram_bucket(int64_t ns)
{
    unsigned bucket = 0;

    while (bucket < HISTOGRAM_BUCKETS - 1 && ns > histogram_bounds_ns[bucket])
        bucket++;
    return bucket;
}

const struct counter_about *counter_about(enum counter counter)
{
    return (unsigned)counter < COUNTER_COUNT ? &worker_abouts[counter] : NULL;
}

const char *counter_name(enum counter counter)
{
    const struct counter_about *about = counter_about(counter);

    return about == NULL ? NULL : about->name;
}

const struct counter_set *counter_set(enum row_kind kind)
{
    CHECK((unsigned)kind < ROW_KINDS);
    return &counter_sets[kind];
}

uint64_t counter_join(const struct counter_about *about, uint64_t value, uint64_t next)
{
    switch (about->over) {
    case COUNTER_OVER_LEAST:
        return next < value ? next : value;
    case COUNTER_OVER_MOST:
        return next > value ? next : value;
    case COUNTER_OVER_SUM:
        break;
    }
    return value + next;
}

bool counter_matches(const char *terms, const char *name)
{
    while (*terms != '\0') {
        size_t length = strcspn(terms, " ");

        if (terms[length - 1] == '*' ? strncmp(terms, name, length - 1) == 0
                                     : strlen(name) == length && memcmp(terms, name, length) == 0)
            return true;
        terms += length;
        while (*terms == ' ')
            terms++;
    }
    return false;
}

uint64_t counter_total(const struct counter_set *set, const char *terms, const uint64_t *values)
{
    uint64_t total = 0;

    for (unsigned c = 0; c < set->count; c++) {
        if (counter_matches(terms, set->abouts[c].name))
            total += values[c];
    }
    return total;
}

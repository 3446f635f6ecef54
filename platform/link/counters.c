#include "platform/link/counters.h"

#include <string.h>

#include "platform/clock.h"

#define COUNTER COUNTER_KIND_COUNTER
#define GAUGE   COUNTER_KIND_GAUGE
#define SUM     COUNTER_OVER_SUM
#define LEAST   COUNTER_OVER_LEAST
#define MOST    COUNTER_OVER_MOST

static const struct counter_about counter_abouts[] = {
#define X(name, text, kind, unit, over, help) \
    [COUNTER_##name] = {(text), (unit), (help), (kind), (over)},
    COUNTER_LIST(X)
#undef X
};

const struct counter_sum counter_sums[] = {
#define X(what, left, right) {(what), (left), (right)},
    COUNTER_SUM_LIST(X)
#undef X
        {0}};

static const struct histogram_about histogram_abouts[] = {
#define X(name, text, help) [HISTOGRAM_##name] = {(text), (help)},
    HISTOGRAM_LIST(X)
#undef X
};

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
    return (unsigned)histogram < HISTOGRAM_COUNT ? &histogram_abouts[histogram] : NULL;
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
    return (unsigned)counter < COUNTER_COUNT ? &counter_abouts[counter] : NULL;
}

const char *counter_name(enum counter counter)
{
    const struct counter_about *about = counter_about(counter);

    return about == NULL ? NULL : about->name;
}

uint64_t counter_over(enum counter counter, uint64_t value, uint64_t next)
{
    switch (counter_abouts[counter].over) {
    case COUNTER_OVER_LEAST:
        return next < value ? next : value;
    case COUNTER_OVER_MOST:
        return next > value ? next : value;
    case COUNTER_OVER_SUM:
        break;
    }
    return value + next;
}

bool counter_matches(const char *terms, enum counter counter)
{
    const char *name = counter_abouts[counter].name;

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

uint64_t counter_total(const char *terms, const uint64_t values[COUNTER_COUNT])
{
    uint64_t total = 0;

    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if (counter_matches(terms, (enum counter)c))
            total += values[c];
    }
    return total;
}

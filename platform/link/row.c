#include "platform/link/row.h"

#include <stddef.h>

#include "platform/check.h"

static_assert(sizeof(struct peer_row) % sizeof(uint64_t) == 0, "a row is cells");

#define ROW_CELLS (sizeof(struct peer_row) / sizeof(uint64_t))

void row_time(struct peer_row *row, int64_t ns)
{
    uint64_t *count = &row->time.count[histogram_bucket(ns)];

    __atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
    if (ns > 0)
        __atomic_store_n(&row->time.sum_ns, row->time.sum_ns + (uint64_t)ns, __ATOMIC_RELAXED);
}

void row_read(struct peer_row *to, const struct peer_row *from)
{
    const uint64_t *source = (const uint64_t *)from;
    uint64_t *copy = (uint64_t *)to;

    for (size_t i = 0; i < ROW_CELLS; i++)
        copy[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
}

void row_publish(struct peer_row *to, const struct peer_row *from)
{
    const uint64_t *source = (const uint64_t *)from;
    uint64_t *published = (uint64_t *)to;

    for (size_t i = 0; i < ROW_CELLS; i++)
        __atomic_store_n(&published[i], source[i], __ATOMIC_RELAXED);
}

void row_join(struct peer_row *to, const struct peer_row *from)
{
    const uint64_t *source = (const uint64_t *)from;
    uint64_t *sum = (uint64_t *)to;

    for (size_t i = 0; i < ROW_CELLS; i++)
        sum[i] += source[i];
}

/* What is missing from one side of a sum goes to the counter that was named for it. */
static void row_settle(struct peer_row *row, enum row_kind kind, unsigned sum, unsigned missing)
{
    const struct counter_set *set = counter_set(kind);
    uint64_t left = counter_total(set, set->sums[sum].left, row->value);
    uint64_t right = counter_total(set, set->sums[sum].right, row->value);

    if (left > right)
        row->value[missing] += left - right;
}

void row_end(struct peer_row *row, enum row_kind kind, uint64_t unread)
{
    switch (kind) {
    case ROW_SCANNER:
        row->value[SCANNER_COUNTER_JOBS] += unread;
        row->value[SCANNER_COUNTER_AT_WORK] = 0;
        row_settle(row, kind, 0, SCANNER_COUNTER_LOST);
        break;
    case ROW_CONTROL:
        row->value[CONTROL_COUNTER_JOBS] += unread;
        row->value[CONTROL_COUNTER_IN_HAND] = 0;
        row->value[CONTROL_COUNTER_CONNECTIONS] = 0;
        row_settle(row, kind, 0, CONTROL_COUNTER_LOST);
        row_settle(row, kind, 1, CONTROL_COUNTER_CONNECTIONS_CLOSED);
        break;
    default:
        CHECK(kind == ROW_SCANNER || kind == ROW_CONTROL);
    }
}

/* row.h: what a scanner child or control has counted: one row, which it keeps in the memory of its
 * channels (channel.h). Nobody else writes there.
 *
 * The dataplane's main thread reads the row while the process lives, adds what those before it had
 * counted in the same place, and publishes the sum in the region (region.h): so a count goes on
 * where a process is replaced, and every reader sees all of them in one mapping. The row of a
 * process that is compromised says what it likes, of itself alone.
 *
 * Threads: one writer, which adds and sets; readers see each cell as it was at some moment, not all
 * at the same. No locks. Memory: the caller's, zeroed.
 */
#ifndef PLATFORM_LINK_ROW_H
#define PLATFORM_LINK_ROW_H

#include <assert.h>
#include <stdint.h>

#include "platform/link/counters.h"

#define PEER_ROW_VALUES 24u

static_assert((unsigned)SCANNER_COUNTER_COUNT <= PEER_ROW_VALUES, "a scanner's counters fit");
static_assert((unsigned)CONTROL_COUNTER_COUNT <= PEER_ROW_VALUES, "control's counters fit");

struct peer_row {
    _Alignas(64) uint64_t value[PEER_ROW_VALUES]; /* by scanner_counter or control_counter */
    struct histogram_row time;
};

/* Writer. */
static inline void row_add(struct peer_row *row, unsigned counter, uint64_t n)
{
    __atomic_store_n(&row->value[counter], row->value[counter] + n, __ATOMIC_RELAXED);
}

static inline void row_set(struct peer_row *row, unsigned counter, uint64_t n)
{
    __atomic_store_n(&row->value[counter], n, __ATOMIC_RELAXED);
}

/* Writer: a time of the row's histogram; of a negative one, none. */
void row_time(struct peer_row *row, int64_t ns);

/* Reader: a copy of `from`, cell by cell. */
void row_read(struct peer_row *to, const struct peer_row *from);

/* Writer of `to`, which others read: as row_read(). */
void row_publish(struct peer_row *to, const struct peer_row *from);

/* Adds `from` to `to`, cell by cell: both are the caller's own. */
void row_join(struct peer_row *to, const struct peer_row *from);

/* The process that counted `row` (a copy) has ended, with `unread` jobs in its rings: these count
 * as given to it, what it had is lost, what was open is closed, nothing is there now. Every sum of
 * its set then holds, unless it lied. */
void row_end(struct peer_row *row, enum row_kind kind, uint64_t unread);

#endif

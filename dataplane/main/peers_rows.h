/* peers_rows.h: what scanners and control have counted, for all to read.
 *
 * Each of them counts in a row of its own channel memory (platform/link/row.h), which ends with it.
 * Here its row is joined to what those before it counted in the same slot, and the sum published in
 * the region with the slot's state: every PEERS_ROWS_EVERY_NS, and when one came up or has ended.
 *
 * What a process cannot count of itself is counted here: jobs it had when it ended, that it was
 * killed, that it came up again.
 *
 * Threads: main. Memory: peers_rows_fini().
 */
#ifndef DATAPLANE_MAIN_PEERS_ROWS_H
#define DATAPLANE_MAIN_PEERS_ROWS_H

#include "dataplane/handover/peers.h"
#include "platform/clock.h"

#define PEERS_ROWS_EVERY_NS (10 * CLOCK_NS_PER_MS)

struct peers_rows_slot {
    struct peer_row before; /* of all that have ended */
    uint32_t lives;         /* that came up; 0: none ever did */
    uint32_t lives_here;    /* of the parent that has the slot now */
};

struct peers_rows {
    const struct peers *peers;
    const struct region *region;
    struct peers_rows_slot *slots; /* [peers->slot_count] */
    int64_t published_ns;
};

/* A region without rows for peers publishes none. STATUS_NO_MEMORY. */
enum status peers_rows_init(struct peers_rows *rows, const struct peers *peers,
                            const struct region *region) STATUS_CHECKED;
void peers_rows_fini(struct peers_rows *rows);

/* Another parent has that slot from now on: who comes first is not there again. */
void peers_rows_assign(struct peers_rows *rows, uint32_t slot);

/* The process in that slot is ready. */
void peers_rows_came(struct peers_rows *rows, uint32_t slot);

/* A scanner is being killed. */
void peers_rows_killed(struct peers_rows *rows, uint32_t slot);

/* It is no more, and no worker uses its memory, which is closed next. */
void peers_rows_ended(struct peers_rows *rows, uint32_t slot);

/* If it is time. */
void peers_rows_publish(struct peers_rows *rows, int64_t now_ns);

#endif

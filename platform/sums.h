/* sums.h: whether what is divided among the workers is enough for each of them, and whether the
 * machine has what all of us may take.
 *
 * Workers share nothing, so a worker's slice has to be large enough by itself: a message whose last
 * block no slice can hold would never end, and its sender would come again for days. How many
 * workers there are is known when the cores are planned, so this is asked after cores_plan().
 *
 * Pure; start-up only.
 */
#ifndef PLATFORM_SUMS_H
#define PLATFORM_SUMS_H

#include "platform/config/config.h"
#include "platform/link/region.h"
#include "platform/machine.h"
#include "platform/why.h"

/* Of a worker's blocks an eighth is kept back from data (dataplane/message/store.c), and of the
 * rest at least a sixteenth is not for large mail (dataplane/message/admission.c). */
#define SUMS_KEPT_BACK   8u
#define SUMS_SMALL_LEAST 16u

/* The most that mail of any size may have of `blocks`. */
static inline uint64_t sums_large_blocks(uint64_t blocks)
{
    uint64_t data = blocks - blocks / SUMS_KEPT_BACK;

    return data - data / SUMS_SMALL_LEAST;
}

/* What a message of `bytes` may come to hold while it is received: its data, the tables of where
 * that is, our field before it, a block that is not full, and what is promised as a window. */
static inline uint64_t sums_message_blocks(uint64_t bytes, uint64_t window_bytes)
{
    uint64_t data = (bytes + MESSAGE_BLOCK_BYTES - 1) / MESSAGE_BLOCK_BYTES;

    return data + data / MESSAGE_EXTENTS_PER_BLOCK + 1 + 2 + window_bytes / MESSAGE_BLOCK_BYTES + 1;
}

/* STATUS_BAD_CONFIG: `why` is the sum in one line, and what would do. */
enum status sums_of_memory(const struct config *config, unsigned workers,
                           struct why *why) STATUS_CHECKED;

/* `buffers` a worker has, of which each port with `descriptors` posted keeps that many. */
enum status sums_of_packets(unsigned buffers, unsigned workers, unsigned ports,
                            unsigned descriptors, struct why *why) STATUS_CHECKED;

/* What all processes take, without the signatures: how large they are is known when they are
 * loaded. */
struct sums_machine {
    uint64_t certain_bytes;  /* of ordinary memory, from the start: what is not on hugepages */
    uint64_t possible_bytes; /* beyond that, when every scanner has the worst message there is */
    uint64_t there_bytes;    /* the machine's, or its control group's where that is less */
    struct why text;         /* the arithmetic, in one line */
};

/* `scanners` processes, each of which may take scanner.memory, a copy of one message, and twice
 * scanner.scan_size for temporary files. Messages and packets are on hugepages when `memory` has
 * enough free ones, or when they are `required`: a start without them is refused anyway. */
struct sums_machine sums_of_machine(const struct config *config, unsigned scanners,
                                    const struct machine_memory *memory);

/* STATUS_NO_MEMORY when there is less than is certain; STATUS_OK with a warning in `why` when there
 * is less than is possible, and with nothing in it when all of it fits. */
enum status sums_fit(const struct sums_machine *sums, struct why *why) STATUS_CHECKED;

#endif

#include "platform/sums.h"

#include <stdio.h>

#include "platform/link/region.h"
#include "platform/why.h"

/* Beside its data a message has a block of extents, one of envelope, and the one that is begun. */
#define SUMS_BLOCKS_BESIDE 3u
/* Of a slice an eighth is kept back from data (dataplane/message/store.c). */
#define SUMS_KEPT_BACK 8u
/* What is being worked on, and what is on its way out. */
#define SUMS_BUFFERS_AT_WORK 512u

enum status sums_of_memory(const struct config *config, unsigned workers, struct why *why)
{
    uint64_t blocks = config->memory.messages_bytes / MESSAGE_BLOCK_BYTES;
    uint64_t slice = blocks / workers;
    uint64_t usable = slice - slice / SUMS_KEPT_BACK;
    uint64_t needed =
        (config->limits.message_bytes + MESSAGE_BLOCK_BYTES - 1) / MESSAGE_BLOCK_BYTES +
        SUMS_BLOCKS_BESIDE;
    uint64_t enough = (needed * SUMS_KEPT_BACK / (SUMS_KEPT_BACK - 1) + 1) * workers;
    uint64_t enough_mib = (enough * MESSAGE_BLOCK_BYTES >> 20) + 1;

    if (usable >= needed)
        return STATUS_OK;
    why_set(why,
            "memory.messages is %llu blocks of 16K, for each of %u workers %llu, of which data may "
            "have %llu; a message of limits.message_size needs %llu: write memory.messages: %lluM, "
            "lower limits.message_size, or name fewer cores.workers",
            (unsigned long long)blocks, workers, (unsigned long long)slice,
            (unsigned long long)usable, (unsigned long long)needed, (unsigned long long)enough_mib);
    return STATUS_BAD_CONFIG;
}

enum status sums_of_packets(unsigned buffers, unsigned workers, unsigned ports,
                            unsigned descriptors, struct why *why)
{
    if (buffers >= ports * descriptors + SUMS_BUFFERS_AT_WORK)
        return STATUS_OK;
    why_set(why,
            "memory.packets gives each of %u workers %u buffers; %u ports keep %u each and %u are "
            "at work: raise memory.packets, or name fewer cores.workers",
            workers, buffers, ports, descriptors, SUMS_BUFFERS_AT_WORK);
    return STATUS_BAD_CONFIG;
}

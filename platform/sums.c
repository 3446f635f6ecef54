#include "platform/sums.h"

#include <stdio.h>

#include "platform/why.h"

/* What is being worked on, and what is on its way out. */
#define SUMS_BUFFERS_AT_WORK 512u

enum status sums_of_memory(const struct config *config, unsigned workers, struct why *why)
{
    uint64_t blocks = config->memory.messages_bytes / MESSAGE_BLOCK_BYTES;
    uint64_t slice = blocks / workers;
    uint64_t needed =
        sums_message_blocks(config->limits.message_bytes, config->limits.window_bytes);
    uint64_t enough = needed;

    if (sums_large_blocks(slice) >= needed)
        return STATUS_OK;
    while (sums_large_blocks(enough) < needed)
        enough += needed - sums_large_blocks(enough);
    why_set(why,
            "memory.messages is %llu blocks of 16K, for each of %u workers %llu, of which large "
            "mail may have %llu; a message of limits.message_size needs %llu, the window included: "
            "write memory.messages: %lluM, lower limits.message_size, or name fewer cores.workers",
            (unsigned long long)blocks, workers, (unsigned long long)slice,
            (unsigned long long)sums_large_blocks(slice), (unsigned long long)needed,
            (unsigned long long)(enough * workers * MESSAGE_BLOCK_BYTES >> 20) + 1);
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

#include "platform/sums.h"

#include <stdio.h>

#include "platform/why.h"

/* What is being worked on, and what is on its way out. */
#define SUMS_BUFFERS_AT_WORK 512u

/* A scan's temporary files, in sizes of a scan (signatures/scanner/main.c). */
#define SUMS_SCRATCH_SCANS 2u

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

/* Of what is needed rounded up, of what there is down. */
static unsigned long long sums_mib_up(uint64_t bytes)
{
    return (unsigned long long)((bytes + (1u << 20) - 1) >> 20);
}

static unsigned long long sums_mib(uint64_t bytes)
{
    return (unsigned long long)(bytes >> 20);
}

static bool sums_on_hugepages(const struct config_memory *config,
                              const struct machine_memory *memory)
{
    const uint64_t page = MACHINE_HUGEPAGE_BYTES;
    uint64_t needed =
        (config->messages_bytes + page - 1) / page + (config->packets_bytes + page - 1) / page;

    return config->hugepages == CONFIG_HUGEPAGES_REQUIRED ||
           (config->hugepages == CONFIG_HUGEPAGES_AUTO && memory->hugepages_free >= needed);
}

static uint64_t sums_cache(const struct config *config)
{
    return config->prefilter.enabled ? config->prefilter.cache_bytes : 0;
}

static void sums_say(struct sums_machine *sums, const struct config *config, unsigned scanners,
                     const struct machine_memory *memory)
{
    const struct config_memory *ours = &config->memory;
    char there[32] = "an unknown number of";

    if (sums->there_bytes != MACHINE_NO_LIMIT)
        (void)snprintf(there, sizeof(there), "%llu", sums_mib(sums->there_bytes));
    why_set(&sums->text,
            "messages %llu + packets %llu%s + verdict cache %llu = %llu MiB for certain; %u "
            "scanners of %llu + a message of %llu + temporary files of %llu = %llu MiB more at "
            "most, and the signatures, twice while new ones are loaded; this %s has %s MiB",
            sums_mib_up(ours->messages_bytes), sums_mib_up(ours->packets_bytes),
            sums_on_hugepages(ours, memory) ? " (on hugepages: not counted)" : "",
            sums_mib_up(sums_cache(config)), sums_mib_up(sums->certain_bytes), scanners,
            sums_mib_up(config->scanner.memory_bytes), sums_mib_up(config->limits.message_bytes),
            sums_mib_up(SUMS_SCRATCH_SCANS * config->scanner.scan_bytes_max),
            sums_mib_up(sums->possible_bytes),
            memory->limit_bytes < memory->bytes ? "control group" : "machine", there);
}

struct sums_machine sums_of_machine(const struct config *config, unsigned scanners,
                                    const struct machine_memory *memory)
{
    uint64_t scanner = config->scanner.memory_bytes + config->limits.message_bytes +
                       SUMS_SCRATCH_SCANS * config->scanner.scan_bytes_max;
    struct sums_machine sums = {
        .certain_bytes = sums_cache(config),
        .possible_bytes = scanners * scanner,
        .there_bytes = memory->limit_bytes < memory->bytes ? memory->limit_bytes : memory->bytes,
    };

    if (!sums_on_hugepages(&config->memory, memory))
        sums.certain_bytes += config->memory.messages_bytes + config->memory.packets_bytes;
    sums_say(&sums, config, scanners, memory);
    return sums;
}

enum status sums_fit(const struct sums_machine *sums, struct why *why)
{
    why_clear(why);
    if (sums->certain_bytes > sums->there_bytes) {
        why_set(why,
                "memory: more is certain than there is: %s: lower memory.messages or "
                "memory.packets",
                sums->text.text);
        return STATUS_NO_MEMORY;
    }
    if (sums->possible_bytes > sums->there_bytes - sums->certain_bytes)
        why_set(why,
                "memory: more may be wanted than there is, and scanners are the first to be ended "
                "for it: %s",
                sums->text.text);
    return STATUS_OK;
}

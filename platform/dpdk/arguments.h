/* arguments.h: from our configuration to the words DPDK understands.
 *
 * Pure functions: they read nothing but their parameters, so tests drive them with tables. The
 * caller (eal.c, device.c) has decided about hugepages and checked that devices exist.
 *
 * lcore 0 is the main thread, lcore i+1 is worker i, whatever cpus they run on; two lcores may
 * share a cpu on a very small machine. Virtual devices are never EAL arguments: they are attached
 * one by one after start, each inside its own network namespace (device.h).
 *
 * Main thread, start only. Limits: at most EAL_ARGUMENTS_MAX words of EAL_ARGUMENT_BYTES; both are
 * fixed by CONFIG_PORTS_MAX and CONFIG_CPUS_MAX, so overflow is a broken invariant.
 */
#ifndef PLATFORM_DPDK_ARGUMENTS_H
#define PLATFORM_DPDK_ARGUMENTS_H

#include "platform/cores.h"

#define EAL_ARGUMENTS_MAX  (16u + 2u * CONFIG_PORTS_MAX)
#define EAL_ARGUMENT_BYTES (16u * (CONFIG_CPUS_MAX + 1))
#define EAL_DEVARGS_BYTES  256u
#define EAL_HUGEPAGE_BYTES (2ull << 20)

struct eal_arguments {
    int count;
    char *words[EAL_ARGUMENTS_MAX + 1]; /* into `text`, null-terminated; EAL may permute them */
    char text[EAL_ARGUMENTS_MAX][EAL_ARGUMENT_BYTES];
};

/* Fills *arguments, the program name first. */
void eal_arguments_build(const struct config *config, const struct core_map *map, bool hugepages,
                         struct eal_arguments *arguments);

/* Hugepages of 2 MiB that packets and messages need together. */
uint64_t eal_hugepages_needed(const struct config_memory *memory);

/* Bytes one frame takes in an AF_PACKET ring for `mtu`; also the least room of a packet buffer
 * after the headroom, because the driver refuses buffers smaller than its frames. */
unsigned eal_frame_bytes(unsigned mtu);

/* Name ("net_tap0") and arguments of the virtual device of port `index`. STATUS_BAD_CONFIG when
 * the interface name has a character DPDK's syntax cannot carry; STATUS_BAD_ARGUMENT for a PCI
 * port. `queues` from 1. */
enum status eal_device_arguments(const struct config_port *port, unsigned index, unsigned queues,
                                 char name[static 32],
                                 char arguments[static EAL_DEVARGS_BYTES]) STATUS_CHECKED;

#endif

/* cores.h: which core does what.
 *
 * Reads the machine with hwloc (cores, NUMA nodes, the allowed set), takes the configuration's
 * `cores:` and fills in what is `auto`: workers near the NIC, nothing of ours on a worker's core
 * where there is a choice. Two cores are enough; with one, the worker shares it in adaptive idle
 * mode. Refuses a map that names a core the machine has not, or one worker core twice.
 *
 * Main thread, start-up only.
 */
#ifndef PLATFORM_CORES_H
#define PLATFORM_CORES_H

#include "platform/config/config.h"
#include "platform/why.h"

struct core_map {
    unsigned main;
    unsigned worker_count;
    unsigned workers[CONFIG_CPUS_MAX];
    unsigned scanner_count; /* cpus to spread children over */
    unsigned scanners[CONFIG_CPUS_MAX];
    unsigned scanner_processes; /* children to start */
    unsigned control_count;
    unsigned control[CONFIG_CPUS_MAX];
};

/* `numa_node` of the NIC, or -1 when unknown or virtual. On STATUS_BAD_CONFIG or
 * STATUS_UNSUPPORTED, `why` (>= 256 bytes) says what is wrong and what would do. */
enum status cores_plan(const struct config *config, int numa_node, struct core_map *map,
                       struct why *why) STATUS_CHECKED;

/* The same with the node the first port of `config` is at. All processes plan for themselves, and
 * come to the same map. */
enum status cores_plan_here(const struct config *config, struct core_map *map,
                            struct why *why) STATUS_CHECKED;

/* NUMA node of a PCI device by sysfs, or -1. */
int cores_numa_of_pci(const char *pci_address);

/* Binds the calling thread to those cpus. */
enum status cores_bind(const unsigned *cpus, unsigned count) STATUS_CHECKED;

#endif

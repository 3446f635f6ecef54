/* eal.h: starting DPDK from our configuration.
 *
 * Builds the EAL arguments (lcores from the core map, memory, hugepages or none, PCI devices;
 * no file is left behind) and starts it. TAP and AF_PACKET ports come later,
 * with port_open(), in their network namespaces. `hugepages: auto` uses them when enough are free
 * for packets and messages together: make the message region after eal_start(), or its pages are
 * counted twice. DPDK's log lines below warning level are dropped. Main thread, once a process.
 */
#ifndef PLATFORM_DPDK_EAL_H
#define PLATFORM_DPDK_EAL_H

#include "platform/cores.h"
#include "platform/why.h"

/* What start-up decided. */
struct eal_choice {
    bool hugepages;
};

/* STATUS_OK; otherwise `why` (>= 512 bytes) is one line for the operator: what failed and the
 * command that would mend it (no hugepages, not root, interface missing or in use, ...). */
enum status eal_start(const struct config *config, const struct core_map *map,
                      struct eal_choice *choice, struct why *why) STATUS_CHECKED;

void eal_stop(void);

/* Runs `function(argument)` on the lcore of worker `worker` (index in the core map); returns at
 * once. eal_join() waits for all of them. */
enum status eal_launch(const struct core_map *map, unsigned worker, int (*function)(void *),
                       void *argument) STATUS_CHECKED;
void eal_join(void);

/* The NUMA node of worker `worker`'s core; -1: the system does not say. */
int eal_worker_node(unsigned worker);

#endif

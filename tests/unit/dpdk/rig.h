/* rig.h: one started DPDK for a test binary, without hugepages, with packet pools for two
 * workers that share a cpu, and two port configurations to fill in.
 */
#ifndef TESTS_UNIT_DPDK_RIG_H
#define TESTS_UNIT_DPDK_RIG_H

#include "platform/dpdk/port.h"
#include "platform/why.h"

#define WORKERS    2u
#define MTU_MAX    9000u
#define POOL_MBUFS 3000u /* 1024 fill a queue */

extern struct config config;
extern struct core_map map;
extern struct rte_mempool *pools[WORKERS];
extern struct why why;

/* For cmocka_run_group_tests(). */
int group_setup(void **state);
int group_teardown(void **state);

/* Every packet buffer is back in its pool. */
void assert_pools_whole(void);

/* Port `index` with 198.18.0.1/24 and MTU 1500. */
struct config_port *configure(unsigned index, enum config_port_kind kind, const char *interface,
                              const char *space);

/* port_open() with what is here; `why` has its text, empty when all went well. */
enum status open_port(struct port *port, unsigned index);

#endif

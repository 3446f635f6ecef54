#include "tests/unit/dpdk/rig.h"
#include "platform/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <rte_mempool.h>
#include <sched.h>

struct config config = {
    .port_count = 2,
    .memory = {.hugepages = CONFIG_HUGEPAGES_OFF, .packets_bytes = 96u << 20},
};
struct core_map map = {.worker_count = WORKERS};
struct rte_mempool *pools[WORKERS];
struct why why;

int group_setup(void **state)
{
    struct eal_choice choice = {.hugepages = true};
    unsigned cpu = (unsigned)sched_getcpu();

    (void)state;
    /* All on one cpu: a machine may allow us no more. */
    map.main = map.workers[0] = map.workers[1] = cpu;
    if (eal_start(&config, &map, &choice, &why) != STATUS_OK || choice.hugepages) {
        fprintf(stderr, "DPDK did not start: %s\n", why.text);
        return -1;
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pools[i] = port_make_pool(i, POOL_MBUFS, MTU_MAX, -1, &why);
        if (pools[i] == NULL) {
            fprintf(stderr, "%s\n", why.text);
            return -1;
        }
    }
    return 0;
}

int group_teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        rte_mempool_free(pools[i]);
    eal_stop();
    return 0;
}

void assert_pools_whole(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
}

struct config_port *configure(unsigned index, enum config_port_kind kind, const char *interface,
                              const char *space)
{
    struct config_port *port = &config.ports[index];

    *port = (struct config_port){.kind = kind, .mtu = 1500, .verify_rx_checksums = true};
    port->address.s_addr = htonl(0xc6120001u); /* 198.18.0.1 */
    port->prefix_length = 24;
    snprintf(port->interface, sizeof(port->interface), "%s", interface);
    snprintf(port->network_namespace, sizeof(port->network_namespace), "%.63s", space);
    return port;
}

enum status open_port(struct port *port, unsigned index)
{
    why_clear(&why);
    return port_open(port, &config, index, WORKERS, pools, &why);
}

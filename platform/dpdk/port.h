/* port.h: the ports of a site: TAP (any Linux box), AF_PACKET, or a NIC by PCI address.
 *
 * port_open() attaches a virtual device in the network namespace of its port, or finds the PCI
 * device EAL probed, gates every offload on the port's capabilities, sets up one RX/TX queue pair
 * a worker (RSS) or a single pair that worker 0 serves (software spreading), and starts it. Workers
 * then use rte_eth_rx_burst/tx_burst on {port->id, queue} themselves; nothing else here is for the
 * hot path.
 *
 * Main thread, start and stop only.
 */
#ifndef PLATFORM_DPDK_PORT_H
#define PLATFORM_DPDK_PORT_H

#include "platform/dpdk/eal.h"
#include "platform/why.h"

#define PORT_DESCRIPTORS 1024u /* asked for, of each queue */

struct rte_mempool;

struct port {
    uint16_t id;          /* DPDK port id */
    uint16_t queue_count; /* RX/TX pairs: worker_count with RSS, else 1 */
    bool rss;             /* the port spreads flows; false: worker 0 receives and sends for all */
    /* The port verifies IPv4 header checksums; unless config->verify_rx_checksums is false, believe
     * it for packets whose ol_flags say GOOD (of TCP also NONE: sound, but not filled in) only:
     * NICs leave some (options, tunnels) UNKNOWN. */
    bool rx_ip_checksum;
    bool rx_tcp_checksum;
    bool tx_ip_checksum; /* the port can fill IPv4 header checksums */
    bool tx_tcp_checksum;
    uint8_t mac[6];                   /* the one our stack uses; on TAP not the kernel side's */
    uint16_t mtu;                     /* bytes of IP packet it receives */
    uint16_t tx_mtu;                  /* and sends: less than mtu on TAP with jumbo frames */
    bool has_exception;               /* what is not ours goes to the kernel by exception_id */
    uint16_t exception_id;            /* DPDK port id, one queue, worker 0's */
    int numa_node;                    /* -1: none */
    const struct config_port *config; /* borrowed */
};

/* Memory that a pool of port_make_pool() takes, for planning. */
uint64_t port_pool_bytes(unsigned mbufs, unsigned mtu);

/* One mbuf pool a worker, on its NUMA node or, when that is short of memory, on any; `mtu` is the
 * largest of all ports, so that every packet lies in one mbuf. The caller frees it after
 * port_close(). Null and `why` when memory is short. */
struct rte_mempool *port_make_pool(unsigned worker, unsigned mbufs, unsigned mtu, int numa_node,
                                   struct why *why);

/* Opens and starts port number `index` of the configuration. `pools[worker]` feed its RX queues.
 * Otherwise nothing stays open and `why` (>= 512 bytes) is one line: the cause and its cure. */
enum status port_open(struct port *port, const struct config *config, unsigned index,
                      unsigned worker_count, struct rte_mempool **pools,
                      struct why *why) STATUS_CHECKED;

void port_close(struct port *port);

/* Packets the port itself lost: no descriptor was free, or no buffer. Nothing shows them yet. */
void port_losses(const struct port *port, uint64_t *missed, uint64_t *no_mbuf);

#endif

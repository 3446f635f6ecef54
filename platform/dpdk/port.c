#include "platform/dpdk/port.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "platform/check.h"
#include "platform/dpdk/arguments.h"
#include "platform/dpdk/chatter.h"
#include "platform/dpdk/device.h"
#include "platform/dpdk/exception.h"
#include "platform/why.h"

#define POOL_CACHE      256u
#define LINK_WAIT_MS    5000
#define RSS_KEY_BYTES   64u
#define RSS_KEY_WANTED  40u
#define RSS_HASH_TCP    (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP)
#define RX_CHECKSUMS    (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define TX_CHECKSUMS    (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
#define RSS_HASH_WANTED (RSS_HASH_TCP | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6)

/* What is decided between probing the device and starting it. */
struct setup {
    struct port *port;
    const struct config_port *config;
    struct rte_eth_dev_info information;
    struct rte_eth_conf conf;
    uint8_t rss_key[RSS_KEY_BYTES];
    struct why *why;
};

static const char *name_of(const struct config_port *port)
{
    return port->kind == CONFIG_PORT_PCI ? port->pci_address : port->interface;
}

static unsigned port_pool_room(unsigned mtu)
{
    return RTE_PKTMBUF_HEADROOM + eal_frame_bytes(mtu);
}

uint64_t port_pool_bytes(unsigned mbufs, unsigned mtu)
{
    uint32_t object = (uint32_t)(sizeof(struct rte_mbuf) + port_pool_room(mtu));

    return (uint64_t)mbufs * rte_mempool_calc_obj_size(object, 0, NULL);
}

/* Where devices use virtual addresses: what a pool with F_NO_IOVA_CONTIG leaves unset. */
static void port_set_address(struct rte_mempool *pool, void *unused, void *object, unsigned index)
{
    struct rte_mbuf *mbuf = object;

    (void)pool;
    (void)unused;
    (void)index;
    rte_mempool_get_header(object)->iova = (rte_iova_t)(uintptr_t)object;
    mbuf->buf_iova = (rte_iova_t)(uintptr_t)mbuf->buf_addr;
}

/* rte_pktmbuf_pool_create(), but where addresses of devices are virtual ones buffers may lie across
 * pages: without hugepages DPDK would otherwise give each buffer a 4 KiB page of its own. */
static struct rte_mempool *port_create_pool(const char *name, unsigned mbufs, unsigned cache,
                                            unsigned room, int node)
{
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)room};
    unsigned flags = rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
    struct rte_mempool *pool = rte_mempool_create_empty(
        name, mbufs, (unsigned)sizeof(struct rte_mbuf) + room, cache, sizeof(private), node, flags);

    if (pool == NULL)
        return NULL;
    int result = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
    if (result == 0) {
        rte_pktmbuf_pool_init(pool, &private);
        result = rte_mempool_populate_default(pool);
    }
    if (result < 0) {
        rte_mempool_free(pool);
        rte_errno = -result;
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    if ((flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG) != 0)
        rte_mempool_obj_iter(pool, port_set_address, NULL);
    return pool;
}

struct rte_mempool *port_make_pool(unsigned worker, unsigned mbufs, unsigned mtu, int numa_node,
                                   struct why *why)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    /* A cache may hold one and a half times its size; on a tiny pool it would hide every buffer. */
    unsigned cache = mbufs >= 8 * POOL_CACHE ? POOL_CACHE : mbufs / 8;

    snprintf(name, sizeof(name), "packets-%u", worker);
    struct rte_mempool *pool = port_create_pool(name, mbufs, cache, port_pool_room(mtu),
                                                numa_node < 0 ? SOCKET_ID_ANY : numa_node);
    if (pool == NULL && rte_errno == ENOMEM && numa_node >= 0)
        pool = port_create_pool(name, mbufs, cache, port_pool_room(mtu), SOCKET_ID_ANY);
    if (pool != NULL)
        return pool;
    if (rte_errno == EEXIST)
        why_set(why, "worker %u has a packet pool already", worker);
    else
        why_set(why,
                "no memory for %u packet buffers of worker %u (%s): they take %" PRIu64
                " MiB for each worker; raise memory.packets",
                mbufs, worker, rte_strerror(rte_errno), (port_pool_bytes(mbufs, mtu) >> 20) + 1);
    return NULL;
}

/* Queue pairs of a virtual device are a matter of how it is created, so this one is decided before
 * probing; a NIC is asked afterwards (choose_spreading). */
static unsigned port_queues_to_ask(const struct config_port *config, unsigned worker_count)
{
    return config->spreading == CONFIG_SPREADING_RSS ? worker_count : 1;
}

static enum status port_choose_spreading(struct setup *setup, unsigned worker_count)
{
    const struct rte_eth_dev_info *information = &setup->information;
    struct port *port = setup->port;
    bool pci = setup->config->kind == CONFIG_PORT_PCI;
    unsigned queues = information->max_rx_queues < information->max_tx_queues
                          ? information->max_rx_queues
                          : information->max_tx_queues;
    /* The kernel spreads the queues of TAP and AF_PACKET by flow; there is no RSS to set up. */
    bool able = queues >= worker_count &&
                (!pci || worker_count == 1 ||
                 (information->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_TCP) != 0);

    port->rss = setup->config->spreading == CONFIG_SPREADING_RSS ||
                (setup->config->spreading == CONFIG_SPREADING_AUTO && pci && able);
    port->queue_count = port->rss ? (uint16_t)worker_count : 1;
    if (!port->rss || able)
        return STATUS_OK;
    why_set(setup->why,
            "port %s cannot spread connections over %u workers (%u queue pairs%s); set spreading: "
            "software, or use fewer workers",
            name_of(setup->config), worker_count, queues,
            queues >= worker_count ? ", no RSS for TCP" : "");
    return STATUS_UNSUPPORTED;
}

static void port_set_rss(struct setup *setup)
{
    const struct rte_eth_dev_info *information = &setup->information;
    uint8_t length = information->hash_key_size != 0 ? information->hash_key_size : RSS_KEY_WANTED;

    if (setup->port->queue_count < 2 || setup->config->kind != CONFIG_PORT_PCI)
        return;
    /* Another one at each start: who knew it could choose ports that meet on one worker. */
    if (getrandom(setup->rss_key, sizeof(setup->rss_key), 0) != (ssize_t)sizeof(setup->rss_key))
        length = UINT8_MAX; /* the driver's own */
    setup->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    setup->conf.rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
        .rss_key = length <= RSS_KEY_BYTES ? setup->rss_key : NULL,
        .rss_key_len = length <= RSS_KEY_BYTES ? length : 0,
        .rss_hf = RSS_HASH_WANTED & information->flow_type_rss_offloads,
    };
}

/* Only silicon is asked for checksums: the virtual drivers announce them too, but compute them in
 * software on the same core. */
static void port_set_offloads(struct setup *setup)
{
    struct port *port = setup->port;
    uint64_t rx = 0;
    uint64_t tx = 0;

    if (setup->config->kind == CONFIG_PORT_PCI) {
        rx = setup->information.rx_offload_capa & RX_CHECKSUMS;
        /* Or the host leaves TCP checksums unfilled, and the kernel behind the exception interface,
         * which cannot be told so, drops the packets. */
        if (setup->config->exception_interface[0] != '\0' &&
            strcmp(setup->information.driver_name, "net_virtio") == 0)
            rx &= ~RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
        tx = setup->information.tx_offload_capa & TX_CHECKSUMS;
    }
    setup->conf.rxmode.offloads = rx;
    setup->conf.txmode.offloads = tx;
    bool trusted = !setup->config->verify_rx_checksums;
    port->rx_ip_checksum = trusted || (rx & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
    port->rx_tcp_checksum = trusted || (rx & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0;
    port->tx_ip_checksum = (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
    port->tx_tcp_checksum = (tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
}

static enum status port_fail(const struct setup *setup, const char *what, int result)
{
    why_set(setup->why, "port %s: %s failed: %s", name_of(setup->config), what,
            rte_strerror(-result));
    if (result == -ENOMEM)
        return STATUS_NO_MEMORY;
    return result == -EPERM || result == -EACCES ? STATUS_NOT_PERMITTED : STATUS_SYSTEM;
}

/* DPDK 22.11 takes no MTU above 1500 for TAP although its driver receives any frame that fits the
 * packet buffer: there the kernel's end is told directly, and we send no more than 1500. */
static int port_set_tap_mtu(const struct setup *setup)
{
    if (device_set_interface_mtu(setup->config->interface, setup->config->mtu) != STATUS_OK)
        return -EIO;
    setup->port->tx_mtu = RTE_ETHER_MTU;
    return 0;
}

static enum status port_set_mtu(const struct setup *setup)
{
    uint16_t id = setup->port->id;
    unsigned mtu = setup->config->mtu;
    int result;

    /* An AF_PACKET interface is the operator's; device_attach() saw that its MTU is enough. */
    if (setup->config->kind == CONFIG_PORT_AF_PACKET)
        return STATUS_OK;
    if (setup->config->kind == CONFIG_PORT_TAP && mtu > RTE_ETHER_MTU)
        result = port_set_tap_mtu(setup);
    else
        result = rte_eth_dev_set_mtu(id, (uint16_t)mtu);
    if (result == 0 || (result == -ENOTSUP && mtu == RTE_ETHER_MTU))
        return STATUS_OK;
    why_set(setup->why,
            "port %s refuses MTU %u (%s); its frames are of %u bytes at most: lower mtu",
            name_of(setup->config), mtu, rte_strerror(-result), setup->information.max_rx_pktlen);
    return STATUS_BAD_CONFIG;
}

static enum status port_set_queues(const struct setup *setup, struct rte_mempool **pools)
{
    uint16_t id = setup->port->id;
    uint16_t rx = PORT_DESCRIPTORS;
    uint16_t tx = PORT_DESCRIPTORS;
    unsigned node = (unsigned)rte_eth_dev_socket_id(id);
    int result = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);

    if (result != 0)
        return port_fail(setup, "choosing the number of descriptors", result);
    for (uint16_t queue = 0; queue < setup->port->queue_count; queue++) {
        struct rte_eth_rxconf rx_conf = setup->information.default_rxconf;
        struct rte_eth_txconf tx_conf = setup->information.default_txconf;

        rx_conf.offloads = setup->conf.rxmode.offloads;
        tx_conf.offloads = setup->conf.txmode.offloads;
        result = rte_eth_rx_queue_setup(id, queue, rx, node, &rx_conf, pools[queue]);
        if (result != 0)
            return port_fail(setup, "setting up a receive queue", result);
        result = rte_eth_tx_queue_setup(id, queue, tx, node, &tx_conf);
        if (result != 0)
            return port_fail(setup, "setting up a transmit queue", result);
    }
    return STATUS_OK;
}

/* On TAP the device's own MAC belongs to the kernel's end of the wire; ours is another one, made
 * of our address so that two appliances on one bridge differ too. */
static enum status port_choose_mac(const struct setup *setup)
{
    struct port *port = setup->port;
    const struct config_port *config = setup->config;
    struct rte_ether_addr own;
    int result = rte_eth_macaddr_get(port->id, &own);

    if (result != 0)
        return port_fail(setup, "reading the MAC address", result);
    if (config->has_mac) {
        memcpy(port->mac, config->mac, sizeof(port->mac));
    } else if (config->kind == CONFIG_PORT_TAP) {
        port->mac[0] = 0x02;
        port->mac[1] = 0x50;
        memcpy(port->mac + 2, &config->address.s_addr, 4);
    } else {
        memcpy(port->mac, own.addr_bytes, sizeof(port->mac));
    }
    if (config->kind == CONFIG_PORT_TAP || memcmp(port->mac, own.addr_bytes, 6) == 0)
        return STATUS_OK;
    memcpy(own.addr_bytes, port->mac, sizeof(port->mac));
    /* An AF_PACKET interface keeps its MAC for the kernel: hear everything there instead. */
    if (config->kind == CONFIG_PORT_PCI && rte_eth_dev_default_mac_addr_set(port->id, &own) == 0)
        return STATUS_OK;
    result = rte_eth_promiscuous_enable(port->id);
    return result == 0 ? STATUS_OK
                       : port_fail(setup, "receiving for the configured MAC address", result);
}

/* A NIC may negotiate for seconds. A cable that is out is no reason not to start. */
static void port_wait_for_link(const struct setup *setup)
{
    struct timespec until;

    if (setup->config->kind != CONFIG_PORT_PCI)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    for (int waited = 0; waited < LINK_WAIT_MS; waited += 100) {
        struct rte_eth_link link = {0};

        if (rte_eth_link_get_nowait(setup->port->id, &link) != 0 || link.link_status != 0)
            return;
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        /* Absolute, because drivers raise signals. */
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
            ;
    }
    fprintf(stderr, "port %s: started, but the link is down after %d s; check the cable\n",
            name_of(setup->config), LINK_WAIT_MS / 1000);
}

static enum status port_start(struct setup *setup, unsigned worker_count,
                              struct rte_mempool **pools)
{
    uint16_t id = setup->port->id;
    int result = rte_eth_dev_info_get(id, &setup->information);

    if (result != 0)
        return port_fail(setup, "asking for its capabilities", result);
    enum status status = port_choose_spreading(setup, worker_count);
    if (status != STATUS_OK)
        return status;
    port_set_rss(setup);
    port_set_offloads(setup);
    result =
        rte_eth_dev_configure(id, setup->port->queue_count, setup->port->queue_count, &setup->conf);
    if (result != 0)
        return port_fail(setup, "configuring it", result);
    status = port_set_mtu(setup);
    if (status == STATUS_OK)
        status = port_set_queues(setup, pools);
    if (status != STATUS_OK)
        return status;
    result = rte_eth_dev_start(id);
    if (result != 0)
        return port_fail(setup, "starting it", result);
    /* Neighbour solicitations come by multicast. Virtual devices hand over everything anyway. */
    (void)rte_eth_allmulticast_enable(id);
    status = port_choose_mac(setup);
    if (status != STATUS_OK) {
        (void)rte_eth_dev_stop(id);
        return status;
    }
    port_wait_for_link(setup);
    return STATUS_OK;
}

enum status port_open(struct port *port, const struct config *config, unsigned index,
                      unsigned worker_count, struct rte_mempool **pools, struct why *why)
{
    CHECK(index < config->port_count && worker_count > 0);
    const struct config_port *wanted = &config->ports[index];
    struct setup setup = {.port = port, .config = wanted, .why = why};
    struct device_visit visit;
    struct chatter chatter;

    *port = (struct port){.config = wanted,
                          .mtu = (uint16_t)wanted->mtu,
                          .tx_mtu = (uint16_t)wanted->mtu,
                          .numa_node = -1};
    enum status status =
        device_enter(wanted->kind == CONFIG_PORT_PCI ? "" : wanted->network_namespace, &visit, why);
    if (status != STATUS_OK)
        return status;
    status = device_attach(wanted, index, port_queues_to_ask(wanted, worker_count), &port->id, why);
    if (status == STATUS_OK) {
        chatter_begin(&chatter);
        status = port_start(&setup, worker_count, pools);
        chatter_end(&chatter, NULL, 0);
        if (status != STATUS_OK)
            device_detach(port->id);
    }
    device_leave(&visit);
    if (status != STATUS_OK)
        return status;
    if (wanted->kind == CONFIG_PORT_PCI)
        port->numa_node = rte_eth_dev_socket_id(port->id);
    if (wanted->exception_interface[0] != '\0') {
        status = exception_open(port, index, pools[0], why);
        if (status != STATUS_OK)
            port_close(port);
    }
    return status;
}

void port_close(struct port *port)
{
    const struct config_port *config = port->config;
    struct device_visit visit = {.home = -1};
    struct chatter chatter;
    struct why why;
    exception_close(port);
    bool there = config != NULL && config->kind != CONFIG_PORT_PCI &&
                 device_enter(config->network_namespace, &visit, &why) == STATUS_OK;

    chatter_begin(&chatter);
    /* The interface outlives us. The driver finds it by its name, which outside of its namespace
     * may be another one's. */
    if (there && config->kind == CONFIG_PORT_AF_PACKET && rte_eth_promiscuous_get(port->id) == 1)
        (void)rte_eth_promiscuous_disable(port->id);
    (void)rte_eth_dev_stop(port->id);
    chatter_end(&chatter, NULL, 0);
    device_detach(port->id);
    device_leave(&visit);
    *port = (struct port){.numa_node = -1};
}

void port_losses(const struct port *port, uint64_t *missed, uint64_t *no_mbuf)
{
    struct rte_eth_stats stats = {0};

    *missed = 0;
    *no_mbuf = 0;
    if (rte_eth_stats_get(port->id, &stats) != 0)
        return;
    *missed = stats.imissed;
    *no_mbuf = stats.rx_nombuf;
}

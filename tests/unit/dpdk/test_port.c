/* Ports over a started DPDK: one EAL for the binary, no hugepages. Cases that make interfaces work
 * in network namespaces of their own and need root; without it they skip and say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <glob.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/dpdk/arguments.h"
#include "platform/dpdk/port.h"

#define WORKERS     2u
#define MTU_MAX     9000u
#define POOL_MBUFS  3000u /* 1024 fill a queue */
#define PING_WAIT_S 5

static struct config config = {
    .port_count = 2,
    .memory = {.hugepages = CONFIG_HUGEPAGES_OFF, .packets_bytes = 96u << 20},
};
static struct core_map map = {.worker_count = WORKERS};
static struct rte_mempool *pools[WORKERS];
static char spaces[2][64];
static char why[512];

static int group_setup(void **state)
{
    struct eal_choice choice = {.hugepages = true};
    unsigned cpu = (unsigned)sched_getcpu();

    (void)state;
    /* All on one cpu: a machine may allow us no more. */
    map.main = map.workers[0] = map.workers[1] = cpu;
    if (eal_start(&config, &map, &choice, why, sizeof(why)) != STATUS_OK || choice.hugepages) {
        fprintf(stderr, "DPDK did not start: %s\n", why);
        return -1;
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pools[i] = port_make_pool(i, POOL_MBUFS, MTU_MAX, -1, why, sizeof(why));
        if (pools[i] == NULL) {
            fprintf(stderr, "%s\n", why);
            return -1;
        }
    }
    snprintf(spaces[0], sizeof(spaces[0]), "postern-test-%d-a", (int)getpid());
    snprintf(spaces[1], sizeof(spaces[1]), "postern-test-%d-b", (int)getpid());
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        rte_mempool_free(pools[i]);
    eal_stop();
    return 0;
}

static void assert_pools_whole(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(rte_mempool_in_use_count(pools[i]), 0);
}

/* ---- without root ---- */

static void second_start_is_refused(void **state)
{
    struct eal_choice choice;

    (void)state;
    assert_int_equal(eal_start(&config, &map, &choice, why, sizeof(why)), STATUS_IN_USE);
    assert_string_equal(why, "DPDK was already started in this process");
}

static void pool_rooms_fit_the_mtu(void **state)
{
    (void)state;
    assert_int_equal(rte_pktmbuf_data_room_size(pools[0]),
                     RTE_PKTMBUF_HEADROOM + eal_frame_bytes(MTU_MAX));
    assert_int_equal(pools[0]->size, POOL_MBUFS);
    assert_true(port_pool_bytes(1000, 9000) > 1000ull * 10240);
    assert_true(port_pool_bytes(1000, 1500) > 1000ull * 2048);
    assert_true(port_pool_bytes(1000, 1500) < 1000ull * 2600);
}

/* 96 MiB hold 40 MiB of buffers only if no buffer wastes the rest of a page. */
static void pool_takes_what_was_planned(void **state)
{
    const unsigned mbufs = 8000;
    struct rte_mempool *pool = port_make_pool(5, mbufs, 1500, -1, why, sizeof(why));
    uint64_t bytes = 0;
    struct rte_mempool_memhdr *header;

    (void)state;
    assert_non_null(pool);
    STAILQ_FOREACH(header, &pool->mem_list, next)
    bytes += header->len;
    assert_in_range(bytes, port_pool_bytes(mbufs, 1500), port_pool_bytes(mbufs, 1500) + (1u << 20));
    rte_mempool_free(pool);
}

static void pool_failures_are_explained(void **state)
{
    (void)state;
    assert_null(port_make_pool(0, 100, 1500, -1, why, sizeof(why)));
    assert_string_equal(why, "worker 0 has a packet pool already");
    assert_null(port_make_pool(7, 1u << 20, 9000, -1, why, sizeof(why)));
    assert_non_null(strstr(why, "no memory for 1048576 packet buffers of worker 7"));
    assert_non_null(strstr(why, "raise memory.packets"));
}

static int add_one(void *argument)
{
    __atomic_add_fetch((unsigned *)argument, 1, __ATOMIC_RELAXED);
    return 0;
}

static void workers_are_launched(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(eal_launch(&map, i, add_one, &count), STATUS_OK);
    eal_join();
    assert_int_equal(count, WORKERS);
    assert_int_equal(eal_launch(&map, WORKERS, add_one, &count), STATUS_BAD_ARGUMENT);
}

/* The counts come from the driver while there is one, and are zero, not garbage, when it is gone.
 */
static void losses_are_read_and_end_with_the_port(void **state)
{
    struct port port = {0};
    uint64_t missed = 1;
    uint64_t no_mbuf = 1;

    (void)state;
    assert_int_equal(rte_eal_hotplug_add("vdev", "net_null0", ""), 0);
    assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &port.id), 0);
    uint16_t id = port.id;
    port_losses(&port, &missed, &no_mbuf);
    assert_int_equal(missed, 0);
    assert_int_equal(no_mbuf, 0);
    port_close(&port);
    assert_int_not_equal(rte_eth_dev_get_port_by_name("net_null0", &port.id), 0);
    missed = no_mbuf = 1;
    port.id = id;
    port_losses(&port, &missed, &no_mbuf);
    assert_int_equal(missed, 0);
    assert_int_equal(no_mbuf, 0);
}

static struct config_port *configure(unsigned index, enum config_port_kind kind,
                                     const char *interface, const char *space)
{
    struct config_port *port = &config.ports[index];

    *port = (struct config_port){.kind = kind, .mtu = 1500, .verify_rx_checksums = true};
    port->address.s_addr = htonl(0xc6120001u); /* 198.18.0.1 */
    port->prefix_length = 24;
    snprintf(port->interface, sizeof(port->interface), "%s", interface);
    snprintf(port->network_namespace, sizeof(port->network_namespace), "%.63s", space);
    return port;
}

static enum status open_port(struct port *port, unsigned index)
{
    why[0] = '\0';
    return port_open(port, &config, index, WORKERS, pools, why, sizeof(why));
}

static void missing_namespace_is_named(void **state)
{
    struct port port;

    (void)state;
    configure(0, CONFIG_PORT_TAP, "ptap0", "no-such-space");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_FOUND);
    assert_string_equal(why, "network namespace no-such-space does not exist; run: ip netns add "
                             "no-such-space");
}

static void missing_pci_device_is_named(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_PCI, "", "");
    struct port port;

    (void)state;
    snprintf(wanted->pci_address, sizeof(wanted->pci_address), "ffff:1f:1f.7");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_FOUND);
    assert_string_equal(why, "PCI port ffff:1f:1f.7: no such device; list them with: "
                             "dpdk-devbind.py --status-dev net");
}

/* Any device of this machine that a kernel driver holds will do; it is only looked at. */
static void kernel_driver_is_named(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_PCI, "", "");
    struct port port;
    glob_t found = {0};
    char target[256] = "";
    char expected[512];

    (void)state;
    (void)glob("/sys/bus/pci/drivers/virtio-pci/0*", 0, NULL, &found);
    if (found.gl_pathc == 0)
        (void)glob("/sys/bus/pci/drivers/[aenp]*/0*", 0, NULL, &found);
    if (found.gl_pathc == 0) {
        globfree(&found);
        print_message("SKIPPED: no PCI device with a kernel driver on this machine\n");
        skip();
    }
    const char *path = found.gl_pathv[0];
    const char *address = strrchr(path, '/') + 1;
    const char *driver = path + strlen("/sys/bus/pci/drivers/");
    snprintf(target, sizeof(target), "%.*s", (int)(address - 1 - driver), driver);
    snprintf(wanted->pci_address, sizeof(wanted->pci_address), "%.31s", address);
    snprintf(expected, sizeof(expected),
             "PCI port %s is bound to the kernel driver %s; run: dpdk-devbind.py -b vfio-pci %s",
             address, target, address);
    globfree(&found);
    assert_int_equal(open_port(&port, 0), STATUS_IN_USE);
    assert_string_equal(why, expected);
}

static void missing_interface_is_named(void **state)
{
    struct port port;

    (void)state;
    configure(0, CONFIG_PORT_AF_PACKET, "nosuch0", "");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_FOUND);
    assert_string_equal(why, "AF_PACKET port nosuch0: no such interface; list them with: ip link");
}

static void odd_names_never_reach_dpdk(void **state)
{
    struct port port;

    (void)state;
    configure(0, CONFIG_PORT_TAP, "a,remote=b", "");
    assert_int_equal(open_port(&port, 0), STATUS_BAD_CONFIG);
    assert_non_null(strstr(why, "'a,remote=b' is no usable interface name"));
}

static void rights_are_asked_for(void **state)
{
    struct port port;

    (void)state;
    if (geteuid() == 0) {
        print_message("SKIPPED: this case is for users who are not root\n");
        skip();
    }
    configure(0, CONFIG_PORT_TAP, "ptap0", "");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_PERMITTED);
    assert_string_equal(why, "TAP port ptap0 cannot be made: run as root (CAP_NET_ADMIN)");
}

/* ---- with root ---- */

static void need_root(void)
{
    if (geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0)
        return;
    print_message(
        "SKIPPED: making interfaces needs root and /dev/net/tun; run this test as root\n");
    skip();
}

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int run(const char *format, ...)
{
    char command[256];
    va_list list;

    va_start(list, format);
    vsnprintf(command, sizeof(command), format, list);
    va_end(list);
    return system(command); /* NOLINT(cert-env33-c): the test's own words */
}

static int spaces_setup(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0; /* the case skips */
    for (unsigned i = 0; i < 2; i++) {
        if (run("ip netns add %s", spaces[i]) != 0)
            return -1;
    }
    return 0;
}

static int spaces_teardown(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0;
    for (unsigned i = 0; i < 2; i++)
        (void)run("ip netns del %s", spaces[i]);
    return 0;
}

/* What a peer's frames looked like. */
struct heard {
    unsigned arp, echo;
    unsigned longest;
    uint8_t last_destination[6];
};

static void turn(uint8_t *frame, const uint8_t *own_mac)
{
    struct rte_ether_hdr *ethernet = (struct rte_ether_hdr *)frame;

    ethernet->dst_addr = ethernet->src_addr;
    memcpy(ethernet->src_addr.addr_bytes, own_mac, 6);
}

/* Answers ARP requests and pings in place; false for anything else. */
static bool answer(uint8_t *frame, unsigned length, const uint8_t *own_mac, struct heard *heard)
{
    uint8_t sender[10];

    if (length >= 42 && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 1) {
        heard->arp++;
        turn(frame, own_mac);
        memcpy(sender, frame + 22, 10);
        frame[21] = 2;
        memcpy(frame + 28, frame + 38, 4);
        memcpy(frame + 22, own_mac, 6);
        memcpy(frame + 32, sender, 10);
        return true;
    }
    if (length >= 42 && frame[12] == 0x08 && frame[13] == 0x00 && frame[23] == 1 &&
        frame[34] == 8) {
        heard->echo++;
        heard->longest = length > heard->longest ? length : heard->longest;
        memcpy(heard->last_destination, frame, 6);
        turn(frame, own_mac);
        memcpy(sender, frame + 26, 4);
        memcpy(frame + 26, frame + 30, 4);
        memcpy(frame + 30, sender, 4);
        frame[34] = 0;
        unsigned sum = (unsigned)(frame[36] << 8 | frame[37]) + 0x0800;
        sum = (sum & 0xffff) + (sum >> 16);
        frame[36] = (uint8_t)(sum >> 8);
        frame[37] = (uint8_t)sum;
        return true;
    }
    return false;
}

static void serve(const struct port *port, struct heard *heard)
{
    for (uint16_t queue = 0; queue < port->queue_count; queue++) {
        struct rte_mbuf *burst[32];
        uint16_t count = rte_eth_rx_burst(port->id, queue, burst, 32);

        for (uint16_t i = 0; i < count; i++) {
            assert_int_equal(burst[i]->nb_segs, 1);
            uint8_t *frame = rte_pktmbuf_mtod(burst[i], uint8_t *);

            if (!answer(frame, burst[i]->data_len, port->mac, heard) ||
                rte_eth_tx_burst(port->id, queue, &burst[i], 1) != 1)
                rte_pktmbuf_free(burst[i]);
        }
    }
}

/* Pings `address` from `space` with `size` bytes while the ports are served; ping's exit code. */
static int ping(const char *space, const char *address, unsigned size, const struct port *ports,
                unsigned port_count, struct heard *heard)
{
    char bytes[16];
    const char *words[] = {"ip", "netns", "exec", space, "ping", "-q",    "-n", "-c",
                           "1",  "-W",    "3",    "-s",  bytes,  address, NULL};
    pid_t child;
    int status = 0;
    uint64_t end = rte_get_tsc_cycles() + PING_WAIT_S * rte_get_tsc_hz();
    pid_t ended = 0;

    snprintf(bytes, sizeof(bytes), "%u", size);
    memset(heard, 0, port_count * sizeof(*heard));
    assert_int_equal(posix_spawnp(&child, "ip", NULL, NULL, (char **)words, environ), 0);
    while (ended == 0 && rte_get_tsc_cycles() < end) {
        for (unsigned i = 0; i < port_count; i++)
            serve(&ports[i], &heard[i]);
        ended = waitpid(child, &status, WNOHANG);
    }
    if (ended == 0)
        waitpid(child, &status, 0); /* ping's own -W ends it */
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void tap_answers_in_its_namespace(void **state)
{
    struct port port;
    struct heard heard;
    const uint8_t own[6] = {0x02, 0x50, 198, 18, 0, 1};

    (void)state;
    need_root();
    configure(0, CONFIG_PORT_TAP, "ptap0", spaces[0]);
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_string_equal(why, "");
    assert_int_equal(if_nametoindex("ptap0"), 0); /* not in our own namespace */
    assert_memory_equal(port.mac, own, 6);
    assert_int_equal(port.queue_count, 1);
    assert_false(port.rss);
    assert_false(port.rx_tcp_checksum || port.rx_ip_checksum);
    assert_false(port.tx_tcp_checksum || port.tx_ip_checksum);
    assert_int_equal(port.numa_node, -1);
    assert_int_equal(run("ip -n %s link show ptap0 up | grep -q ptap0", spaces[0]), 0);
    assert_int_equal(run("ip -n %s address add 198.18.0.2/24 dev ptap0", spaces[0]), 0);
    assert_int_equal(ping(spaces[0], "198.18.0.1", 56, &port, 1, &heard), 0);
    assert_int_equal(heard.arp, 1);
    assert_int_equal(heard.echo, 1);
    assert_memory_equal(heard.last_destination, own, 6);
    port_close(&port);
    assert_int_not_equal(run("ip -n %s link show ptap0 2>/dev/null", spaces[0]), 0);
    assert_pools_whole();
}

static void configured_mac_is_used(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_TAP, "ptap0", spaces[0]);
    const uint8_t own[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
    struct port port;
    struct heard heard;

    (void)state;
    need_root();
    wanted->has_mac = true;
    memcpy(wanted->mac, own, 6);
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_memory_equal(port.mac, own, 6);
    assert_int_equal(run("ip -n %s address add 198.18.0.2/24 dev ptap0", spaces[0]), 0);
    assert_int_equal(ping(spaces[0], "198.18.0.1", 56, &port, 1, &heard), 0);
    assert_memory_equal(heard.last_destination, own, 6);
    port_close(&port);
}

static void ports_live_in_two_namespaces(void **state)
{
    struct port ports[2];
    struct heard heard[2];

    (void)state;
    need_root();
    /* The same interface name and address on both: only the namespaces keep them apart. */
    for (unsigned i = 0; i < 2; i++) {
        configure(i, CONFIG_PORT_TAP, "ptap0", spaces[i]);
        assert_int_equal(open_port(&ports[i], i), STATUS_OK);
        assert_int_equal(run("ip -n %s address add 198.18.0.2/24 dev ptap0", spaces[i]), 0);
    }
    assert_int_equal(ping(spaces[0], "198.18.0.1", 56, ports, 2, heard), 0);
    assert_int_equal(heard[0].echo, 1);
    assert_int_equal(heard[1].echo, 0);
    assert_int_equal(ping(spaces[1], "198.18.0.1", 56, ports, 2, heard), 0);
    assert_int_equal(heard[0].echo, 0);
    assert_int_equal(heard[1].echo, 1);
    port_close(&ports[0]);
    port_close(&ports[1]);
    assert_pools_whole();
}

static void tap_takes_jumbo_frames(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_TAP, "ptap0", spaces[0]);
    struct port port;
    struct heard heard;

    (void)state;
    need_root();
    wanted->mtu = 9000;
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_int_equal(port.mtu, 9000);
    assert_int_equal(port.tx_mtu, 1500);
    assert_int_equal(run("ip -n %s address add 198.18.0.2/24 dev ptap0", spaces[0]), 0);
    /* No reply: it would be longer than what the driver sends. */
    assert_int_not_equal(ping(spaces[0], "198.18.0.1", 8972, &port, 1, &heard), 0);
    assert_int_equal(heard.longest, 9014);
    port_close(&port);
    assert_pools_whole();
}

/* Sends one UDP packet from each of 64 source ports in `space`; counts arrivals by queue. */
static void count_flows(const char *space, const struct port *port, unsigned *counts)
{
    uint64_t end = rte_get_tsc_cycles() + PING_WAIT_S * rte_get_tsc_hz();
    unsigned sum = 0;

    assert_int_equal(
        run("ip netns exec %s bash -c 'for i in {1..64}; do echo > /dev/udp/198.18.0.1/9; done'",
            space),
        0);
    while (sum < 64 && rte_get_tsc_cycles() < end) {
        for (uint16_t queue = 0; queue < port->queue_count; queue++) {
            struct rte_mbuf *burst[32];
            uint16_t count = rte_eth_rx_burst(port->id, queue, burst, 32);

            for (uint16_t i = 0; i < count; i++) {
                const uint8_t *frame = rte_pktmbuf_mtod(burst[i], const uint8_t *);
                bool ours = burst[i]->data_len >= 42 && frame[12] == 8 && frame[13] == 0 &&
                            frame[23] == 17 && frame[36] == 0 && frame[37] == 9;

                counts[queue] += ours;
                sum += ours;
                rte_pktmbuf_free(burst[i]);
            }
        }
    }
    assert_int_equal(sum, 64);
}

static void tap_spreads_when_told_to(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_TAP, "ptap0", spaces[0]);
    struct port port;
    struct heard heard;
    unsigned counts[WORKERS] = {0};

    (void)state;
    need_root();
    wanted->spreading = CONFIG_SPREADING_RSS;
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_true(port.rss);
    assert_int_equal(port.queue_count, WORKERS);
    assert_int_equal(run("ip -n %s address add 198.18.0.2/24 dev ptap0", spaces[0]), 0);
    assert_int_equal(ping(spaces[0], "198.18.0.1", 56, &port, 1, &heard), 0);
    count_flows(spaces[0], &port, counts);
    assert_true(counts[0] > 0 && counts[1] > 0);
    port_close(&port);
    assert_pools_whole();
}

static void make_veth(const char *space, unsigned mtu)
{
    assert_int_equal(run("ip -n %s link add pveth0 type veth peer name pveth1", space), 0);
    assert_int_equal(run("ip -n %s link set pveth0 mtu %u up", space, mtu), 0);
    assert_int_equal(run("ip -n %s link set pveth1 mtu %u", space, mtu), 0);
    assert_int_equal(run("ip -n %s address add 198.18.0.2/24 dev pveth0", space), 0);
}

static void af_packet_answers_with_jumbo_frames(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_AF_PACKET, "pveth1", spaces[0]);
    const uint8_t own[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
    struct port port;
    struct heard heard;

    (void)state;
    need_root();
    make_veth(spaces[0], 9000);
    assert_int_equal(run("ip -n %s link set pveth1 up", spaces[0]), 0);
    wanted->mtu = 9000;
    wanted->verify_rx_checksums = false;
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_true(port.rx_ip_checksum && port.rx_tcp_checksum);
    assert_int_equal(ping(spaces[0], "198.18.0.1", 8972, &port, 1, &heard), 0);
    assert_int_equal(heard.longest, 9014);
    port_close(&port);

    /* A MAC of our own on somebody else's interface is heard, too. */
    wanted->has_mac = true;
    memcpy(wanted->mac, own, 6);
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_int_equal(run("ip -n %s neigh flush dev pveth0", spaces[0]), 0);
    assert_int_equal(ping(spaces[0], "198.18.0.1", 56, &port, 1, &heard), 0);
    assert_memory_equal(heard.last_destination, own, 6);
    assert_int_equal(run("ip -n %s link show pveth1 | grep -q PROMISC", spaces[0]), 0);
    port_close(&port);
    assert_int_not_equal(run("ip -n %s link show pveth1 | grep -q PROMISC", spaces[0]), 0);
    assert_pools_whole();
}

static void af_packet_spreads_when_told_to(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_AF_PACKET, "pveth1", spaces[0]);
    struct port port;
    struct heard heard;
    unsigned counts[WORKERS] = {0};

    (void)state;
    need_root();
    make_veth(spaces[0], 1500);
    assert_int_equal(run("ip -n %s link set pveth1 up", spaces[0]), 0);
    wanted->spreading = CONFIG_SPREADING_RSS;
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_int_equal(port.queue_count, WORKERS);
    assert_int_equal(ping(spaces[0], "198.18.0.1", 56, &port, 1, &heard), 0);
    count_flows(spaces[0], &port, counts);
    assert_true(counts[0] > 0 && counts[1] > 0);
    port_close(&port);
    assert_pools_whole();
}

static void af_packet_needs_are_named(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_AF_PACKET, "pveth1", spaces[0]);
    struct port port;
    char expected[512];

    (void)state;
    need_root();
    make_veth(spaces[0], 1500);
    assert_int_equal(open_port(&port, 0), STATUS_BAD_CONFIG);
    snprintf(expected, sizeof(expected),
             "AF_PACKET port pveth1 is down; run: ip -n %s link set pveth1 up", spaces[0]);
    assert_string_equal(why, expected);

    assert_int_equal(run("ip -n %s link set pveth1 up", spaces[0]), 0);
    wanted->mtu = 9000;
    assert_int_equal(open_port(&port, 0), STATUS_BAD_CONFIG);
    snprintf(expected, sizeof(expected),
             "AF_PACKET port pveth1 has MTU 1500, less than the configured 9000; run: ip -n %s "
             "link set pveth1 mtu 9000",
             spaces[0]);
    assert_string_equal(why, expected);
}

static void name_in_use_is_named(void **state)
{
    struct port port;
    struct port second;
    char expected[512];

    (void)state;
    need_root();
    configure(0, CONFIG_PORT_TAP, "ptap0", spaces[0]);
    configure(1, CONFIG_PORT_TAP, "ptap0", spaces[0]);
    assert_int_equal(open_port(&port, 0), STATUS_OK);
    assert_int_equal(open_port(&second, 1), STATUS_IN_USE);
    snprintf(expected, sizeof(expected),
             "TAP port ptap0: an interface of that name exists already; choose another name or "
             "run: ip -n %s link delete ptap0",
             spaces[0]);
    assert_string_equal(why, expected);
    port_close(&port);
    assert_pools_whole();
}

#define WITH_SPACES(test) cmocka_unit_test_setup_teardown(test, spaces_setup, spaces_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_start_is_refused),
        cmocka_unit_test(pool_rooms_fit_the_mtu),
        cmocka_unit_test(pool_takes_what_was_planned),
        cmocka_unit_test(pool_failures_are_explained),
        cmocka_unit_test(workers_are_launched),
        cmocka_unit_test(losses_are_read_and_end_with_the_port),
        cmocka_unit_test(missing_namespace_is_named),
        cmocka_unit_test(missing_pci_device_is_named),
        cmocka_unit_test(kernel_driver_is_named),
        cmocka_unit_test(missing_interface_is_named),
        cmocka_unit_test(odd_names_never_reach_dpdk),
        cmocka_unit_test(rights_are_asked_for),
        WITH_SPACES(tap_answers_in_its_namespace),
        WITH_SPACES(configured_mac_is_used),
        WITH_SPACES(ports_live_in_two_namespaces),
        WITH_SPACES(tap_takes_jumbo_frames),
        WITH_SPACES(tap_spreads_when_told_to),
        WITH_SPACES(af_packet_answers_with_jumbo_frames),
        WITH_SPACES(af_packet_spreads_when_told_to),
        WITH_SPACES(af_packet_needs_are_named),
        WITH_SPACES(name_in_use_is_named),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

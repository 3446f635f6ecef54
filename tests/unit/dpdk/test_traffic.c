/* Frames through real ports, each in a network namespace made for the case. Needs root; without it
 * every case skips and says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/dpdk/rig.h"

#define PING_WAIT_S 5

static char spaces[2][64];

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
        snprintf(spaces[i], sizeof(spaces[i]), "postern-test-%d-%u", (int)getpid(), i);
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
    assert_string_equal(why.text, "");
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
    assert_string_equal(why.text, expected);

    assert_int_equal(run("ip -n %s link set pveth1 up", spaces[0]), 0);
    wanted->mtu = 9000;
    assert_int_equal(open_port(&port, 0), STATUS_BAD_CONFIG);
    snprintf(expected, sizeof(expected),
             "AF_PACKET port pveth1 has MTU 1500, less than the configured 9000; run: ip -n %s "
             "link set pveth1 mtu 9000",
             spaces[0]);
    assert_string_equal(why.text, expected);
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
    assert_string_equal(why.text, expected);
    port_close(&port);
    assert_pools_whole();
}

#define WITH_SPACES(test) cmocka_unit_test_setup_teardown(test, spaces_setup, spaces_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
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

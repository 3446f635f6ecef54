/* A started DPDK, its packet pools, and the ways a port is refused. Needs no root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glob.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <unistd.h>

#include "platform/dpdk/arguments.h"
#include "tests/unit/dpdk/rig.h"

static void second_start_is_refused(void **state)
{
    struct eal_choice choice;

    (void)state;
    assert_int_equal(eal_start(&config, &map, &choice, &why), STATUS_IN_USE);
    assert_string_equal(why.text, "DPDK was already started in this process");
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
    struct rte_mempool *pool = port_make_pool(5, mbufs, 1500, -1, &why);
    uint64_t bytes = 0;
    struct rte_mempool_memhdr *header;

    (void)state;
    assert_non_null(pool);
    STAILQ_FOREACH(header, &pool->mem_list, next)
    bytes += header->len;
    assert_in_range(bytes, port_pool_bytes(mbufs, 1500), port_pool_bytes(mbufs, 1500) + (1u << 20));
    rte_mempool_free(pool);
}

static void address_is_the_buffers(struct rte_mempool *pool, void *checked, void *object,
                                   unsigned index)
{
    const struct rte_mbuf *mbuf = object;

    (void)pool;
    (void)index;
    if (rte_mbuf_data_iova_default(mbuf) ==
            (rte_iova_t)(uintptr_t)mbuf->buf_addr + RTE_PKTMBUF_HEADROOM &&
        rte_mempool_virt2iova(mbuf) == (rte_iova_t)(uintptr_t)mbuf)
        ++*(unsigned *)checked;
}

/* What a NIC is told to write to. */
static void pool_buffers_have_device_addresses(void **state)
{
    unsigned checked = 0;

    (void)state;
    assert_int_equal(rte_eal_iova_mode(), RTE_IOVA_VA);
    rte_mempool_obj_iter(pools[0], address_is_the_buffers, &checked);
    assert_int_equal(checked, POOL_MBUFS);
}

static void pool_failures_are_explained(void **state)
{
    (void)state;
    assert_null(port_make_pool(0, 100, 1500, -1, &why));
    assert_string_equal(why.text, "worker 0 has a packet pool already");
    assert_null(port_make_pool(7, 1u << 20, 9000, -1, &why));
    assert_non_null(strstr(why.text, "no memory for 1048576 packet buffers of worker 7"));
    assert_non_null(strstr(why.text, "raise memory.packets"));
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

static void missing_namespace_is_named(void **state)
{
    struct port port;

    (void)state;
    configure(0, CONFIG_PORT_TAP, "ptap0", "no-such-space");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_FOUND);
    assert_string_equal(why.text,
                        "network namespace no-such-space does not exist; run: ip netns add "
                        "no-such-space");
}

static void missing_pci_device_is_named(void **state)
{
    struct config_port *wanted = configure(0, CONFIG_PORT_PCI, "", "");
    struct port port;

    (void)state;
    snprintf(wanted->pci_address, sizeof(wanted->pci_address), "ffff:1f:1f.7");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_FOUND);
    assert_string_equal(why.text, "PCI port ffff:1f:1f.7: no such device; list them with: "
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
    assert_string_equal(why.text, expected);
}

static void missing_interface_is_named(void **state)
{
    struct port port;

    (void)state;
    configure(0, CONFIG_PORT_AF_PACKET, "nosuch0", "");
    assert_int_equal(open_port(&port, 0), STATUS_NOT_FOUND);
    assert_string_equal(why.text,
                        "AF_PACKET port nosuch0: no such interface; list them with: ip link");
}

static void odd_names_never_reach_dpdk(void **state)
{
    struct port port;

    (void)state;
    configure(0, CONFIG_PORT_TAP, "a,remote=b", "");
    assert_int_equal(open_port(&port, 0), STATUS_BAD_CONFIG);
    assert_non_null(strstr(why.text, "'a,remote=b' is no usable interface name"));
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
    assert_string_equal(why.text, "TAP port ptap0 cannot be made: run as root (CAP_NET_ADMIN)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_start_is_refused),
        cmocka_unit_test(pool_rooms_fit_the_mtu),
        cmocka_unit_test(pool_takes_what_was_planned),
        cmocka_unit_test(pool_buffers_have_device_addresses),
        cmocka_unit_test(pool_failures_are_explained),
        cmocka_unit_test(workers_are_launched),
        cmocka_unit_test(losses_are_read_and_end_with_the_port),
        cmocka_unit_test(missing_namespace_is_named),
        cmocka_unit_test(missing_pci_device_is_named),
        cmocka_unit_test(kernel_driver_is_named),
        cmocka_unit_test(missing_interface_is_named),
        cmocka_unit_test(odd_names_never_reach_dpdk),
        cmocka_unit_test(rights_are_asked_for),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

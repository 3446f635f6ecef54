/* The words DPDK gets for a configuration, table by table. Needs no DPDK start and no rights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/dpdk/arguments.h"
#include "platform/dpdk/eal.h"
#include "platform/why.h"

#define MIB (1ull << 20)

static struct config_port tap(const char *interface)
{
    struct config_port port = {.kind = CONFIG_PORT_TAP, .mtu = 1500};

    snprintf(port.interface, sizeof(port.interface), "%s", interface);
    return port;
}

static struct config_port pci(const char *address)
{
    struct config_port port = {.kind = CONFIG_PORT_PCI, .mtu = 1500};

    snprintf(port.pci_address, sizeof(port.pci_address), "%s", address);
    return port;
}

/* All words in one line, as a person would type them. */
static void join(const struct eal_arguments *arguments, char *line, size_t size)
{
    size_t used = 0;

    for (int i = 0; i < arguments->count; i++) {
        used += (size_t)snprintf(line + used, size - used, "%s%s", i > 0 ? " " : "",
                                 arguments->words[i]);
        assert_true(used < size);
    }
    assert_null(arguments->words[arguments->count]);
}

static void arguments_follow_configuration(void **state)
{
    static const struct {
        struct core_map map;
        bool hugepages;
        uint64_t packets_bytes;
        const char *pci[2];
        const char *line;
    } cases[] = {
        {{.main = 0, .worker_count = 1, .workers = {1}},
         false,
         128 * MIB,
         {NULL},
         "postern-dataplane --lcores=0@0,1@1 --main-lcore=0 --no-huge --no-shconf -m 128 "
         "--no-telemetry --log-level=warning --no-pci --iova-mode=va"},
        {{.main = 0, .worker_count = 1, .workers = {0}},
         false,
         128 * MIB + 1,
         {NULL},
         "postern-dataplane --lcores=0@0,1@0 --main-lcore=0 --no-huge --no-shconf -m 129 "
         "--no-telemetry --log-level=warning --no-pci --iova-mode=va"},
        {{.main = 3, .worker_count = 3, .workers = {130, 5, 7}},
         true,
         64 * MIB,
         {NULL},
         "postern-dataplane --lcores=0@3,1@130,2@5,3@7 --main-lcore=0 --in-memory -m 64 "
         "--no-telemetry --log-level=warning --no-pci --iova-mode=va"},
        {{.main = 0, .worker_count = 2, .workers = {1, 2}},
         true,
         1024 * MIB,
         {"0000:01:00.0", "0000:01:00.1"},
         "postern-dataplane --lcores=0@0,1@1,2@2 --main-lcore=0 --in-memory -m 1024 "
         "--no-telemetry --log-level=warning --allow=0000:01:00.0 --allow=0000:01:00.1"},
    };
    struct eal_arguments *arguments = malloc(sizeof(*arguments));
    struct config *config = calloc(1, sizeof(*config));
    char line[2048];

    (void)state;
    assert_non_null(arguments);
    assert_non_null(config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(config, 0, sizeof(*config));
        config->memory.packets_bytes = cases[i].packets_bytes;
        config->ports[config->port_count++] = tap("postern0");
        for (unsigned p = 0; p < 2 && cases[i].pci[p] != NULL; p++)
            config->ports[config->port_count++] = pci(cases[i].pci[p]);
        eal_arguments_build(config, &cases[i].map, cases[i].hugepages, arguments);
        join(arguments, line, sizeof(line));
        assert_string_equal(line, cases[i].line);
    }
    free(config);
    free(arguments);
}

static void largest_configuration_fits(void **state)
{
    struct eal_arguments *arguments = malloc(sizeof(*arguments));
    struct config *config = calloc(1, sizeof(*config));
    struct core_map map = {.main = 4294967295u, .worker_count = CONFIG_CPUS_MAX};
    char line[2048];

    (void)state;
    assert_non_null(arguments);
    assert_non_null(config);
    for (unsigned i = 0; i < CONFIG_CPUS_MAX; i++)
        map.workers[i] = 4294967295u;
    for (unsigned i = 0; i < CONFIG_PORTS_MAX; i++)
        config->ports[config->port_count++] = pci("0000:01:00.0-012345678901234567");
    config->memory.packets_bytes = UINT64_MAX - MIB;
    eal_arguments_build(config, &map, false, arguments);
    join(arguments, line, sizeof(line));
    assert_non_null(strstr(line, ",64@4294967295 "));
    free(config);
    free(arguments);
}

static void hugepages_are_rounded_up_each(void **state)
{
    static const struct {
        uint64_t packets, messages, pages;
    } cases[] = {
        {0, 0, 0}, {1, 1, 2}, {2 * MIB, 2 * MIB, 2}, {2 * MIB + 1, 5 * MIB, 5}, {64 * MIB, 0, 32}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_memory memory = {.packets_bytes = cases[i].packets,
                                       .messages_bytes = cases[i].messages};
        assert_int_equal(eal_hugepages_needed(&memory), cases[i].pages);
    }
}

static void frames_hold_every_mtu(void **state)
{
    (void)state;
    assert_int_equal(eal_frame_bytes(1500), 2048);
    assert_int_equal(eal_frame_bytes(9000), 10240);
    for (unsigned mtu = 576; mtu <= 9000; mtu++) {
        unsigned frame = eal_frame_bytes(mtu);

        /* Ethernet header, two VLAN tags, and what the kernel puts before a frame in its ring. */
        assert_true(frame >= mtu + 14 + 8 + 66);
        /* Two frames a block: the kernel wants whole pages. */
        assert_int_equal(2 * frame % 4096, 0);
    }
}

static void virtual_devices_get_their_arguments(void **state)
{
    static const struct {
        enum config_port_kind kind;
        const char *interface;
        unsigned mtu, index, queues;
        enum status status;
        const char *name, *arguments;
    } cases[] = {
        {CONFIG_PORT_TAP, "postern0", 1500, 0, 1, STATUS_OK, "net_tap0", "iface=postern0"},
        {CONFIG_PORT_TAP, "mail.7", 9000, 7, 2, STATUS_OK, "net_tap7", "iface=mail.7"},
        {CONFIG_PORT_AF_PACKET, "eth1", 1500, 1, 1, STATUS_OK, "net_af_packet1",
         "iface=eth1,qpairs=1,framesz=2048,blocksz=4096,framecnt=512"},
        {CONFIG_PORT_AF_PACKET, "eth1", 9000, 2, 4, STATUS_OK, "net_af_packet2",
         "iface=eth1,qpairs=4,framesz=10240,blocksz=20480,framecnt=512"},
        {CONFIG_PORT_TAP, "a,remote=b", 1500, 0, 1, STATUS_BAD_CONFIG, NULL, NULL},
        {CONFIG_PORT_AF_PACKET, "", 1500, 0, 1, STATUS_BAD_CONFIG, NULL, NULL},
        {CONFIG_PORT_AF_PACKET, "../x", 1500, 0, 1, STATUS_BAD_CONFIG, NULL, NULL},
        {CONFIG_PORT_PCI, "eth1", 1500, 0, 1, STATUS_BAD_ARGUMENT, NULL, NULL},
        {CONFIG_PORT_TAP, "postern0", 1500, 0, 0, STATUS_BAD_ARGUMENT, NULL, NULL},
    };
    char name[32];
    char arguments[EAL_DEVARGS_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_port port = tap(cases[i].interface);

        port.kind = cases[i].kind;
        port.mtu = cases[i].mtu;
        assert_int_equal(
            eal_device_arguments(&port, cases[i].index, cases[i].queues, name, arguments),
            cases[i].status);
        if (cases[i].status != STATUS_OK)
            continue;
        assert_string_equal(name, cases[i].name);
        assert_string_equal(arguments, cases[i].arguments);
    }
}

/* Refused before DPDK is touched, so this binary never starts it. */
static void start_refuses_what_cannot_work(void **state)
{
    struct config *config = calloc(1, sizeof(*config));
    struct core_map map = {.worker_count = 1};
    struct eal_choice choice;
    struct why why;

    (void)state;
    assert_non_null(config);
    config->memory = (struct config_memory){.hugepages = CONFIG_HUGEPAGES_REQUIRED,
                                            .messages_bytes = 1ull << 50,
                                            .packets_bytes = 64 * MIB};
    assert_int_equal(eal_start(config, &map, &choice, &why), STATUS_NO_MEMORY);
    assert_non_null(strstr(why.text, "memory.hugepages is required, but "));
    assert_non_null(strstr(why.text, ": 536870944 are needed"));
    const char *command = strstr(why.text, "run: echo ");
    assert_non_null(command);
    /* The setting is a total, so what is in use already comes on top. */
    assert_true(strtoull(command + strlen("run: echo "), NULL, 10) >= 536870944ull);
    assert_string_equal(strchr(command, '>'), "> /proc/sys/vm/nr_hugepages");

    config->memory.hugepages = CONFIG_HUGEPAGES_OFF;
    config->ports[config->port_count++] = pci("ffff:1f:1f.7");
    assert_int_equal(eal_start(config, &map, &choice, &why), STATUS_NOT_FOUND);
    assert_non_null(strstr(why.text, "PCI port ffff:1f:1f.7: no such device"));
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_follow_configuration),
        cmocka_unit_test(largest_configuration_fits),
        cmocka_unit_test(hugepages_are_rounded_up_each),
        cmocka_unit_test(frames_hold_every_mtu),
        cmocka_unit_test(virtual_devices_get_their_arguments),
        cmocka_unit_test(start_refuses_what_cannot_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

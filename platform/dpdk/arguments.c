#include "platform/dpdk/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform/check.h"

/* A frame in an AF_PACKET ring stands behind tpacket2_hdr and sockaddr_ll (66 bytes here), and the
 * kernel puts an Ethernet header and perhaps a VLAN tag before the IP packet. */
#define FRAME_OVERHEAD 128u
#define FRAME_STEP     2048u

static void arguments_add(struct eal_arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void arguments_add(struct eal_arguments *arguments, const char *format, ...)
{
    CHECK(arguments->count < (int)EAL_ARGUMENTS_MAX);
    char *word = arguments->text[arguments->count];
    va_list list;

    va_start(list, format);
    int length = vsnprintf(word, EAL_ARGUMENT_BYTES, format, list);
    va_end(list);
    CHECK(length >= 0 && length < (int)EAL_ARGUMENT_BYTES);
    arguments->words[arguments->count++] = word;
    arguments->words[arguments->count] = NULL;
}

static void arguments_add_lcores(struct eal_arguments *arguments, const struct core_map *map)
{
    char text[EAL_ARGUMENT_BYTES];
    size_t used = (size_t)snprintf(text, sizeof(text), "--lcores=0@%u", map->main);

    CHECK(map->worker_count <= CONFIG_CPUS_MAX);
    for (unsigned i = 0; i < map->worker_count; i++) {
        int length = snprintf(text + used, sizeof(text) - used, ",%u@%u", i + 1, map->workers[i]);
        CHECK(length > 0 && (size_t)length < sizeof(text) - used);
        used += (size_t)length;
    }
    arguments_add(arguments, "%s", text);
    arguments_add(arguments, "--main-lcore=0");
}

static void arguments_add_devices(struct eal_arguments *arguments, const struct config *config)
{
    bool pci = false;

    for (unsigned i = 0; i < config->port_count; i++) {
        if (config->ports[i].kind != CONFIG_PORT_PCI)
            continue;
        arguments_add(arguments, "--allow=%s", config->ports[i].pci_address);
        pci = true;
    }
    if (pci)
        return;
    arguments_add(arguments, "--no-pci");
    /* Virtual devices do no DMA; asking for physical addresses would only need more rights. */
    arguments_add(arguments, "--iova-mode=va");
}

void eal_arguments_build(const struct config *config, const struct core_map *map, bool hugepages,
                         struct eal_arguments *arguments)
{
    const uint64_t mib = 1ull << 20;

    *arguments = (struct eal_arguments){0};
    arguments_add(arguments, "postern-dataplane");
    arguments_add_lcores(arguments, map);
    /* --in-memory leaves no file behind, but DPDK refuses it together with --no-huge; there,
     * --no-shconf is what remains of it. */
    if (hugepages) {
        arguments_add(arguments, "--in-memory");
    } else {
        arguments_add(arguments, "--no-huge");
        arguments_add(arguments, "--no-shconf");
    }
    arguments_add(arguments, "-m");
    arguments_add(arguments, "%llu",
                  (unsigned long long)((config->memory.packets_bytes + mib - 1) / mib));
    arguments_add(arguments, "--no-telemetry");
    arguments_add(arguments, "--log-level=warning");
    arguments_add_devices(arguments, config);
}

uint64_t eal_hugepages_needed(const struct config_memory *memory)
{
    const uint64_t page = EAL_HUGEPAGE_BYTES;

    return (memory->packets_bytes + page - 1) / page + (memory->messages_bytes + page - 1) / page;
}

unsigned eal_frame_bytes(unsigned mtu)
{
    return (mtu + FRAME_OVERHEAD + FRAME_STEP - 1) / FRAME_STEP * FRAME_STEP;
}

/* DPDK splits device arguments at these and has no quoting. */
static bool arguments_carries(const char *interface)
{
    return interface[0] != '\0' && strpbrk(interface, ",=[]() \t/") == NULL;
}

enum status eal_device_arguments(const struct config_port *port, unsigned index, unsigned queues,
                                 char name[static 32], char arguments[static EAL_DEVARGS_BYTES])
{
    int length = -1;

    if (port->kind == CONFIG_PORT_PCI || queues == 0)
        return STATUS_BAD_ARGUMENT;
    if (!arguments_carries(port->interface))
        return STATUS_BAD_CONFIG;
    if (port->kind == CONFIG_PORT_TAP) {
        snprintf(name, 32, "net_tap%u", index);
        length = snprintf(arguments, EAL_DEVARGS_BYTES, "iface=%s", port->interface);
    } else {
        unsigned frame = eal_frame_bytes(port->mtu);

        snprintf(name, 32, "net_af_packet%u", index);
        /* Two frames a block: blocks must be whole pages and hold whole frames. */
        length = snprintf(arguments, EAL_DEVARGS_BYTES,
                          "iface=%s,qpairs=%u,framesz=%u,blocksz=%u,framecnt=512", port->interface,
                          queues, frame, 2 * frame);
    }
    CHECK(length > 0 && length < (int)EAL_DEVARGS_BYTES);
    return STATUS_OK;
}

#include "platform/dpdk/eal.h"

#include <dirent.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/dpdk/arguments.h"
#include "platform/dpdk/chatter.h"
#include "platform/dpdk/device.h"
#include "platform/why.h"

static enum { EAL_NEVER, EAL_RUNNING, EAL_OVER } eal_state;

static uint64_t eal_read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    char text[32];
    uint64_t value = 0;

    if (file == NULL)
        return 0;
    if (fgets(text, sizeof(text), file) != NULL)
        value = strtoull(text, NULL, 10);
    fclose(file);
    return value;
}

/* Free 2 MiB hugepages on all nodes, in bytes. */
static uint64_t eal_hugepages_free(void)
{
    DIR *nodes = opendir("/sys/devices/system/node");
    uint64_t pages = 0;
    char path[512];

    if (nodes == NULL) /* a kernel without NUMA has the total only */
        return EAL_HUGEPAGE_BYTES *
               eal_read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    for (const struct dirent *entry = readdir(nodes); entry != NULL; entry = readdir(nodes)) {
        if (strncmp(entry->d_name, "node", 4) != 0)
            continue;
        snprintf(path, sizeof(path),
                 "/sys/devices/system/node/%s/hugepages/hugepages-2048kB/free_hugepages",
                 entry->d_name);
        pages += eal_read_number(path);
    }
    closedir(nodes);
    return pages * EAL_HUGEPAGE_BYTES;
}

/* Whether to use hugepages; STATUS_NO_MEMORY when they are required and too few are free. */
static enum status eal_choose_hugepages(const struct config_memory *memory, bool *use,
                                        struct why *why)
{
    uint64_t needed = eal_hugepages_needed(memory);
    uint64_t free_pages = eal_hugepages_free() / EAL_HUGEPAGE_BYTES;

    *use = memory->hugepages != CONFIG_HUGEPAGES_OFF && free_pages >= needed;
    if (*use || memory->hugepages != CONFIG_HUGEPAGES_REQUIRED)
        return STATUS_OK;
    uint64_t total = eal_read_number("/proc/sys/vm/nr_hugepages");
    why_set(why,
            "memory.hugepages is required, but %llu free 2 MiB pages are too few: %llu are needed "
            "(memory.packets + memory.messages); run: echo %llu > /proc/sys/vm/nr_hugepages",
            (unsigned long long)free_pages, (unsigned long long)needed,
            (unsigned long long)(total + needed - free_pages));
    return STATUS_NO_MEMORY;
}

static enum status eal_explain_init(int error, const struct config *config, bool hugepages,
                                    const char *last, struct why *why)
{
    unsigned long long mib = config->memory.packets_bytes >> 20;

    if (error == EALREADY) {
        why_set(why, "DPDK was already started in this process");
        return STATUS_IN_USE;
    }
    if (error == EACCES || error == EPERM) {
        why_set(why,
                "DPDK may not start: run as root, or with CAP_NET_ADMIN, "
                "CAP_SYS_ADMIN and CAP_IPC_LOCK (%s)",
                last);
        return STATUS_NOT_PERMITTED;
    }
    if (error == ENOMEM) {
        why_set(
            why,
            "not enough memory for packets: %llu MiB%s cannot be had; lower memory.packets or %s "
            "(%s)",
            mib, hugepages ? " of hugepages" : "",
            hugepages ? "set memory.hugepages: off" : "free some memory", last);
        return STATUS_NO_MEMORY;
    }
    why_set(why, "DPDK did not start: %s (%s)", rte_strerror(error),
            last[0] != '\0' ? last : "it gave no reason");
    return STATUS_SYSTEM;
}

/* Everything that can be seen before DPDK touches a device. */
static enum status eal_check_devices(const struct config *config, bool hugepages, struct why *why)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; status == STATUS_OK && i < config->port_count; i++) {
        const char *address = config->ports[i].pci_address;

        if (config->ports[i].kind != CONFIG_PORT_PCI)
            continue;
        status = device_check_pci(address, why);
        if (status != STATUS_OK || hugepages || !device_pci_is_uio(address))
            continue;
        why_set(why,
                "PCI port %s is bound to a uio driver, which needs hugepages; run: "
                "echo %llu > /proc/sys/vm/nr_hugepages, or use vfio-pci",
                address, (unsigned long long)eal_hugepages_needed(&config->memory));
        status = STATUS_NO_MEMORY;
    }
    return status;
}

/* DPDK starts without a device it cannot use, and says why in its log only. */
static enum status eal_check_probed(const struct config *config, const char *last, struct why *why)
{
    uint16_t id;

    for (unsigned i = 0; i < config->port_count; i++) {
        const char *address = config->ports[i].pci_address;

        if (config->ports[i].kind != CONFIG_PORT_PCI ||
            rte_eth_dev_get_port_by_name(address, &id) == 0)
            continue;
        why_set(why,
                "PCI port %s was not taken by any DPDK driver: is it a network device that DPDK "
                "22.11 knows? (%s)",
                address, last[0] != '\0' ? last : "DPDK gave no reason");
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

enum status eal_start(const struct config *config, const struct core_map *map,
                      struct eal_choice *choice, struct why *why)
{
    if (eal_state != EAL_NEVER) {
        why_set(why, "DPDK was already started in this process%s",
                eal_state == EAL_OVER ? " and cannot be started again; start a new one" : "");
        return STATUS_IN_USE;
    }
    enum status status = eal_choose_hugepages(&config->memory, &choice->hugepages, why);

    if (status == STATUS_OK)
        status = eal_check_devices(config, choice->hugepages, why);
    if (status != STATUS_OK)
        return status;

    struct eal_arguments *arguments = malloc(sizeof(*arguments));
    if (arguments == NULL) {
        why_set(why, "out of memory");
        return STATUS_NO_MEMORY;
    }
    eal_arguments_build(config, map, choice->hugepages, arguments);

    struct chatter chatter;
    char last[256];
    chatter_begin(&chatter);
    int result = rte_eal_init(arguments->count, arguments->words);
    int error = rte_errno;
    chatter_end(&chatter, last, sizeof(last));
    free(arguments);
    if (result < 0)
        return eal_explain_init(error, config, choice->hugepages, last, why);
    eal_state = EAL_RUNNING;
    return eal_check_probed(config, last, why);
}

void eal_stop(void)
{
    if (eal_state != EAL_RUNNING)
        return;
    (void)rte_eal_cleanup();
    eal_state = EAL_OVER;
}

enum status eal_launch(const struct core_map *map, unsigned worker, int (*function)(void *),
                       void *argument)
{
    if (worker >= map->worker_count || !rte_lcore_is_enabled(worker + 1))
        return STATUS_BAD_ARGUMENT;
    return rte_eal_remote_launch(function, argument, worker + 1) == 0 ? STATUS_OK : STATUS_IN_USE;
}

int eal_worker_node(unsigned worker)
{
    unsigned node = rte_lcore_to_socket_id(worker + 1);

    return node == (unsigned)SOCKET_ID_ANY ? -1 : (int)node;
}

void eal_join(void)
{
    rte_eal_mp_wait_lcore();
}

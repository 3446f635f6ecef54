/* From a configuration to running workers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_ring.h>

#include "dataplane/main/main_thread.h"
#include "platform/dpdk/eal.h"
#include "platform/machine.h"
#include "platform/role.h"
#include "platform/sandbox.h"
#include "platform/sums.h"

#define START_MBUFS_MAX 8191u
#define START_MBUFS_MIN 1023u

static uint32_t start_scanner_slots(const struct main_thread *thread)
{
    uint32_t slots = PEERS_GENERATIONS * thread->cores.scanner_processes;

    return slots < PEERS_SCANNERS_MAX ? slots : PEERS_SCANNERS_MAX;
}

static enum status start_region(struct main_thread *thread)
{
    const struct config *config = thread->start_config;
    struct region_plan plan = {
        .worker_count = thread->cores.worker_count,
        .message_count = config->limits.messages_in_progress,
        .block_count = (uint32_t)(config->memory.messages_bytes / MESSAGE_BLOCK_BYTES),
        .peer_count = start_scanner_slots(thread) + 1, /* and control */
    };
    enum region_pages pages = thread->eal.hugepages ? REGION_PAGES_HUGE : REGION_PAGES_NORMAL;
    enum status status;

    if (plan.message_count < plan.worker_count)
        plan.message_count = plan.worker_count;
    status = region_create(&thread->region, &plan, pages);
    if (status != STATUS_OK && pages == REGION_PAGES_HUGE &&
        config->memory.hugepages != CONFIG_HUGEPAGES_REQUIRED) {
        notice("no hugepages left for messages: using normal pages");
        status = region_create(&thread->region, &plan, REGION_PAGES_NORMAL);
    }
    if (status != STATUS_OK)
        why_set(&thread->why,
                "cannot have %llu MiB of memory for messages: %s; lower memory.messages",
                (unsigned long long)(region_bytes(&plan) >> 20), status_text(status));
    return status;
}

static unsigned start_largest_mtu(const struct config *config)
{
    unsigned mtu = 0;

    for (unsigned i = 0; i < config->port_count; i++)
        mtu = config->ports[i].mtu > mtu ? config->ports[i].mtu : mtu;
    return mtu;
}

/* Only cards keep buffers posted; virtual devices take one when a packet comes. */
static unsigned start_cards(const struct config *config)
{
    unsigned cards = 0;

    for (unsigned i = 0; i < config->port_count; i++)
        cards += config->ports[i].kind == CONFIG_PORT_PCI;
    return cards;
}

static enum status start_pools(struct main_thread *thread)
{
    const struct config *config = thread->start_config;
    unsigned workers = thread->cores.worker_count;
    unsigned mtu = start_largest_mtu(config);
    unsigned mbufs = START_MBUFS_MAX;

    /* A quarter is left for queues, rings and DPDK's own. */
    while (mbufs > START_MBUFS_MIN &&
           port_pool_bytes(mbufs, mtu) * workers > config->memory.packets_bytes / 4 * 3)
        mbufs /= 2;
    if (sums_of_packets(mbufs, workers, start_cards(config), PORT_DESCRIPTORS, &thread->why) !=
        STATUS_OK)
        return STATUS_BAD_CONFIG;
    for (unsigned i = 0; i < workers; i++) {
        int node = eal_worker_node(i);

        thread->pools[i] = port_make_pool(i, mbufs, mtu, node, &thread->why);
        if (thread->pools[i] == NULL)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status start_ports(struct main_thread *thread)
{
    for (unsigned i = 0; i < thread->start_config->port_count; i++) {
        enum status status = port_open(&thread->ports[i], thread->start_config, i,
                                       thread->cores.worker_count, thread->pools, &thread->why);

        if (status != STATUS_OK)
            return status;
        thread->ports_open++;
    }
    return STATUS_OK;
}

static struct rte_ring *start_pass_ring(const char *kind, unsigned worker)
{
    char name[RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "%s%u", kind, worker);
    return rte_ring_create(name, WORKER_PASS_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static enum status start_workers(struct main_thread *thread)
{
    struct worker_setup setup = {
        .config = thread->start_config,
        .region = &thread->region,
        .worker_count = thread->cores.worker_count,
        .ports = thread->ports,
        .pools = thread->pools,
        .inboxes = thread->inboxes,
        .outboxes = thread->outboxes,
        .peers = &thread->peers,
        .log_rings = thread->log_memory,
        .orders = &thread->orders,
    };
    size_t log_bytes = log_rings_bytes();

    why_set(&thread->why, "not enough memory for the workers");
    if (getrandom(&setup.secret, sizeof(setup.secret), 0) != (ssize_t)sizeof(setup.secret))
        return STATUS_SYSTEM;
    thread->workers =
        aligned_alloc(_Alignof(struct worker), setup.worker_count * sizeof(*thread->workers));
    if (thread->workers != NULL)
        memset(thread->workers, 0, setup.worker_count * sizeof(*thread->workers));
    if (thread->workers == NULL ||
        prefilter_watch_init(&thread->prefilter, thread->start_config, &thread->orders,
                             &thread->peers, thread->workers, setup.worker_count) != STATUS_OK)
        return STATUS_NO_MEMORY;
    memcpy(thread->prefilter.library, thread->library, sizeof(thread->library));
    for (unsigned i = 0; i < setup.worker_count; i++) {
        thread->inboxes[i] = start_pass_ring("inbox", i);
        thread->outboxes[i] = start_pass_ring("outbox", i);
        thread->log_memory[i] = aligned_alloc(RING_ALIGNMENT, log_bytes);
        if (thread->inboxes[i] == NULL || thread->outboxes[i] == NULL ||
            thread->log_memory[i] == NULL)
            return STATUS_NO_MEMORY;
        memset(thread->log_memory[i], 0, log_bytes);
        log_rings_attach(&thread->logs[i], thread->log_memory[i]);
    }
    for (unsigned i = 0; i < setup.worker_count; i++) {
        enum status status = worker_init(&thread->workers[i], &setup, i);

        if (status != STATUS_OK)
            return status;
        thread->workers_made++;
    }
    return STATUS_OK;
}

static enum status start_links(struct main_thread *thread)
{
    const struct config *config = thread->start_config;
    char path[sizeof(config->runtime_directory) + 32];
    uint32_t uid = UINT32_MAX;
    uint32_t gid = UINT32_MAX;
    enum status status;

    if (geteuid() == 0 && sandbox_user(config->control_user, &uid, &gid) != STATUS_OK) {
        why_set(&thread->why,
                "user %s (control.user) does not exist; make it with: adduser --system --group %s",
                config->control_user, config->control_user);
        return STATUS_NOT_FOUND;
    }
    snprintf(path, sizeof(path), "%s/dataplane.sock", config->runtime_directory);
    status = peers_init(&thread->peers, thread->cores.worker_count, start_scanner_slots(thread));
    if (status != STATUS_OK)
        return status;
    status = peers_server_create(&thread->server, &thread->peers, &thread->region, path, uid, gid);
    if (status == STATUS_IN_USE)
        why_set(&thread->why,
                "%s is in use: another postern-dataplane runs with this runtime_directory", path);
    else if (status != STATUS_OK)
        why_set(&thread->why, "cannot listen at %s: %s", path,
                errno != 0 ? strerror(errno) : status_text(status));
    return status;
}

/* Better refused now than ended by the kernel under load. */
static enum status start_sums(struct main_thread *thread)
{
    const struct config *config = thread->start_config;
    struct machine_memory machine;
    struct sums_machine sums;
    enum status status = sums_of_memory(config, thread->cores.worker_count, &thread->why);

    if (status != STATUS_OK)
        return status;
    if (machine_memory_read(&machine, "") != STATUS_OK)
        notice("memory: this machine does not say how much it has");
    sums = sums_of_machine(config, thread->cores.scanner_processes, &machine);
    status = sums_fit(&sums, &thread->why);
    if (status == STATUS_OK && !why_empty(&thread->why))
        notice("%s", thread->why.text);
    return status;
}

enum status main_start(struct main_thread *thread)
{
    const struct config *config = thread->start_config;
    enum status status = cores_plan_here(config, &thread->cores, &thread->why);

    if (status != STATUS_OK)
        return status;
    if (role_bind(ROLE_DATAPLANE, &thread->cores, 0) != STATUS_OK)
        notice("not bound to cores.main and cores.workers");
    status = start_sums(thread);
    if (status != STATUS_OK)
        return status;
    status = eal_start(config, &thread->cores, &thread->eal, &thread->why);
    if (status != STATUS_OK)
        return status;
    status = start_region(thread);
    if (status == STATUS_OK)
        status = start_links(thread);
    if (status == STATUS_OK)
        status = start_pools(thread);
    if (status == STATUS_OK)
        status = start_ports(thread);
    if (status == STATUS_OK)
        status = start_workers(thread);
    for (unsigned i = 0; status == STATUS_OK && i < thread->cores.worker_count; i++)
        status = eal_launch(&thread->cores, i, worker_run, &thread->workers[i]);
    return status;
}

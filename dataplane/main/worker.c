/* Making a worker from the configuration. */
#include "dataplane/worker/worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/counting.h"
#include "platform/clock.h"

#define WORKER_CONNECTIONS_MIN 16u
_Static_assert(TCP_LISTENERS_MAX >= 3 * CONFIG_PORTS_MAX, "every address of every port");
#define WORKER_HALF_OPEN_MIN 1024u /* 88 bytes each */

static struct tcp_limits worker_tcp_limits(const struct config *config, unsigned worker_count)
{
    uint32_t connections = config->limits.connections / worker_count;
    uint32_t half_open;

    if (connections < WORKER_CONNECTIONS_MIN)
        connections = WORKER_CONNECTIONS_MIN;
    half_open = connections / 4 > WORKER_HALF_OPEN_MIN ? connections / 4 : WORKER_HALF_OPEN_MIN;
    return (struct tcp_limits){
        .connections = connections,
        .half_open = half_open,
        .clients = {.connections = {config->limits.connections_a_client,
                                    config->limits.connections_a_prefix},
                    .rate = config->limits.connection_rate},
        .window_bytes = (uint32_t)config->limits.window_bytes,
    };
}

static void worker_init_ip(struct worker *worker, const struct worker_setup *setup)
{
    worker->ip = (struct ip_host){
        .upper = tcp_upper(&worker->endpoint),
        .output = &worker->output,
        .counters = worker->counters,
    };
    for (unsigned i = 0; i < setup->config->port_count; i++) {
        const struct port *port = &setup->ports[i];
        struct ip_interface *interface = &worker->ip.interfaces[i];

        memcpy(interface->address, &port->config->address, sizeof(interface->address));
        memcpy(interface->mac, port->mac, sizeof(interface->mac));
        interface->mtu = port->mtu < port->tx_mtu ? port->mtu : port->tx_mtu;
        interface->shared = port->has_exception;
        interface->has_address6 = port->config->has_address6;
        memcpy(interface->address6, &port->config->address6, sizeof(interface->address6));
        ip_interface_link_local(interface);
    }
}

/* The table that TCP accepts by: each port's addresses, for mail. Two ports may share an address.
 */
static enum status worker_listen(struct worker *worker, const struct worker_setup *setup,
                                 struct tcp_listeners *listeners)
{
    enum status status = STATUS_OK;

    smtp_server_application(&worker->smtp, &worker->mail.application);
    stream_listener_init(&worker->mail);
    for (unsigned i = 0; i < setup->config->port_count && status == STATUS_OK; i++)
        status =
            tcp_listeners_add_interface(listeners, &worker->ip.interfaces[i],
                                        setup->ports[i].config->smtp_port, &worker->mail.below);
    return status;
}

static enum status worker_init_store(struct worker *worker, const struct worker_setup *setup)
{
    const struct region_header *region = &setup->region->header;
    uint32_t blocks = region->block_count / setup->worker_count;
    uint32_t slots = region->message_count / setup->worker_count;

    count_set(worker->counters, COUNTER_BLOCKS_TOTAL, blocks);
    count_set(worker->counters, COUNTER_BLOCKS_FREE, blocks);
    return store_init(&worker->store, setup->region, worker->index, worker->index * blocks, blocks,
                      worker->index * slots, slots);
}

enum status worker_init(struct worker *worker, const struct worker_setup *setup, unsigned index)
{
    struct tcp_limits limits = worker_tcp_limits(setup->config, setup->worker_count);
    struct tcp_listeners listeners = {.count = 0};
    uint32_t random;
    enum status status;

    memset(worker, 0, sizeof(*worker));
    worker->index = index;
    worker->count = setup->worker_count;
    worker->counters = &worker->counting.row;
    worker->counting.published = region_counters(setup->region, index);
    worker->inboxes = setup->inboxes;
    worker->outboxes = setup->outboxes;
    worker->spread_key = setup->secret;
    worker->poll = setup->config->cores.idle == CONFIG_IDLE_POLL;
    worker->orders = setup->orders;
    worker->settings = atomic_load(&setup->orders->settings);
    worker->settings_least = worker->settings->generation;
    atomic_store(&worker->settings_oldest, worker->settings->generation);
    log_rings_attach(&worker->log, setup->log_rings[index]);
    status = worker_init_store(worker, setup);
    if (status != STATUS_OK)
        return status;
    transmit_init(worker, setup);
    worker_init_ip(worker, setup);
    worker->smtp = (struct smtp_server){
        .store = &worker->store,
        .endpoint = &worker->endpoint,
        .counters = worker->counters,
        .customers = worker->settings->customers,
        .worker = index,
    };
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return STATUS_SYSTEM;
    smtp_server_identify(&worker->smtp, random);
    status = worker_listen(worker, setup, &listeners);
    if (status != STATUS_OK)
        return status;
    status = handover_init(&worker->handover, &worker->store, &worker->smtp, &worker->endpoint,
                           worker->counters, setup->peers, &worker->log, index, setup->config);
    if (status != STATUS_OK)
        return status;
    counting_publish(&worker->counting, 0);
    return tcp_endpoint_create(&worker->endpoint, &worker->store, worker->counters, &worker->output,
                               &listeners, &limits, &setup->secret, clock_monotonic_ns());
}

void worker_fini(struct worker *worker)
{
    if (worker->endpoint.connections != NULL)
        tcp_endpoint_destroy(&worker->endpoint, clock_monotonic_ns());
    handover_fini(&worker->handover);
    store_fini(&worker->store);
}

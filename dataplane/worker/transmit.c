/* Packets on their way out. They are collected for a burst and given to the port together. */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/counting.h"
#include "dataplane/net/frame.h"
#include "dataplane/worker/worker.h"

/* Where packets collected under `index` go: a DPDK port and the queue this worker may send on, or
 * -1 when worker 0 sends for it. */
static uint16_t transmit_target(const struct worker *worker, uint32_t index, int *queue)
{
    const struct port *port = &worker->transmit.ports[index % WORKER_TO_KERNEL];
    bool to_kernel = index >= WORKER_TO_KERNEL;
    unsigned queues = to_kernel ? 1 : port->queue_count;

    *queue = worker->index < queues ? (int)worker->index : -1;
    return to_kernel ? port->exception_id : port->id;
}

static void transmit_drop(struct worker *worker, struct rte_mbuf **packets, unsigned count_of)
{
    if (count_of == 0)
        return;
    count_add(worker->counters, COUNTER_TX_FULL, count_of);
    rte_pktmbuf_free_bulk(packets, count_of);
}

static unsigned transmit_port(struct worker *worker, uint32_t index)
{
    struct worker_transmit *transmit = &worker->transmit;
    struct rte_mbuf **packets = transmit->pending[index];
    uint32_t total = transmit->pending_count[index];
    uint16_t id;
    int queue;
    uint32_t sent;

    if (total == 0)
        return 0;
    id = transmit_target(worker, index, &queue);
    if (queue >= 0)
        sent = rte_eth_tx_burst(id, (uint16_t)queue, packets, (uint16_t)total);
    else
        sent = rte_ring_sp_enqueue_burst(worker->outboxes[worker->index], (void **)packets, total,
                                         NULL);
    count_add(worker->counters, index < WORKER_TO_KERNEL ? COUNTER_TX_PACKETS : COUNTER_TO_KERNEL,
              sent);
    transmit_drop(worker, packets + sent, total - sent);
    transmit->pending_count[index] = 0;
    return total;
}

unsigned transmit_flush(struct worker *worker)
{
    unsigned total = 0;

    for (uint32_t i = 0; i < worker->transmit.port_count; i++) {
        total += transmit_port(worker, i);
        total += transmit_port(worker, WORKER_TO_KERNEL + i);
    }
    return total;
}

static void transmit_collect(struct worker *worker, uint32_t index, struct rte_mbuf *packet)
{
    struct worker_transmit *transmit = &worker->transmit;

    transmit->pending[index][transmit->pending_count[index]++] = packet;
    if (transmit->pending_count[index] == WORKER_TX_PENDING)
        (void)transmit_port(worker, index);
}

void transmit_to_kernel(struct worker *worker, uint32_t index, struct rte_mbuf *packet)
{
    /* What the port told about its checksums must not be taken for a request to the TAP. */
    packet->ol_flags = 0;
    packet->port = worker->transmit.ports[index].exception_id;
    transmit_collect(worker, WORKER_TO_KERNEL + index, packet);
}

unsigned transmit_from_kernel(struct worker *worker)
{
    unsigned total = 0;

    for (uint32_t i = 0; i < worker->transmit.port_count; i++) {
        const struct port *port = &worker->transmit.ports[i];
        struct rte_mbuf *packets[WORKER_BURST];
        uint16_t taken;
        uint16_t sent;

        if (!port->has_exception)
            continue;
        taken = rte_eth_rx_burst(port->exception_id, 0, packets, WORKER_BURST);
        sent = rte_eth_tx_burst(port->id, 0, packets, taken);
        count_add(worker->counters, COUNTER_FROM_KERNEL, sent);
        transmit_drop(worker, packets + sent, taken - sent);
        total += taken;
    }
    return total;
}

unsigned transmit_for_others(struct worker *worker)
{
    unsigned total = 0;

    for (unsigned other = 1; other < worker->count; other++) {
        struct rte_mbuf *packets[WORKER_BURST];
        unsigned taken = rte_ring_sc_dequeue_burst(worker->outboxes[other], (void **)packets,
                                                   WORKER_BURST, NULL);

        for (unsigned i = 0; i < taken; i++) {
            /* Counted as sent by the worker that made it; only a loss is ours to count. */
            // Filled by the ring, unseen by the analyzer. NOLINTNEXTLINE(clang-analyzer-core.*)
            if (rte_eth_tx_burst(packets[i]->port, 0, &packets[i], 1) == 0)
                transmit_drop(worker, &packets[i], 1);
        }
        total += taken;
    }
    return total;
}

static uint8_t *output_begin(void *context, uint16_t port, uint32_t length)
{
    struct worker *worker = context;
    struct worker_transmit *transmit = &worker->transmit;
    struct rte_mbuf *packet = rte_pktmbuf_alloc(transmit->pool);
    char *bytes;

    if (packet == NULL) {
        count(worker->counters, COUNTER_NO_MBUF);
        return NULL;
    }
    bytes = rte_pktmbuf_append(packet, (uint16_t)length);
    if (bytes == NULL) {
        rte_pktmbuf_free(packet);
        count(worker->counters, COUNTER_NO_MBUF);
        return NULL;
    }
    packet->port = port; /* ours until output_end() */
    transmit->begun = packet;
    return (uint8_t *)bytes;
}

static void output_end(void *context, uint32_t l2_bytes, uint32_t l3_bytes)
{
    struct worker *worker = context;
    struct worker_transmit *transmit = &worker->transmit;
    struct rte_mbuf *packet = transmit->begun;
    uint32_t index = packet->port;

    transmit->begun = NULL;
    if (worker->output.fills_checksums && l3_bytes > 0) {
        packet->l2_len = l2_bytes;
        packet->l3_len = l3_bytes;
        packet->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
        packet->ol_flags |= l3_bytes == FRAME_IPV6_BYTES
                                ? RTE_MBUF_F_TX_IPV6
                                : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
    }
    packet->port = transmit->ports[index].id;
    count_add(worker->counters, COUNTER_TX_BYTES, rte_pktmbuf_pkt_len(packet));
    transmit_collect(worker, index, packet);
}

void transmit_init(struct worker *worker, const struct worker_setup *setup)
{
    worker->transmit = (struct worker_transmit){
        .pool = setup->pools[worker->index],
        .ports = setup->ports,
        .port_count = setup->config->port_count,
    };
    worker->output = (struct packet_output){
        .context = worker,
        .begin = output_begin,
        .end = output_end,
        .fills_checksums = true,
    };
    for (uint32_t i = 0; i < setup->config->port_count; i++) {
        if (!setup->ports[i].tx_ip_checksum || !setup->ports[i].tx_tcp_checksum)
            worker->output.fills_checksums = false;
    }
}

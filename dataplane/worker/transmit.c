/* Packets on their way out. They are collected for a burst and given to the port together. */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/counting.h"
#include "dataplane/net/frame.h"
#include "dataplane/worker/worker.h"

/* The queue this worker may send on, or -1: worker 0 sends for it. */
static int transmit_queue(const struct worker *worker, const struct port *port)
{
    if (worker->index < port->queue_count)
        return (int)worker->index;
    return -1;
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
    const struct port *port = &transmit->ports[index];
    struct rte_mbuf **packets = transmit->pending[index];
    uint32_t total = transmit->pending_count[index];
    int queue = transmit_queue(worker, port);
    uint32_t sent;

    if (total == 0)
        return 0;
    if (queue >= 0)
        sent = rte_eth_tx_burst(port->id, (uint16_t)queue, packets, (uint16_t)total);
    else
        sent = rte_ring_sp_enqueue_burst(worker->outboxes[worker->index], (void **)packets, total,
                                         NULL);
    count_add(worker->counters, COUNTER_TX_PACKETS, sent);
    transmit_drop(worker, packets + sent, total - sent);
    transmit->pending_count[index] = 0;
    return total;
}

unsigned transmit_flush(struct worker *worker)
{
    unsigned total = 0;

    for (uint32_t i = 0; i < worker->transmit.port_count; i++)
        total += transmit_port(worker, i);
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
    transmit->pending[index][transmit->pending_count[index]++] = packet;
    if (transmit->pending_count[index] == WORKER_TX_PENDING)
        (void)transmit_port(worker, index);
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

/* Packets on their way in: from the queues, spread over the workers where the port cannot. */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>

#include "dataplane/counting.h"
#include "dataplane/net/flow.h"
#include "dataplane/worker/worker.h"

/* Our number of the port a packet came by. */
static uint32_t receive_port_index(const struct worker *worker, uint16_t id)
{
    uint32_t index = 0;

    while (index + 1 < worker->transmit.port_count && worker->transmit.ports[index].id != id)
        index++;
    return index;
}

static bool receive_ip_checksum_good(const struct port *port, uint64_t flags)
{
    return port->rx_ip_checksum &&
           (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
}

/* NONE says that the packet never crossed a wire and nobody has filled in its checksum: so come
 * packets from the same host to a virtual machine's virtio port. UNKNOWN is another value. */
static bool receive_tcp_checksum_good(const struct port *port, uint64_t flags)
{
    uint64_t told = flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

    return port->rx_tcp_checksum &&
           (told == RTE_MBUF_F_RX_L4_CKSUM_GOOD || told == RTE_MBUF_F_RX_L4_CKSUM_NONE);
}

static void receive_packet(struct worker *worker, struct rte_mbuf *packet, int64_t now_ns)
{
    uint32_t index = receive_port_index(worker, packet->port);
    const struct port *port = &worker->transmit.ports[index];
    bool trusted = !port->config->verify_rx_checksums;
    struct packet_view view;
    enum counter outcome;

    count(worker->counters, COUNTER_RX_PACKETS);
    count_add(worker->counters, COUNTER_RX_BYTES, rte_pktmbuf_pkt_len(packet));
    if (rte_pktmbuf_linearize(packet) != 0) {
        count(worker->counters, COUNTER_FRAME_SCATTERED);
        rte_pktmbuf_free(packet);
        return;
    }
    view = (struct packet_view){
        .bytes = rte_pktmbuf_mtod(packet, const uint8_t *),
        .length = rte_pktmbuf_data_len(packet),
        .ip_checksum_good = trusted || receive_ip_checksum_good(port, packet->ol_flags),
        .tcp_checksum_good = trusted || receive_tcp_checksum_good(port, packet->ol_flags),
    };
    outcome = ip_input(&worker->ip, &view, (uint16_t)index, now_ns);
    if (port->has_exception && ip_concerns_kernel(outcome))
        transmit_to_kernel(worker, index, packet);
    else
        rte_pktmbuf_free(packet); /* nothing of it is kept: its bytes are in their place */
}

/* The worker they are for lags behind: they end here, and are counted as received here. */
static void receive_drop_passed(struct worker *worker, struct rte_mbuf **packets, unsigned total)
{
    count_add(worker->counters, COUNTER_RX_PACKETS, total);
    count_add(worker->counters, COUNTER_PASS_FULL, total);
    for (unsigned i = 0; i < total; i++)
        // Filled by a driver the analyzer cannot see. NOLINTNEXTLINE(clang-analyzer-core.*)
        count_add(worker->counters, COUNTER_RX_BYTES, rte_pktmbuf_pkt_len(packets[i]));
    rte_pktmbuf_free_bulk(packets, total);
}

/* Gives packets of other workers' flows to them. Returns how many are left for us, in front. */
static unsigned receive_spread(struct worker *worker, struct rte_mbuf **packets, unsigned total)
{
    struct rte_mbuf *passed[REGION_WORKERS_MAX][WORKER_BURST];
    unsigned passed_count[REGION_WORKERS_MAX] = {0};
    unsigned kept = 0;

    for (unsigned i = 0; i < total; i++) {
        uint32_t owner =
            net_flow_hash(&worker->spread_key, rte_pktmbuf_mtod(packets[i], const uint8_t *),
                          rte_pktmbuf_data_len(packets[i])) %
            worker->count;

        if (owner == worker->index)
            packets[kept++] = packets[i];
        else
            passed[owner][passed_count[owner]++] = packets[i];
    }
    for (unsigned owner = 0; owner < worker->count; owner++) {
        unsigned went;

        if (passed_count[owner] == 0)
            continue;
        went = rte_ring_sp_enqueue_burst(worker->inboxes[owner], (void **)passed[owner],
                                         passed_count[owner], NULL);
        count_add(worker->counters, COUNTER_PASSED_ON, went);
        receive_drop_passed(worker, passed[owner] + went, passed_count[owner] - went);
    }
    return kept;
}

static void receive_all(struct worker *worker, struct rte_mbuf **packets, unsigned total,
                        int64_t now_ns)
{
    for (unsigned i = 0; i < total; i++)
        // Filled by a driver the analyzer cannot see. NOLINTNEXTLINE(clang-analyzer-core.*)
        rte_prefetch0(rte_pktmbuf_mtod(packets[i], const void *));
    for (unsigned i = 0; i < total; i++)
        receive_packet(worker, packets[i], now_ns);
}

static unsigned receive_port(struct worker *worker, const struct port *port, int64_t now_ns)
{
    struct rte_mbuf *packets[WORKER_BURST];
    unsigned total;
    unsigned kept;

    if (worker->index >= port->queue_count)
        return 0;
    total = rte_eth_rx_burst(port->id, (uint16_t)worker->index, packets, WORKER_BURST);
    kept = total;
    if (total > 0 && !port->rss && worker->count > 1)
        kept = receive_spread(worker, packets, total);
    receive_all(worker, packets, kept, now_ns);
    return total;
}

unsigned receive_burst(struct worker *worker, int64_t now_ns)
{
    unsigned total = 0;

    for (uint32_t i = 0; i < worker->transmit.port_count; i++)
        total += receive_port(worker, &worker->transmit.ports[i], now_ns);
    if (worker->index > 0) {
        struct rte_mbuf *packets[WORKER_BURST];
        unsigned taken = rte_ring_sc_dequeue_burst(worker->inboxes[worker->index], (void **)packets,
                                                   WORKER_BURST, NULL);

        receive_all(worker, packets, taken, now_ns);
        total += taken;
    }
    return total;
}

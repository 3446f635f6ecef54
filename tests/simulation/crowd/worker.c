/* A worker as dataplane/worker makes and runs it, in virtual time: a burst, the hand-over, timers,
 * what is to be sent. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "platform/check.h"
#include "tests/simulation/holders.h"

#define WORKER_BURST        32u
#define WORKER_TIMERS       64u
#define WORKER_FRAME_NS     INT64_C(2000) /* so long a frame takes */
#define WORKER_LOG_BUDGET   64u
#define WORKER_CONNECTIONS  4096u
#define WORKER_HALF_OPEN    1024u
#define WORKER_OVERDRAWN_NS CROWD_SECOND
#define WORKER_SOUND_ROUNDS 5000u /* what is walked whole is walked each so many rounds */

static uint8_t *worker_begin(void *context, uint16_t port, uint32_t length)
{
    struct crowd_worker *worker = context;

    CHECK(port == 0 && length <= sizeof(worker->out));
    worker->out_length = length;
    return worker->out;
}

static void worker_end(void *context, uint32_t l2_bytes, uint32_t l3_bytes)
{
    struct crowd_worker *worker = context;
    struct crowd *crowd = worker->crowd;
    struct frame *frame = malloc(sizeof(*frame) + worker->out_length);
    uint16_t port = (uint16_t)(worker->out[l2_bytes + l3_bytes + 2] << 8 |
                               worker->out[l2_bytes + l3_bytes + 3]);
    const struct client *client = &crowd->clients[crowd->by_port[port]];

    CHECK(frame != NULL);
    frame->length = worker->out_length;
    memcpy(frame->bytes, worker->out, worker->out_length);
    events_add(&crowd->events, crowd->now_ns + client->plan.delay_ns, EVENT_AT_PEER, client->index,
               frame);
}

static void worker_init_store(struct crowd_worker *worker)
{
    const struct crowd_plan *plan = &worker->crowd->plan;
    enum status status = store_init(&worker->store, &worker->crowd->region, worker->number,
                                    worker->number * plan->blocks, plan->blocks,
                                    worker->number * plan->slots, plan->slots);

    CHECK(status == STATUS_OK);
    worker->log_memory = aligned_alloc(RING_ALIGNMENT, log_rings_bytes());
    CHECK(worker->log_memory != NULL);
    log_rings_attach(&worker->log_producer, worker->log_memory);
    log_rings_attach(&worker->log_consumer, worker->log_memory);
}

static void worker_init_ip(struct crowd_worker *worker, struct region_counters *counters)
{
    struct ip_interface *interface = &worker->ip.interfaces[0];

    worker->output =
        (struct packet_output){.context = worker, .begin = worker_begin, .end = worker_end};
    worker->ip.upper = tcp_upper(&worker->endpoint);
    worker->ip.output = &worker->output;
    worker->ip.counters = counters;
    memcpy(interface->address, (const uint8_t[]){198, 18, 0, 1}, 4);
    memcpy(interface->mac, (const uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
    interface->mtu = CROWD_MTU;
    ip_interface_link_local(interface);
}

static void worker_init_tcp(struct crowd_worker *worker, struct region_counters *counters)
{
    struct crowd *crowd = worker->crowd;
    struct tcp_listeners listeners = {.count = 0};
    struct tcp_limits limits = {
        .connections = WORKER_CONNECTIONS,
        .half_open = WORKER_HALF_OPEN,
        .clients = {.connections = {crowd->config.limits.connections_a_client,
                                    crowd->config.limits.connections_a_prefix},
                    .rate = crowd->config.limits.connection_rate},
        .window_bytes = (uint32_t)crowd->config.limits.window_bytes,
    };
    struct siphash_key secret;
    enum status status;

    random_fill(&crowd->random, (uint8_t *)&secret, sizeof(secret));
    smtp_server_application(&worker->smtp, &worker->mail.application);
    stream_listener_init(&worker->mail);
    status = tcp_listeners_add_interface(&listeners, &worker->ip.interfaces[0], CROWD_PORT,
                                         &worker->mail.below);
    CHECK(status == STATUS_OK);
    status = tcp_endpoint_create(&worker->endpoint, &worker->store, counters, &worker->output,
                                 &listeners, &limits, &secret, crowd->now_ns);
    CHECK(status == STATUS_OK);
}

void worker_init(struct crowd *crowd, uint32_t number)
{
    struct crowd_worker *worker = &crowd->workers[number];
    struct region_counters *counters = region_counters(&crowd->region, number);
    enum status status;

    *worker = (struct crowd_worker){.crowd = crowd, .number = number};
    memset(counters, 0, sizeof(*counters));
    worker_init_store(worker);
    worker_init_ip(worker, counters);
    worker->smtp = (struct smtp_server){
        .store = &worker->store,
        .endpoint = &worker->endpoint,
        .counters = counters,
        .customers = crowd->served,
        .worker = number,
        .id_prefix = "7A001B",
    };
    worker_init_tcp(worker, counters);
    status = handover_init(&worker->handover, &worker->store, &worker->smtp, &worker->endpoint,
                           counters, &crowd->peers, &worker->log_producer, number, &crowd->config);
    CHECK(status == STATUS_OK);
    /* Neither the wall clock nor the kernel's randomness may make a difference. */
    worker->handover.wall_offset_ns = 0;
    worker->handover.turns.secret.words[0] = random_next(&crowd->random);
    worker->handover.turns.secret.words[1] = random_next(&crowd->random);
}

void worker_fini(struct crowd_worker *worker)
{
    tcp_endpoint_destroy(&worker->endpoint, worker->crowd->now_ns);
    handover_fini(&worker->handover);
    store_fini(&worker->store);
    free(worker->log_memory);
    for (; worker->queue_count > 0; worker->queue_count--) {
        free(worker->queue[worker->queue_head]);
        worker->queue_head = (worker->queue_head + 1) % worker->queue_size;
    }
    free(worker->queue);
}

/* -- rounds ------------------------------------------------------------------------------------ */

static void worker_poll_at(struct crowd_worker *worker, int64_t at_ns)
{
    if (worker->poll_pending)
        return;
    worker->poll_pending = true;
    events_add(&worker->crowd->events, at_ns, EVENT_POLL, worker->number, NULL);
}

void worker_receive(struct crowd_worker *worker, struct frame *frame)
{
    if (worker->queue_count == worker->queue_size) {
        uint32_t size = worker->queue_size > 0 ? 2 * worker->queue_size : 1024;
        struct frame **queue = malloc(size * sizeof(struct frame *));

        CHECK(queue != NULL);
        for (uint32_t i = 0; i < worker->queue_count; i++)
            queue[i] = worker->queue[(worker->queue_head + i) % worker->queue_size];
        free(worker->queue);
        worker->queue = queue;
        worker->queue_size = size;
        worker->queue_head = 0;
    }
    worker->queue[(worker->queue_head + worker->queue_count++) % worker->queue_size] = frame;
    worker_poll_at(worker, worker->crowd->now_ns + WORKER_FRAME_NS);
}

static void worker_sound(struct crowd_worker *worker)
{
    int more = 0;
    uint32_t wrong;

    (void)store_sound(&worker->store, NULL);
    (void)tcp_sound(&worker->endpoint, NULL);
    (void)handover_sound(&worker->handover);
    wrong = holders_wrong(&worker->store, &worker->endpoint, &more);
    if (wrong != MESSAGE_BLOCK_NONE)
        crowd_fail(worker->crowd, "worker %u: block %u is held %d times more than it is named",
                   worker->number, wrong, more);
}

static void worker_finish_round(struct crowd_worker *worker)
{
    struct crowd *crowd = worker->crowd;
    struct log_record record;

    (void)handover_poll(&worker->handover, crowd->now_ns);
    (void)tcp_timers(&worker->endpoint, crowd->now_ns, WORKER_TIMERS);
    (void)tcp_flush(&worker->endpoint, crowd->now_ns);
    for (unsigned i = 0; i < WORKER_LOG_BUDGET; i++) {
        if (ring_pop(&worker->log_consumer.mail, &record) != STATUS_OK &&
            ring_pop(&worker->log_consumer.rejects, &record) != STATUS_OK)
            break;
    }
    /* Not where the property is asked for: that has to show by itself. */
    if (crowd->patience_ns == 0 && !admission_safe(&worker->store.admission))
        crowd_fail(crowd, "worker %u: what was granted is not safe", worker->number);
    if (++crowd->rounds % WORKER_SOUND_ROUNDS == 0)
        worker_sound(worker);
}

void worker_poll(struct crowd_worker *worker)
{
    struct crowd *crowd = worker->crowd;
    unsigned count = 0;

    worker->poll_pending = false;
    for (; count < WORKER_BURST && worker->queue_count > 0; count++) {
        struct frame *frame = worker->queue[worker->queue_head];
        struct packet_view view = {.bytes = frame->bytes,
                                   .length = frame->length,
                                   .ip_checksum_good = true,
                                   .tcp_checksum_good = true};

        worker->queue_head = (worker->queue_head + 1) % worker->queue_size;
        worker->queue_count--;
        (void)ip_input(&worker->ip, &view, 0, crowd->now_ns);
        free(frame);
    }
    worker_finish_round(worker);
    if (worker->queue_count > 0)
        worker_poll_at(worker, crowd->now_ns + count * WORKER_FRAME_NS);
}

/* What is held for data was granted, so that what others hold beside it is all that could be
 * missing; and of that no more is missing for long than is kept back. */
static void worker_look_blocks(struct crowd_worker *worker)
{
    const struct store *store = &worker->store;
    uint32_t data = store->block_count - store->free_count - store->beside_count;

    if (data > store->admission.granted)
        crowd_fail(worker->crowd, "worker %u: %u blocks are held for data, %u are granted",
                   worker->number, data, store->admission.granted);
    if (!block_overdrawn(store))
        worker->overdrawn_ns = 0;
    else if (worker->overdrawn_ns == 0)
        worker->overdrawn_ns = worker->crowd->now_ns;
    else if (worker->crowd->now_ns - worker->overdrawn_ns > WORKER_OVERDRAWN_NS)
        crowd_fail(
            worker->crowd,
            "worker %u: %u blocks are held beside data, %u of them by %u commands, %u are kept "
            "back",
            worker->number, store->beside_count, store->held[BLOCK_FOR_COMMAND],
            worker->endpoint.holders.count, store->kept);
}

void worker_tick(struct crowd_worker *worker)
{
    worker_finish_round(worker);
    if (worker->store.block_count >= STORE_DIVIDED)
        worker_look_blocks(worker);
}

void worker_check_end(struct crowd_worker *worker)
{
    struct crowd *crowd = worker->crowd;
    const struct region_counters *counters = region_counters(&crowd->region, worker->number);
    uint64_t started = region_cell(&counters->value[COUNTER_MESSAGE_STARTED]);
    uint64_t outcomes = 0;

    for (int i = COUNTER_MESSAGE_DELIVERED; i <= COUNTER_MESSAGE_ABANDONED; i++)
        outcomes += region_cell(&counters->value[i]);
    if (outcomes != started)
        crowd_fail(crowd, "worker %u: %" PRIu64 " messages started, %" PRIu64 " have an outcome",
                   worker->number, started, outcomes);
    if (worker->store.free_count != worker->store.block_count ||
        worker->store.free_slot_count != worker->store.slot_count)
        crowd_fail(crowd, "worker %u: %u blocks and %u slots were not given back", worker->number,
                   worker->store.block_count - worker->store.free_count,
                   worker->store.slot_count - worker->store.free_slot_count);
}

/* Draws what is fixed before a run begins: links, faults, limits, senders, applications. */
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "mail.h"
#include "platform/check.h"
#include "world.h"

#define PLAN_START_WITHIN_NS (15 * WORLD_SECOND)
#define PLAN_GIVE_UP_NS      (200 * WORLD_SECOND)
#define PLAN_IDLE_NS         (150 * WORLD_SECOND)
#define PLAN_CROWD           800 /* of 10000 runs with mail */
#define PLAN_LONGEST_NS      (1500 * WORLD_SECOND)

static unsigned plan_chance(struct random *random, unsigned often, int64_t most)
{
    return random_chance(random, often) ? (unsigned)random_size(random, 1, most) : 0;
}

static void plan_direction(struct world *world, struct direction *way, bool harsh)
{
    struct random *random = &world->random;

    way->loss = plan_chance(random, 6000, harsh ? 3000 : 1000);
    way->duplicate = plan_chance(random, 5000, harsh ? 3000 : 500);
    way->reorder = plan_chance(random, 5000, harsh ? 5000 : 2000);
    way->damage = plan_chance(random, 4000, harsh ? 2000 : 300);
    way->delay_ns = random_size(random, 20000, 150 * WORLD_MS);
    way->jitter_ns = random_chance(random, 5000) ? random_size(random, 1000, 50 * WORLD_MS) : 0;
    way->late_ns = random_size(random, 100000,
                               random_chance(random, 500) ? 20 * WORLD_SECOND : 300 * WORLD_MS);
    for (unsigned i = 0; i < WORLD_OUTAGES; i++) {
        if (!random_chance(random, harsh ? 4000 : 800))
            continue;
        way->outage_start_ns[i] = world->start_ns + random_between(random, 0, 25 * WORLD_SECOND);
        way->outage_end_ns[i] =
            way->outage_start_ns[i] + random_size(random, 10 * WORLD_MS, 8 * WORLD_SECOND);
    }
}

static void plan_links(struct world *world)
{
    struct random *random = &world->random;
    bool calm = random_chance(random, 1000);
    bool harsh = random_chance(random, 2500) && world->crowd == 0;
    static const uint32_t mtus[] = {1500, 1500, 1500, 1280, 576, 9000};
    struct ip_interface *interface = &world->ip.interfaces[0];

    plan_direction(world, &world->to_server, harsh);
    plan_direction(world, &world->to_peers, harsh);
    world->to_server.mtu = mtus[random_below(random, 6)];
    world->to_peers.mtu = mtus[random_below(random, 6)];
    interface->mtu = (uint16_t)mtus[random_below(random, 6)];
    if (random_chance(random, 1000))
        world->to_server.mtu = (uint32_t)random_between(random, 576, 1500);
    if (random_chance(random, 1000))
        interface->mtu = (uint16_t)random_between(random, 576, 9000);
    if (random_chance(random, 2000)) {
        world->to_peers.narrow_mtu = (uint32_t)random_between(random, 576, world->to_peers.mtu);
        world->to_peers.narrow_from_ns =
            world->start_ns + random_size(random, 1, 10 * WORLD_SECOND);
    }
    world->faults_end_ns =
        calm || world->crowd > 0
            ? world->start_ns
            : world->start_ns + random_between(random, WORLD_SECOND, 40 * WORLD_SECOND);
    world->out_refused = plan_chance(random, 1500, 2000);
    world->output.fills_checksums = random_chance(random, 3000);
    world->port_verifies = random_chance(random, 3000);
    memcpy(interface->address, (const uint8_t[]){198, 18, 0, 1}, 4);
    memcpy(interface->mac, (const uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
    memcpy(interface->address6, (const uint8_t[]){0x20, 1, 0xd, 0xb8, [15] = 1}, 16);
    interface->has_address6 = true;
    ip_interface_link_local(interface);
}

/* How many exchanges, over how many tuples: a few long ones, or many short ones. */
static void plan_counts(struct world *world)
{
    struct random *random = &world->random;
    unsigned kind = (unsigned)random_below(random, 10);

    if (world->crowd > 0)
        world->exchange_count = world->crowd + (uint32_t)random_between(random, 4, 20);
    else if (kind < 5)
        world->exchange_count = (uint32_t)random_between(random, 1, 6);
    else if (kind < 9)
        world->exchange_count = (uint32_t)random_between(random, 7, 40);
    else
        world->exchange_count = (uint32_t)random_between(random, 41, 160);
    world->tuple_count = world->exchange_count;
    if (world->crowd == 0 && random_chance(random, 4000))
        world->tuple_count =
            (world->exchange_count + 2) / 3 + (uint32_t)random_below(random, world->exchange_count);
    if (world->tuple_count > world->exchange_count)
        world->tuple_count = world->exchange_count;
    world->exchanges = calloc(world->exchange_count, sizeof(*world->exchanges));
    world->tuples = malloc(world->tuple_count * sizeof(*world->tuples));
    CHECK(world->exchanges != NULL && world->tuples != NULL);
    memset(world->tuples, 0xff, world->tuple_count * sizeof(*world->tuples));
    world->port_base = (uint16_t)random_between(random, 1024, 60000);
}

static void plan_options(struct world *world, struct peer *peer)
{
    struct random *random = &world->random;
    uint32_t largest = world->to_peers.mtu - (peer->ipv6 ? 60 : 40);

    peer->offer_mss = random_chance(random, 9000);
    peer->offered_mss = (uint16_t)largest;
    if (random_chance(random, 3000))
        peer->offered_mss = (uint16_t)random_size(random, 64, largest);
    if (random_chance(random, 200))
        peer->offered_mss = (uint16_t)random_between(random, 0, 63);
    peer->offer_scale = random_chance(random, 7000);
    peer->offer_sack = random_chance(random, 7000);
    peer->offer_timestamp = random_chance(random, 6000);
    peer->vlan = random_chance(random, 2000) ? (uint16_t)random_between(random, 1, 4094) : 0;
    peer->plan.window_bytes = random_size(random, 500, 65535);
    if (random_chance(random, 1000))
        peer->plan.window_bytes = random_size(random, 1, 500);
    if (peer->offer_scale) {
        peer->offered_scale = (uint8_t)random_below(random, 15);
        while (peer->plan.window_bytes >> peer->offered_scale < 2 && peer->offered_scale > 0)
            peer->offered_scale--;
        peer->plan.window_bytes &= ~((INT64_C(1) << peer->offered_scale) - 1);
    }
}

static void plan_sending(struct world *world, struct peer_plan *plan)
{
    struct random *random = &world->random;
    unsigned segments = (unsigned)random_below(random, 10);
    int64_t most = world->exchange_count <= 6 ? 400000 : world->exchange_count <= 40 ? 60000 : 8000;

    plan->recovery = (enum peer_recovery)random_below(random, 3);
    plan->segments = segments < 5   ? PEER_FULL_SEGMENTS
                     : segments < 8 ? PEER_RANDOM_SEGMENTS
                                    : PEER_TINY_SEGMENTS;
    if (world->crowd > 0)
        plan->segments = PEER_FULL_SEGMENTS;
    plan->total = random_size(random, 0, plan->segments == PEER_TINY_SEGMENTS ? 1500 : most);
    plan->write_max = random_size(random, 1 + plan->total / 20, 1 + plan->total);
    plan->gap_ns = random_size(random, WORLD_MS,
                               random_chance(random, 1000) ? 8 * WORLD_SECOND : 200 * WORLD_MS);
    plan->overlap = plan_chance(random, 4000, 3000);
    plan->wild = plan_chance(random, 2000, 500);
    plan->keep = plan_chance(random, 2000, 500);
    plan->cwnd_max = random_size(random, 1, 200);
    plan->burst = (unsigned)random_size(random, 1, 40);
    plan->fin_with_data = random_chance(random, 5000);
    plan->ip_options = random_chance(random, 300);
    plan->trailing_bytes = random_chance(random, 2000);
    plan->clock_ns =
        random_chance(random, 7000) ? WORLD_MS : random_size(random, 100000, WORLD_SECOND);
}

static void plan_receiving(struct world *world, struct peer_plan *plan)
{
    struct random *random = &world->random;

    plan->ack_every = (unsigned)random_between(random, 1, random_chance(random, 1000) ? 10 : 2);
    plan->ack_delay_ns = random_size(random, 1000, 200 * WORLD_MS);
    plan->read_gap_ns =
        random_chance(random, 3000)
            ? random_size(random, WORLD_MS,
                          random_chance(random, 2000) ? 8 * WORLD_SECOND : 300 * WORLD_MS)
            : 0;
    plan->read_max = random_size(random, 1 + plan->window_bytes / 8, 1 + plan->window_bytes);
    plan->silent_updates = plan->window_bytes >= 2000 && random_chance(random, 1500);
    plan->time_wait_ns = random_between(random, WORLD_SECOND, 70 * WORLD_SECOND);
    plan->lost_last_ack = random_chance(random, 500);
}

static void plan_trouble(struct world *world, struct peer *peer)
{
    struct peer_plan *plan = &peer->plan;
    struct random *random = &world->random;
    unsigned kind = (unsigned)random_below(random, 100);

    if (world->crowd > 0)
        return;
    plan->resets = kind < 5;
    plan->vanishes = kind >= 5 && kind < 8;
    plan->floods = kind == 8;
    plan->frozen = kind == 9;
    if (plan->frozen)
        peer->offer_scale = false; /* its promise is exactly its buffer */
    plan->two_versions = kind >= 10 && kind < 22 && !world->mail;
    plan->attacked = random_chance(random, 2000);
    plan->trouble_ns = random_size(random, 1000, 5 * WORLD_SECOND);
    if (plan->two_versions && plan->total > 30000)
        plan->total = 30000;
    if (plan->two_versions)
        plan->overlap = (unsigned)random_between(random, 500, 6000);
}

static void plan_recorder(struct world *world, struct exchange *x)
{
    struct random *random = &world->random;
    struct recorder *recorder = &x->recorder;
    const struct peer_plan *plan = &x->peer.plan;
    int64_t most = world->exchange_count <= 6 ? 60000 : world->exchange_count <= 40 ? 12000 : 2000;

    recorder->reading = (enum recorder_reading)random_below(random, 3);
    recorder->closing = random_chance(random, 8500)   ? CLOSE_WHEN_FINISHED
                        : random_chance(random, 5000) ? CLOSE_EARLY
                                                      : CLOSE_BY_ABORT;
    if (plan->waits_for_fin || random_chance(random, 2000))
        recorder->closing = CLOSE_WHEN_ALL_READ;
    recorder->close_at = random_between(random, 0, plan->total);
    if (plan->window_bytes < 200)
        most = 40 * plan->window_bytes;
    recorder->reply_total = random_size(random, 0, most);
    /* A slow reader gets what it can read in half a minute or so. */
    if (plan->read_gap_ns > 0 &&
        recorder->reply_total > 30 * WORLD_SECOND / plan->read_gap_ns * (plan->read_max / 4 + 1))
        recorder->reply_total = 30 * WORLD_SECOND / plan->read_gap_ns * (plan->read_max / 4 + 1);
    recorder->reply_max = random_size(random, 1 + recorder->reply_total / 20, TCP_SEND_BYTES);
    recorder->reply_gap_ns = random_size(random, 10000, WORLD_SECOND);
    recorder->read_gap_ns = random_size(random, 10000, 500 * WORLD_MS);
    recorder->read_max = random_size(random, 1 + plan->total / 50, 1 + plan->total);
    recorder->switching = plan_chance(random, 7000, 2000);
    recorder->deadlines = plan_chance(random, 3000, 3000);
    recorder->idle_ns = PLAN_IDLE_NS;
    if (plan->frozen || plan->vanishes)
        recorder->idle_ns = random_between(random, 10 * WORLD_SECOND, 60 * WORLD_SECOND);
}

static void plan_exchange(struct world *world, uint32_t index)
{
    struct random *random = &world->random;
    struct exchange *x = &world->exchanges[index];
    struct peer *peer = &x->peer;
    struct peer_plan *plan = &peer->plan;
    uint8_t network;
    uint8_t host;

    x->world = world;
    x->index = index;
    x->previous = WORLD_NONE;
    /* Seven clients; in a crowd those of two networks send the large mail, others the small. */
    host = (uint8_t)(1 + index % world->tuple_count % 7);
    network = 1;
    if (world->crowd > 0)
        network = (uint8_t)(index >= world->crowd ? 10 + index % 64 : 3u + host % 2);
    plan->tuple = index % world->tuple_count;
    memcpy(peer->mac,
           (const uint8_t[]){2, 1, 0, 0, (uint8_t)(plan->tuple >> 8), (uint8_t)plan->tuple}, 6);
    peer->ipv6 = world->to_peers.mtu >= 1280 && world->to_server.mtu >= 1280 &&
                 world->ip.interfaces[0].mtu >= 1280 && plan->tuple % 3 == 0;
    if (peer->ipv6)
        memcpy(peer->address, (const uint8_t[]){0x20, 1, 0xd, 0xb8, network, [15] = host}, 16);
    else
        memcpy(peer->address, (const uint8_t[]){198, 18, network, host}, 4);
    peer->port = (uint16_t)(world->port_base + plan->tuple);
    plan->start_ns = world->start_ns + random_size(random, 1, PLAN_START_WITHIN_NS);
    plan->give_up_ns = world->crowd > 0 ? PLAN_LONGEST_NS : PLAN_GIVE_UP_NS;
    plan_options(world, peer);
    plan_sending(world, plan);
    plan_receiving(world, plan);
    plan_trouble(world, peer);
    plan->waits_for_fin = random_chance(random, 3000);
    plan->stops_at_fin = random_chance(random, 5000);
    if (world->mail)
        mail_plan(world, x);
    else
        plan_recorder(world, x);
    x->clean = !plan->resets && !plan->vanishes && !plan->floods && !plan->frozen &&
               !world->pressure &&
               (world->mail || x->recorder.closing == CLOSE_WHEN_FINISHED ||
                x->recorder.closing == CLOSE_WHEN_ALL_READ);
    events_add(&world->events, plan->start_ns, EVENT_START, index, NULL);
    if (plan->attacked)
        events_add(&world->events, plan->start_ns + random_size(random, 1, WORLD_SECOND),
                   EVENT_ATTACK, index, NULL);
}

static void plan_memory(struct world *world, struct tcp_limits *limits, uint32_t *blocks)
{
    struct random *random = &world->random;
    uint32_t each;

    limits->connections = 2 * world->exchange_count + 16;
    limits->half_open = 4096; /* so many that no set of them is ever full */
    for (unsigned level = 0; level < TCP_CLIENT_LEVELS; level++)
        limits->clients.connections[level] = limits->connections;
    limits->window_bytes = (uint32_t)random_between(random, MESSAGE_BLOCK_BYTES, TCP_WINDOW_MAX);
    *blocks = WORLD_BLOCKS;
    world->pressure = world->crowd > 0 || random_chance(random, 2500);
    if (world->crowd > 0) {
        *blocks = WORLD_CROWD_BLOCKS + 6 * world->exchange_count;
        limits->window_bytes = WORLD_CROWD_WINDOW;
        return;
    }
    if (world->pressure) {
        *blocks = (uint32_t)random_size(random, 8, 128);
        if (random_chance(random, 3000))
            limits->connections = (uint32_t)random_size(random, 1, world->exchange_count + 1);
        if (random_chance(random, 3000))
            limits->half_open = (uint32_t)random_size(random, 1, world->exchange_count + 1);
        if (random_chance(random, 3000))
            limits->clients.connections[random_below(random, TCP_CLIENT_LEVELS)] =
                (uint32_t)random_size(random, 1, 20);
        if (random_chance(random, 1000))
            limits->clients.rate = (uint32_t)random_size(random, 1, 100);
        return;
    }
    /* Enough for every window at once, whatever is kept back from data. */
    each = WORLD_BLOCKS * 3 / 4 / world->exchange_count;
    if (limits->window_bytes / MESSAGE_BLOCK_BYTES + 4 > each)
        limits->window_bytes = each > 5 ? (each - 4) * MESSAGE_BLOCK_BYTES : MESSAGE_BLOCK_BYTES;
}

/* The first connection's sequence numbers of ours are made to wrap soon, now and then: they follow
 * the clock (RFC 6528), so it is the clock that is chosen. */
static void plan_clock(struct world *world)
{
    world->start_ns = random_size(&world->random, WORLD_SECOND, INT64_C(1) << 52);
    world->now_ns = world->start_ns;
    world->latest_round_ns = world->start_ns;
}

void plan_world(struct world *world, int mode)
{
    struct random *random = &world->random;
    struct tcp_limits limits = {0};
    struct tcp_application application;
    struct tcp_listeners listeners = {.count = 0};
    struct siphash_key secret;
    uint32_t blocks;

    random_seed(random, world->seed);
    /* Drawn in any case, so that a seed of either mode replays when the mode is named. */
    world->mail = random_chance(random, 3000);
    if (mode >= 0)
        world->mail = mode != 0;
    plan_clock(world);
    /* Six, or many, whose mails together are far more than there is memory for. */
    if (world->mail && random_chance(random, PLAN_CROWD))
        world->crowd = random_chance(random, 1500) ? 60 : 6;
    plan_links(world);
    plan_counts(world);
    plan_memory(world, &limits, &blocks);
    world->window_bytes = limits.window_bytes;
    world->tick_ns = random_size(random, 2 * WORLD_MS, 20 * WORLD_MS);
    world->stalls = plan_chance(random, 1500, 50);
    world->timer_budget = (unsigned)random_size(random, 1, 64);
    world->queue_size = (uint32_t)random_size(random, 16, 1024);
    world->queue = calloc(world->queue_size, sizeof(struct frame *));
    world->connection_exchange = calloc(limits.connections, sizeof(uint32_t));
    CHECK(world->queue != NULL && world->connection_exchange != NULL);
    CHECK(store_init(&world->store, world->region, 0, 0, blocks, 0, WORLD_SLOTS) == STATUS_OK);
    world->lenient_acks = world->pressure;
    network_output_init(world);
    if (world->mail)
        mail_application(&application, world);
    else
        recorder_application(&application, world);
    application_install(world, &application);
    CHECK(tcp_listeners_add_interface(&listeners, &world->ip.interfaces[0], WORLD_PORT,
                                      &world->watched) == STATUS_OK);
    random_fill(random, (uint8_t *)&secret, sizeof(secret));
    CHECK(tcp_endpoint_create(&world->endpoint, &world->store, world->counters, &world->output,
                              &listeners, &limits, &secret, world->now_ns) == STATUS_OK);
    world->ip.upper = tcp_upper(&world->endpoint);
    world->ip.output = &world->output;
    world->ip.counters = world->counters;
    world->payload_min = 536;
    for (uint32_t i = 0; i < world->exchange_count; i++) {
        uint32_t least;

        plan_exchange(world, i);
        least = world->exchanges[i].peer.offer_mss ? world->exchanges[i].peer.offered_mss : 536;
        if (least < world->payload_min)
            world->payload_min = least;
    }
    world->payload_min = world->payload_min > 64 + 40 ? world->payload_min - 40 : 24;
    world->end_ns = world->start_ns + PLAN_LONGEST_NS;
    events_add(&world->events, world->now_ns, EVENT_TICK, 0, NULL);
}

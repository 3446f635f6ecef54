/* A run: set-up, rounds, end. */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

#define WORLD_START_NS   (1000 * WORLD_SECOND)
#define WORLD_PATIENCE   (120 * WORLD_SECOND) /* after the faults, for everything to end */
#define WORLD_ROUND_MIN  (WORLD_MS / 10)
#define WORLD_ROUND_MAX  (30 * WORLD_MS)
#define WORLD_STALLS     200u /* of 10,000 rounds of a worker: it is held up */
#define WORLD_LOG_BUDGET 64u

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->failed)
        return;
    world->failed = true;
    printf("FAILED seed %" PRIu64 " (handover) at %" PRId64 ".%06" PRId64 " s: ", world->seed,
           (world->now_ns - WORLD_START_NS) / WORLD_SECOND,
           (world->now_ns - WORLD_START_NS) % WORLD_SECOND / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\nreplay: simulation_handover --seed %" PRIu64 " --trace\n", world->seed);
}

void world_trace(const struct world *world, const char *format, ...)
{
    va_list arguments;

    if (!world->trace)
        return;
    printf("%10.3f ms  ", (double)(world->now_ns - WORLD_START_NS) / WORLD_MS);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* -- set-up ------------------------------------------------------------------------------------ */

static void world_draw(struct world *world)
{
    struct random *random = &world->random;
    struct plan *plan = &world->plan;

    *plan = (struct plan){
        .calm = random_chance(random, 1000),
        .scanners = (uint32_t)random_between(random, 1, WORLD_SCANNERS_MAX),
        .mails = (uint32_t)random_between(random, 30, 150),
        .arrivals = (unsigned)random_size(random, 5, 200),
        .faults_end_ns = WORLD_START_NS + random_between(random, 5, 30) * WORLD_SECOND,
        .scan_most_ns = random_size(random, WORLD_MS, WORLD_SECOND),
        .relay_most_ns = random_size(random, WORLD_MS, 2 * WORLD_SECOND),
        .scanner_fails = (unsigned)random_size(random, 0, 6000),
        .control_dies = (unsigned)random_size(random, 0, 60),
        .control_lies = (unsigned)random_size(random, 0, 5000),
        .control_hangs = (unsigned)random_size(random, 0, 2000),
        .sender_leaves = (unsigned)random_size(random, 0, 40),
    };
    if (plan->calm) {
        /* Everybody is there, and there are scanners enough for all to be answered in time. */
        plan->begin_ns = WORLD_START_NS + 2 * WORLD_SECOND;
        plan->scanners = WORLD_SCANNERS_MAX;
        plan->scan_most_ns = 20 * WORLD_MS;
    }
}

static void world_configure(struct world *world)
{
    static char domains[WORLD_CUSTOMERS][CONFIG_NAME_BYTES] = {"defer.example", "reject.example",
                                                               "deliver.example"};
    static const enum config_policy policies[WORLD_CUSTOMERS] = {
        CONFIG_POLICY_DEFER, CONFIG_POLICY_REJECT, CONFIG_POLICY_DELIVER};
    struct config *config = &world->config;
    enum status status;

    memset(config, 0, sizeof(*config));
    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.com");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@defer.example");
    config->limits.message_bytes = 2 * WORLD_BODY_MAX;
    config->limits.recipients = 10;
    config->limits.bad_commands = 5;
    config->limits.received_fields = 4;
    config->limits.command_timeout_ns = 300 * WORLD_SECOND;
    config->limits.data_timeout_ns = 180 * WORLD_SECOND;
    config->limits.data_rate = 128;
    config->limits.verdict_timeout_ns = 8 * WORLD_SECOND;
    config->scanner.time_limit_ns = 2 * WORLD_SECOND;
    for (uint32_t i = 0; i < WORLD_CUSTOMERS; i++) {
        struct config_customer *customer = &world->customers[i];

        *customer = (struct config_customer){
            .domain_count = 1, .domains = &domains[i], .any_recipient = true};
        for (unsigned reason = 0; reason < CONFIG_REASONS; reason++)
            customer->unscannable[reason] = policies[i];
        (void)snprintf(customer->name, sizeof(customer->name), "customer%u", i);
    }
    config->customer_count = WORLD_CUSTOMERS;
    config->customers = world->customers;
    status = smtp_customers_create(config, &world->table);
    CHECK(status == STATUS_OK);
}

static void world_worker_init(struct world *world, uint32_t number)
{
    struct world_worker *worker = &world->workers[number];
    enum status status = store_init(&worker->store, &world->region, number, number * WORLD_BLOCKS,
                                    WORLD_BLOCKS, number * WORLD_SLOTS, WORLD_SLOTS);

    CHECK(status == STATUS_OK);
    worker->log_memory = aligned_alloc(RING_ALIGNMENT, log_rings_bytes());
    CHECK(worker->log_memory != NULL);
    log_rings_attach(&worker->log_producer, worker->log_memory);
    log_rings_attach(&worker->log_consumer, worker->log_memory);
    worker->records = 0;
    memset(&worker->endpoint, 0, sizeof(worker->endpoint));
    worker->endpoint.store = &worker->store;
    worker->endpoint.now_ns = &world->now_ns;
    worker->smtp = (struct smtp_server){
        .store = &worker->store,
        .endpoint = &worker->endpoint,
        .counters = region_counters(&world->region, number),
        .customers = world->table,
        .worker = number,
        .id_prefix = "7A001B",
    };
    memset(worker->smtp.counters, 0, sizeof(*worker->smtp.counters));
    status = handover_init(&worker->handover, &worker->store, &worker->smtp, &worker->endpoint,
                           worker->smtp.counters, &world->peers, &worker->log_producer, number,
                           &world->config);
    CHECK(status == STATUS_OK);
    /* Neither the wall clock nor the kernel's randomness may make a difference. */
    worker->handover.wall_offset_ns = 0;
    worker->handover.turns.secret.words[0] = random_next(&world->random);
    worker->handover.turns.secret.words[1] = random_next(&world->random) | 1;
    smtp_server_application(&worker->smtp, &worker->mail.application);
    stream_listener_init(&worker->mail);
    worker->endpoint.application = &worker->mail.below;
}

static void world_init(struct world *world)
{
    world_draw(world);
    world_configure(world);
    CHECK(peers_init(&world->peers, WORLD_WORKERS, WORLD_SCANNERS_MAX) == STATUS_OK);
    for (uint32_t i = 0; i < WORLD_WORKERS; i++)
        world_worker_init(world, i);
    memset(world->senders, 0, sizeof(world->senders));
    memset(world->scanners, 0, sizeof(world->scanners));
    memset(&world->control, 0, sizeof(world->control));
    for (uint32_t i = 0; i < world->plan.scanners; i++)
        process_init(&world->scanners[i].process, i);
    process_init(&world->control.process, peers_control(&world->peers));
}

static void world_fini(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
        struct world_worker *worker = &world->workers[i];

        for (uint32_t j = 0; j < SENDERS_MAX; j++)
            free(worker->endpoint.connections[j].generation != 0
                     ? worker->endpoint.connections[j].session
                     : NULL);
        handover_fini(&worker->handover);
        store_fini(&worker->store);
        free(worker->log_memory);
    }
    for (uint32_t i = 0; i < world->plan.scanners; i++)
        process_end(world, &world->scanners[i].process);
    process_end(world, &world->control.process);
    smtp_customers_free(world->table);
    peers_fini(&world->peers);
}

/* -- rounds ------------------------------------------------------------------------------------ */

static void world_poll(struct world *world, struct world_worker *worker)
{
    struct log_record record;

    if (world_faulty(world) && random_chance(&world->random, WORLD_STALLS))
        return;
    (void)handover_poll(&worker->handover, world->now_ns);
    (void)handover_sound(&worker->handover);
    (void)store_sound(&worker->store, NULL);
    for (unsigned i = 0; i < WORLD_LOG_BUDGET; i++) {
        if (ring_pop(&worker->log_consumer.mail, &record) != STATUS_OK)
            break;
        worker->records += record.kind == LOG_MESSAGE;
    }
}

static void world_round(struct world *world)
{
    world->now_ns += random_size(&world->random, WORLD_ROUND_MIN, WORLD_ROUND_MAX);
    senders_act(world);
    for (uint32_t i = 0; i < WORLD_WORKERS && !world->failed; i++)
        world_poll(world, &world->workers[i]);
    for (uint32_t i = 0; i < world->plan.scanners && !world->failed; i++)
        scanner_act(world, &world->scanners[i]);
    if (!world->failed)
        control_act(world);
    oracle_round(world);
}

static bool world_quiet(const struct world *world)
{
    for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
        if (world->workers[i].store.free_slot_count != WORLD_SLOTS)
            return false;
    }
    return senders_done(world);
}

bool world_run(struct world *world, uint64_t seed, bool trace)
{
    world->seed = seed;
    world->trace = trace;
    world->failed = false;
    world->now_ns = WORLD_START_NS;
    world->mail_count = 0;
    random_seed(&world->random, seed);
    world_init(world);
    while (!world->failed && !world_quiet(world)) {
        world_round(world);
        if (world->now_ns > world->plan.faults_end_ns + WORLD_PATIENCE)
            world_fail(world, "not everything has come to its end");
    }
    if (!world->failed)
        oracle_end(world);
    world->total_mails += world->mail_count;
    world_fini(world);
    return !world->failed;
}

/* Scanners and control: honest, and as fast as the plan says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "platform/check.h"

/* Control's answer is there before its job's time is over (docs/relay.md). */
#define PEERS_MARGIN_NS (2 * CROWD_SECOND)

static void peers_up(struct crowd *crowd, uint32_t slot, struct channel *channels)
{
    struct peer_slot *entry = &crowd->peers.slots[slot];
    bool control = slot == peers_control(&crowd->peers);
    enum status status = channel_memory_create(
        &entry->memory, control ? CHANNEL_CONTROL : CHANNEL_SCANNER, crowd->plan.workers);

    CHECK(status == STATUS_OK);
    for (uint32_t i = 0; i < crowd->plan.workers; i++)
        channel_attach(&channels[i], &entry->memory, i);
    if (!control)
        memcpy(entry->engine, "ClamAV 1.4.3/1", sizeof("ClamAV 1.4.3/1"));
    atomic_store_explicit(&entry->life, peer_life(1, PEER_READY), memory_order_release);
    atomic_fetch_add_explicit(&crowd->peers.changes, 1, memory_order_release);
}

void peers_begin(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->plan.scanners; i++) {
        crowd->scanners[i] = (struct crowd_scanner){.busy = false};
        peers_up(crowd, i, crowd->scanners[i].channel);
    }
    peers_up(crowd, peers_control(&crowd->peers), crowd->control);
    crowd->delivery_count = 0;
}

void peers_end(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->peers.slot_count; i++)
        channel_memory_close(&crowd->peers.slots[i].memory);
    free(crowd->deliveries);
    crowd->deliveries = NULL;
    crowd->delivery_capacity = 0;
}

/* -- scanners ---------------------------------------------------------------------------------- */

static void scanner_begin(struct crowd *crowd, struct crowd_scanner *scanner)
{
    uint32_t first = (uint32_t)random_below(&crowd->random, crowd->plan.workers);

    for (uint32_t i = 0; i < crowd->plan.workers; i++) {
        uint32_t worker = (first + i) % crowd->plan.workers;

        if (ring_pop(&scanner->channel[worker].jobs, &scanner->job) != STATUS_OK)
            continue;
        scanner->busy = true;
        scanner->worker = worker;
        scanner->until_ns = crowd->now_ns + crowd->plan.scan_ns +
                            (int64_t)scanner->job.length * crowd->plan.scan_byte_ps / 1000;
        atomic_store_explicit(scanner->channel[worker].busy, 1, memory_order_relaxed);
        return;
    }
}

static void scanner_finish(struct crowd *crowd, struct crowd_scanner *scanner)
{
    struct client *client =
        body_check(crowd, scanner->job.message, scanner->job.generation, scanner->job.length);
    struct scan_result result = {
        .job = scanner->job.job,
        .message = scanner->job.message,
        .generation = scanner->job.generation,
        .verdict = VERDICT_CLEAN,
        .kind = scanner->job.kind,
        .flags = scanner->job.flags,
        .signatures = scanner->job.signatures,
    };
    enum status status = ring_push(&scanner->channel[scanner->worker].results, &result);

    CHECK(status == STATUS_OK);
    scanner->busy = false;
    atomic_store_explicit(scanner->channel[scanner->worker].busy, 0, memory_order_relaxed);
    if (client != NULL)
        client->received = true;
}

/* -- control ----------------------------------------------------------------------------------- */

static void control_take(struct crowd *crowd, uint32_t worker, const struct relay_job *job)
{
    const struct client *client = body_check(crowd, job->message, job->generation, job->length);
    const struct crowd_customer *customer;
    struct crowd_delivery *delivery;

    if (client == NULL)
        return;
    customer = &crowd->plan.customer[client->plan.customer];
    if (crowd->delivery_count == crowd->delivery_capacity) {
        crowd->delivery_capacity = crowd->delivery_capacity > 0 ? 2 * crowd->delivery_capacity : 64;
        crowd->deliveries =
            realloc(crowd->deliveries, crowd->delivery_capacity * sizeof(*crowd->deliveries));
        CHECK(crowd->deliveries != NULL);
    }
    delivery = &crowd->deliveries[crowd->delivery_count++];
    *delivery = (struct crowd_delivery){.worker = worker, .job = *job, .hangs = customer->hangs};
    delivery->until_ns =
        customer->hangs
            ? job->deadline_ns - PEERS_MARGIN_NS
            : crowd->now_ns + random_between(&crowd->random, customer->least_ns, customer->most_ns);
}

static void control_withdraw(struct crowd *crowd, const struct relay_job *job, uint32_t worker)
{
    for (uint32_t i = 0; i < crowd->delivery_count; i++) {
        struct crowd_delivery *delivery = &crowd->deliveries[i];

        if (delivery->worker == worker && delivery->job.job == job->job) {
            delivery->hangs = true; /* nothing was accepted */
            delivery->until_ns = crowd->now_ns;
        }
    }
}

static void control_answer(struct crowd *crowd, const struct crowd_delivery *delivery)
{
    struct relay_result answer = {
        .job = delivery->job.job,
        .message = delivery->job.message,
        .generation = delivery->job.generation,
        .kind = delivery->job.kind,
        .outcome = delivery->hangs ? RELAY_BROKEN : RELAY_ANSWERED,
        .code = delivery->hangs ? 451 : 250,
        .text = "2.0.0 Ok",
    };
    enum status status = ring_push(&crowd->control[delivery->worker].results, &answer);

    CHECK(status == STATUS_OK);
}

static void control_act(struct crowd *crowd)
{
    struct relay_job job;

    for (uint32_t worker = 0; worker < crowd->plan.workers; worker++) {
        while (!crowd->failed && ring_pop(&crowd->control[worker].jobs, &job) == STATUS_OK) {
            if (job.kind == JOB_WITHDRAW)
                control_withdraw(crowd, &job, worker);
            else
                control_take(crowd, worker, &job);
        }
    }
    for (uint32_t i = 0; i < crowd->delivery_count;) {
        if (crowd->now_ns < crowd->deliveries[i].until_ns) {
            i++;
            continue;
        }
        control_answer(crowd, &crowd->deliveries[i]);
        crowd->deliveries[i] = crowd->deliveries[--crowd->delivery_count];
    }
}

void peers_act(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->plan.scanners; i++) {
        struct crowd_scanner *scanner = &crowd->scanners[i];

        if (scanner->busy && crowd->now_ns >= scanner->until_ns)
            scanner_finish(crowd, scanner);
        if (!scanner->busy)
            scanner_begin(crowd, scanner);
    }
    control_act(crowd);
}

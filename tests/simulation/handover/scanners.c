/* Scanner children, honest and otherwise. */
#include <inttypes.h>
#include <string.h>

#include "platform/check.h"
#include "world.h"

static struct scan_result scanner_truth(const struct scanner *scanner, const struct mail *mail)
{
    struct scan_result result = {
        .job = scanner->job.job,
        .message = scanner->job.message,
        .generation = scanner->job.generation,
        .verdict = mail->truth,
        .kind = scanner->job.kind,
        .flags = scanner->job.flags,
        .signatures = scanner->job.signatures,
        .reason = mail->truth == VERDICT_UNSCANNABLE ? UNSCANNABLE_ENCRYPTED : UNSCANNABLE_NONE,
    };

    memcpy(result.name, "Sim.Test.FILE", sizeof("Sim.Test.FILE"));
    return result;
}

/* One of the answers that break the protocol: each would be a clean verdict, were it believed. */
static void scanner_lie(struct world *world, struct scanner *scanner, struct scan_result *result)
{
    result->verdict = VERDICT_CLEAN;
    result->reason = UNSCANNABLE_NONE;
    switch (random_below(&world->random, 9)) {
    case 0:
        result->job--;
        break;
    case 1:
        result->generation--;
        break;
    case 2:
        result->message =
            scanner->worker * WORLD_SLOTS + (result->message + 1) % WORLD_SLOTS; /* a neighbour */
        break;
    case 3:
        result->verdict = 0;
        break;
    case 4:
        result->verdict = VERDICT_UNSCANNABLE + 1;
        break;
    case 5:
        result->kind = JOB_RELAY;
        break;
    case 6:
        result->signatures++;
        break;
    case 7:
        result->flags ^= SCAN_READINGS; /* not what was asked */
        break;
    default:
        result->message = UINT32_MAX;
        break;
    }
}

static void scanner_push(struct scanner *scanner, const struct scan_result *result)
{
    enum status status = ring_push(&scanner->process.channel[scanner->worker].results, result);

    CHECK(status == STATUS_OK);
}

static void scanner_answer(struct world *world, struct scanner *scanner, struct mail *mail)
{
    struct scan_result result = scanner_truth(scanner, mail);

    if (scanner->fate == FATE_LIES) {
        if (random_chance(&world->random, 1500)) {
            /* Into the ring itself: more was produced than can be. */
            scanner->process.scribbled = true;
            atomic_store_explicit(
                &scanner->process.channel[scanner->worker].results.shared->produced, 1000000,
                memory_order_release);
            return;
        }
        scanner_lie(world, scanner, &result);
    } else {
        mail->scanned_clean = mail->scanned_clean || mail->truth == VERDICT_CLEAN;
        mail->scanned_infected = mail->scanned_infected || mail->truth == VERDICT_INFECTED;
    }
    scanner_push(scanner, &result);
}

static void scanner_work(struct world *world, struct scanner *scanner, bool working)
{
    atomic_store_explicit(scanner->process.channel[scanner->worker].busy, working,
                          memory_order_relaxed);
    if (!working)
        scanner->busy = false;
    (void)world;
}

static void scanner_begin(struct world *world, struct scanner *scanner, uint32_t worker)
{
    const struct plan *plan = &world->plan;

    scanner->busy = true;
    scanner->worker = worker;
    scanner->fate = FATE_HONEST;
    if (world_faulty(world) && random_chance(&world->random, plan->scanner_fails))
        scanner->fate =
            (enum scanner_fate)random_between(&world->random, FATE_DIES_BEFORE, FATE_COUNT - 1);
    scanner->until_ns = world->now_ns + random_size(&world->random, 0, plan->scan_most_ns);
    if (scanner->fate == FATE_HANGS)
        scanner->until_ns = plan->faults_end_ns;
    world_trace(world, "scanner %u has job %" PRIu64 " of message %u, fate %u",
                scanner->process.slot, scanner->job.job, scanner->job.message, scanner->fate);
    if (scanner->fate == FATE_DIES_BEFORE) {
        scanner->busy = false;
        process_die(world, &scanner->process);
        return;
    }
    scanner_work(world, scanner, true);
}

static void scanner_finish(struct world *world, struct scanner *scanner)
{
    struct mail *mail =
        mail_read(world, scanner->job.message, scanner->job.generation, scanner->job.length);

    if (mail == NULL)
        return;
    mail->failed_scans += scanner->fate == FATE_DIES_AT_WORK || scanner->fate == FATE_LIES;
    if (scanner->fate == FATE_DIES_AT_WORK) {
        scanner->busy = false;
        process_die(world, &scanner->process);
        return;
    }
    scanner_answer(world, scanner, mail);
    if (scanner->fate == FATE_DIES_AFTER) {
        scanner->busy = false;
        process_die(world, &scanner->process);
        return;
    }
    scanner_work(world, scanner, false);
}

/* The watchdog's doing, or a lie's. */
static void scanner_killed(struct world *world, struct scanner *scanner)
{
    struct mail *mail =
        mail_read(world, scanner->job.message, scanner->job.generation, scanner->job.length);

    scanner->busy = false;
    if (mail != NULL)
        mail->failed_scans++;
}

void scanner_act(struct world *world, struct scanner *scanner)
{
    uint32_t first = (uint32_t)random_below(&world->random, WORLD_WORKERS);

    process_act(world, &scanner->process);
    if (!process_alive(&scanner->process)) {
        if (scanner->busy)
            scanner_killed(world, scanner);
        return;
    }
    if (scanner->busy) {
        if (world->now_ns >= scanner->until_ns)
            scanner_finish(world, scanner);
        return;
    }
    for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
        uint32_t worker = (first + i) % WORLD_WORKERS;

        if (ring_pop(&scanner->process.channel[worker].jobs, &scanner->job) == STATUS_OK) {
            scanner_begin(world, scanner, worker);
            return;
        }
    }
}

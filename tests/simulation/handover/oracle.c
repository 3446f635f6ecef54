/* What must hold, whoever dies, hangs or lies. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/attempt.h"
#include "platform/check.h"
#include "world.h"

/* An answer may come this much after its last moment: sweeps, and workers that are held up. */
#define ORACLE_SLACK_NS (2 * WORLD_SECOND)

static const char *oracle_verdict(enum verdict_kind verdict)
{
    static const char *const texts[] = {"none", "clean", "infected", "unscannable"};

    return texts[verdict];
}

/* With nobody failing there is one right answer. */
static unsigned oracle_calm_code(const struct mail *mail)
{
    static const unsigned unscannable[WORLD_CUSTOMERS] = {451, 554, 250};

    switch (mail->truth) {
    case VERDICT_CLEAN:
        return 250;
    case VERDICT_INFECTED:
        return 554;
    default:
        return unscannable[mail->customer];
    }
}

static void oracle_refusal(struct world *world, const struct mail *mail, const char *reply)
{
    bool virus = strstr(reply, "virus found") != NULL;

    if (virus && !mail->scanned_infected)
        world_fail(world, "mail %u is refused for a virus nobody has found: %s", mail->number,
                   reply);
    if (!virus && !mail->refused && mail->customer != 1)
        world_fail(world, "mail %u is refused by nobody: %s", mail->number, reply);
    if (mail->accepted)
        world_fail(world, "mail %u was accepted, and its sender hears %s", mail->number, reply);
}

/* One scanner that fails costs a mail nothing but time. */
static void oracle_retry(struct world *world, const struct mail *mail, const char *reply)
{
    bool failed = strstr(reply, "scanner died") != NULL || strstr(reply, "bad answer") != NULL ||
                  strstr(reply, "time limit") != NULL;
    bool in_time = world->now_ns - mail->submitted_ns < world->config.limits.verdict_timeout_ns;

    if (failed && in_time && mail->failed_scans < ATTEMPTS_MAX)
        world_fail(world, "mail %u had %u failed scans, and hears %s", mail->number,
                   mail->failed_scans, reply);
}

void oracle_reply(struct world *world, struct mail *mail, const char *reply)
{
    world_trace(world, "mail %u hears %s", mail->number, reply);
    if (mail->answered)
        world_fail(world, "mail %u is answered twice: %s", mail->number, reply);
    mail->answered = true;
    mail->code = (unsigned)strtoul(reply, NULL, 10);
    oracle_retry(world, mail, reply);
    switch (mail->code) {
    case 250:
        world->total_delivered++;
        if (!mail->accepted)
            world_fail(world, "mail %u hears 250, and no server has accepted it", mail->number);
        break;
    case 451:
        /* What was written before the link ended counts. */
        if (mail->relay_written && strstr(reply, "relay ended") != NULL)
            world_fail(world, "mail %u: control's answer was there, and is lost", mail->number);
        break;
    case 550:
    case 554:
        oracle_refusal(world, mail, reply);
        break;
    default:
        world_fail(world, "mail %u hears %s", mail->number, reply);
    }
    if (world->plan.calm && mail->code != oracle_calm_code(mail))
        world_fail(world, "mail %u (%s, customer %u) hears %s", mail->number,
                   oracle_verdict(mail->truth), mail->customer, reply);
}

void oracle_relay(struct world *world, const struct mail *mail, const struct relay_job *job)
{
    if (mail->relayed > 1)
        world_fail(world, "mail %u is relayed %u times", mail->number, mail->relayed);
    if (job->verdict == VERDICT_CLEAN && !mail->scanned_clean)
        world_fail(world, "mail %u is relayed as clean, and nobody has called it so", mail->number);
    if (job->verdict == VERDICT_UNSCANNABLE && mail->customer != 2)
        world_fail(world, "mail %u is relayed unscanned to a customer that does not want it",
                   mail->number);
    if (job->verdict != VERDICT_CLEAN && job->verdict != VERDICT_UNSCANNABLE)
        world_fail(world, "mail %u is relayed with verdict %u", mail->number, job->verdict);
    if (world->plan.calm && job->verdict != (uint32_t)mail->truth)
        world_fail(world, "mail %u is relayed with verdict %u", mail->number, job->verdict);
}

void oracle_round(struct world *world)
{
    int64_t longest_ns = world->config.limits.verdict_timeout_ns +
                         world->config.scanner.time_limit_ns * 3 / 2 + ORACLE_SLACK_NS;

    for (uint32_t i = 0; i < WORLD_SENDERS_MAX; i++) {
        const struct sender *sender = &world->senders[i];

        if (sender->state == SENDER_WAITING &&
            world->now_ns - sender->mail->submitted_ns > longest_ns)
            world_fail(world, "mail %u has had no answer for %" PRId64 " ms", sender->mail->number,
                       (world->now_ns - sender->mail->submitted_ns) / WORLD_MS);
    }
}

static uint64_t oracle_count(const struct world *world, uint32_t worker, enum counter counter)
{
    return region_cell(&region_counters(&world->region, worker)->value[counter]);
}

static void oracle_worker_end(struct world *world, uint32_t number)
{
    struct world_worker *worker = &world->workers[number];
    uint64_t outcomes = 0;

    for (int i = COUNTER_MESSAGE_DELIVERED; i <= COUNTER_MESSAGE_ABANDONED; i++)
        outcomes += oracle_count(world, number, (enum counter)i);
    if (outcomes != oracle_count(world, number, COUNTER_MESSAGE_STARTED))
        world_fail(world, "%" PRIu64 " messages were started, %" PRIu64 " have an outcome",
                   oracle_count(world, number, COUNTER_MESSAGE_STARTED), outcomes);
    if (worker->records + oracle_count(world, number, COUNTER_LOG_LOST) != outcomes)
        world_fail(world, "%u lines in the log for %" PRIu64 " outcomes", worker->records,
                   outcomes);
    if (worker->store.free_count != WORLD_BLOCKS)
        world_fail(world, "%u blocks were not given back", WORLD_BLOCKS - worker->store.free_count);
    if (worker->store.free_slot_count != WORLD_SLOTS)
        world_fail(world, "%u slots were not given back",
                   WORLD_SLOTS - worker->store.free_slot_count);
    if (handover_pending(&worker->handover) != 0)
        world_fail(world, "%u messages are still on a list", handover_pending(&worker->handover));
}

void oracle_end(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_WORKERS; i++)
        oracle_worker_end(world, i);
    for (uint32_t i = 0; i < world->mail_count; i++) {
        const struct mail *mail = &world->mails[i];

        if (mail->submitted_ns != 0 && !mail->left && !mail->answered)
            world_fail(world, "mail %u was never answered", mail->number);
    }
}

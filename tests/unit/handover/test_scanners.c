/* Scanners that die, and scanners that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/handover/scanning.h"

static uint64_t times_counted(struct appliance *appliance, enum histogram histogram)
{
    const struct region_counters *row = region_counters(&appliance->region, 0);
    uint64_t all = 0;

    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
        all += row->times[histogram].count[bucket];
    return all;
}

static void test_death_at_work(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_job first;
    struct scan_job second;
    uint32_t slot;
    uint32_t other;

    appliance_scanners(appliance, &scanners, 2);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "reject.example");
    slot = scanning_slot(&first);
    die(appliance, slot);
    other = scanning_slot(&second);
    assert_int_not_equal(other, slot); /* not back to the same one */
    assert_int_equal(second.message, first.message);
    assert_int_equal(second.generation, first.generation);
    assert_int_not_equal(second.job, first.job);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_RETRIES), 1);
    appliance_silent(sender);
    die(appliance, other);
    appliance_expect(sender, "554 5.7.1 [");
    assert_non_null(strstr(sender->sent, "scanner died"));
    assert_int_equal(appliance_record(appliance)->scan_attempts, 2);
    no_job();
    assert_int_equal(times_counted(appliance, HISTOGRAM_VERDICT_TIME), 1);
    assert_int_equal(times_counted(appliance, HISTOGRAM_REPLY_TIME), 1);
}

static void test_retry_that_succeeds(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1); /* it waits for the next incarnation */
    sender = appliance_mail(appliance, 0, "defer.example");
    die(appliance, scanning_slot(&job));
    assert_int_equal(scanners.slots[0].epoch, 2);
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "Found.On.Retry");
    appliance_expect(sender, "554 5.7.1 [");
    assert_int_equal(appliance_record(appliance)->scan_attempts, 1);
}

/* Waiting behind somebody else's bomb is no fault of the message. */
static void test_death_before_the_start(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    appliance_scanners(appliance, &scanners, 1);
    sender = appliance_mail(appliance, 0, "reject.example");
    for (unsigned i = 0; i < 5; i++) {
        struct channel *channel = &scanners.slots[0].channel[0];

        assert_int_equal(ring_pending(&channel->jobs), 1);
        die(appliance, 0);
        appliance_silent(sender);
    }
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_RETRIES), 5);
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "Late.But.Found");
    appliance_expect(sender, "554 5.7.1 [");
    assert_int_equal(appliance_record(appliance)->scan_attempts, 0);
}

/* -- scanners that lie ------------------------------------------------------------------------- */

enum lie {
    LIE_UNKNOWN_JOB,
    LIE_OTHER_MESSAGE,
    LIE_NO_SUCH_MESSAGE,
    LIE_OTHER_WORKERS_MESSAGE,
    LIE_STALE_GENERATION,
    LIE_NO_VERDICT,
    LIE_FOURTH_VERDICT,
    LIE_WILD_VERDICT,
    LIE_NO_REASON,
    LIE_WILD_REASON,
    LIE_NAMELESS_VIRUS,
    LIE_OTHER_KIND,
    LIE_NO_KIND,
    LIE_OTHER_SIGNATURES,
    LIE_RESULT_INDEX_FAR,
    LIE_RESULT_INDEX_BACK,
    LIES
};

static void tell(struct peer *peer, uint32_t slot, const struct scan_job *job, enum lie lie)
{
    struct scan_result result = peer_result(job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    struct ring *results = &peer->slots[slot].channel[0].results;

    switch (lie) {
    case LIE_UNKNOWN_JOB:
        result.job += 1000;
        break;
    case LIE_OTHER_MESSAGE:
        result.message += 1;
        break;
    case LIE_NO_SUCH_MESSAGE:
        result.message = UINT32_MAX;
        break;
    case LIE_OTHER_WORKERS_MESSAGE:
        result.message += APPLIANCE_SLOTS;
        break;
    case LIE_STALE_GENERATION:
        result.generation -= 1;
        break;
    case LIE_NO_VERDICT:
        result.verdict = 0;
        break;
    case LIE_FOURTH_VERDICT:
        result.verdict = VERDICT_UNSCANNABLE + 1;
        break;
    case LIE_WILD_VERDICT:
        result.verdict = UINT32_MAX;
        break;
    case LIE_NO_REASON:
        result.verdict = VERDICT_UNSCANNABLE;
        break;
    case LIE_WILD_REASON:
        result.verdict = VERDICT_UNSCANNABLE;
        result.reason = UNSCANNABLE_COUNT;
        break;
    case LIE_NAMELESS_VIRUS:
        result.verdict = VERDICT_INFECTED;
        break;
    case LIE_OTHER_KIND:
        result.kind = JOB_RELAY;
        break;
    case LIE_NO_KIND:
        result.kind = 0;
        break;
    case LIE_OTHER_SIGNATURES:
        result.signatures++;
        break;
    case LIE_RESULT_INDEX_FAR:
        atomic_store(&results->shared->produced, results->produced + SCAN_JOBS_PER_RING + 1);
        return;
    case LIE_RESULT_INDEX_BACK:
        atomic_store(&results->shared->produced, results->produced - 1);
        return;
    case LIES:
        break;
    }
    peer_answer(peer, slot, 0, &result);
}

/* Each lie is counted and costs the liar its life; the message goes to another one, and a second
 * liar makes it unscannable; it is never delivered. */
static void test_lies(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 2);
    appliance_control(appliance, &control);
    for (int lie = 0; lie < LIES; lie++) {
        uint64_t counted = appliance_count(appliance, COUNTER_SCAN_BROKEN) +
                           appliance_count(appliance, COUNTER_HAND_OVER_STALE);
        struct tcp_connection *sender = appliance_mail(appliance, 0, "reject.example");
        struct scan_job job;
        struct scan_job again;
        uint32_t slot = scanning_slot(&job);
        uint32_t kills = scanners.slots[slot].kills;

        tell(&scanners, slot, &job, (enum lie)lie);
        appliance_settle(appliance);
        assert_int_equal(scanners.slots[slot].kills, kills + 1);
        assert_int_equal(scanners.slots[slot].kill_epoch, scanners.slots[slot].epoch);
        appliance_silent(sender);
        no_job(); /* not before the liar is dead: it might still read the message */
        die(appliance, slot);
        slot = scanning_slot(&again);
        assert_int_equal(again.message, job.message);
        assert_int_equal(appliance_count(appliance, COUNTER_SCAN_BROKEN) +
                             appliance_count(appliance, COUNTER_HAND_OVER_STALE),
                         counted + 1);
        tell(&scanners, slot, &again, (enum lie)lie);
        appliance_settle(appliance);
        die(appliance, slot);
        appliance_expect(sender, "554 5.7.1 [");
        assert_non_null(strstr(sender->sent, "bad answer from scanner"));
        assert_int_equal(appliance_messages_held(appliance), 0);
        sender_close(sender);
    }
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), 0);
}

/* A name is hostile text: it is ended and made printable, and the verdict stands. */
static void test_hostile_names(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_result result;
    struct scan_job job;
    uint32_t slot;

    appliance_scanners(appliance, &scanners, 1);
    sender = appliance_mail(appliance, 0, "defer.example");
    slot = scanning_slot(&job);
    result = peer_result(&job, VERDICT_INFECTED, UNSCANNABLE_NONE, "");
    memset(result.name, 'V', sizeof(result.name));
    peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
    appliance_expect(sender, "554 5.7.1 [");
    assert_int_equal(strlen(appliance_record(appliance)->name), SCAN_NAME_BYTES - 1);

    sender = appliance_mail(appliance, 0, "defer.example");
    slot = scanning_slot(&job);
    result = peer_result(&job, VERDICT_INFECTED, UNSCANNABLE_NONE,
                         "A\r\n250 2.0.0 Ok\r\n\x1b[2J\x80\x7f%s");
    peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
    appliance_expect(sender, "554 5.7.1 [");
    assert_string_equal(appliance_record(appliance)->name, "A??250 2.0.0 Ok???[2J??%s");
    assert_int_equal(scanners.slots[0].kills, 0);
}

/* One answer too many is not looked at until there is a job; then it is the wrong one. */
static void test_too_many_answers(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_result result;
    struct scan_job job;
    uint32_t slot;

    appliance_scanners(appliance, &scanners, 1);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    slot = scanning_slot(&job);
    result = peer_result(&job, VERDICT_INFECTED, UNSCANNABLE_NONE, "First");
    peer_answer(&scanners, slot, 0, &result);
    result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    for (unsigned i = 1; i < SCAN_JOBS_PER_RING; i++)
        peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
    appliance_expect(sender, "554 5.7.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_HAND_OVER_STALE), 0);
    sender = appliance_mail(appliance, 0, "defer.example"); /* in the same slot of the store */
    assert_int_equal(appliance_count(appliance, COUNTER_HAND_OVER_STALE), 1);
    assert_int_equal(scanners.slots[0].kills, 1);
    appliance_silent(sender);
    die(appliance, slot);
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "Second");
    appliance_expect(sender, "554 5.7.1 [");
}

/* The consumer's index of the jobs ring is the scanner's to garble. */
static void test_garbled_jobs_ring(void **state)
{
    struct appliance *appliance = *state;
    unsigned mails = 0;

    appliance_scanners(appliance, &scanners, 1);
    atomic_store(&scanners.slots[0].channel[0].jobs.shared->consumed, 0x40000000);
    /* The worker looks at it when its own count says that the ring is full. */
    while (scanners.slots[0].kills == 0) {
        struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");
        struct scan_result result;
        struct scan_job job;

        assert_true(mails++ <= SCAN_JOBS_PER_RING);
        if (scanners.slots[0].kills != 0)
            break;
        assert_int_equal(ring_pop(&scanners.slots[0].channel[0].jobs, &job), STATUS_OK);
        atomic_store(&scanners.slots[0].channel[0].jobs.shared->consumed, 0x40000000);
        result = peer_result(&job, VERDICT_INFECTED, UNSCANNABLE_NONE, "X");
        peer_answer(&scanners, 0, 0, &result);
        appliance_settle(appliance);
        appliance_expect(sender, "554 5.7.1 [");
    }
    assert_int_equal(mails, SCAN_JOBS_PER_RING + 1);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_BROKEN), 1);
    die(appliance, 0);
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "After all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCANNING_TEST(test_death_at_work),          SCANNING_TEST(test_retry_that_succeeds),
        SCANNING_TEST(test_death_before_the_start), SCANNING_TEST(test_lies),
        SCANNING_TEST(test_hostile_names),          SCANNING_TEST(test_too_many_answers),
        SCANNING_TEST(test_garbled_jobs_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

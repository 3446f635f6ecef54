/* One scanner at one message, on a real channel in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/policy/attempt.h"

#define LIMIT_NS 1000
#define SLOT     3

struct rig {
    struct message_header shared;
    struct channel_memory memory;
    struct channel worker;
    struct channel scanner;
    struct message message;
};

static int set_up(void **state)
{
    static struct rig rig;

    memset(&rig, 0, sizeof(rig));
    assert_int_equal(channel_memory_create(&rig.memory, CHANNEL_SCANNER, 1), STATUS_OK);
    channel_attach(&rig.worker, &rig.memory, 0);
    channel_attach(&rig.scanner, &rig.memory, 0);
    rig.shared.size = 77;
    rig.message = (struct message){
        .shared = &rig.shared, .index = 5, .generation = 9, .deadline_ns = 100 * LIMIT_NS};
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    channel_memory_close(&((struct rig *)*state)->memory);
    return 0;
}

static void begin(struct rig *rig, uint64_t job, int64_t now_ns)
{
    assert_true(attempt_begin(&rig->message, &rig->worker, job, SLOT, now_ns));
}

static void test_job_names_the_message(void **state)
{
    struct rig *rig = *state;
    struct scan_job job;

    begin(rig, 12, 50);
    assert_int_equal(ring_pop(&rig->scanner.jobs, &job), STATUS_OK);
    assert_int_equal(job.job, 12);
    assert_int_equal(job.message, 5);
    assert_int_equal(job.generation, 9);
    assert_int_equal(job.length, 77);
    assert_int_equal(job.tier, SCAN_TIER_FULL);
    assert_int_equal(rig->message.job, 12);
    assert_int_equal(rig->message.scanner_slot, SLOT);
    assert_int_equal(rig->message.handed_ns, 50);
    assert_int_equal(rig->message.scan_ns, 50);
}

static void test_scribbled_ring_gives_no_job(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < SCAN_JOBS_PER_RING; i++) {
        begin(rig, i + 1, 0);
        rig->message.job = 0;
    }
    atomic_store(&rig->scanner.jobs.shared->consumed, 12345);
    assert_false(attempt_begin(&rig->message, &rig->worker, 99, SLOT, 0));
    assert_int_equal(rig->message.job, 0);
}

static void test_only_the_right_names(void **state)
{
    struct rig *rig = *state;
    struct scan_result right = {.job = 12, .message = 5, .generation = 9, .kind = JOB_SCAN};
    struct scan_result wrong;

    begin(rig, 12, 0);
    assert_true(attempt_named(&rig->message, &right, SLOT));
    assert_false(attempt_named(NULL, &right, SLOT));
    assert_false(attempt_named(&rig->message, &right, SLOT + 1));
    wrong = right;
    wrong.kind = JOB_RELAY;
    assert_false(attempt_named(&rig->message, &wrong, SLOT));
    wrong = right;
    wrong.signatures = 1;
    assert_false(attempt_named(&rig->message, &wrong, SLOT));
    wrong = right;
    wrong.flags = SCAN_READINGS; /* which were not asked for */
    assert_false(attempt_named(&rig->message, &wrong, SLOT));
    rig->message.all_readings = true; /* ... or which were, and it says nothing of them */
    assert_true(attempt_named(&rig->message, &wrong, SLOT));
    assert_false(attempt_named(&rig->message, &right, SLOT));
    rig->message.all_readings = false;
    wrong = right;
    wrong.job = 11;
    assert_false(attempt_named(&rig->message, &wrong, SLOT));
    wrong = right;
    wrong.message = 6;
    assert_false(attempt_named(&rig->message, &wrong, SLOT));
    wrong = right;
    wrong.generation = 8;
    assert_false(attempt_named(&rig->message, &wrong, SLOT));
    rig->message.job = 0;
    right.job = 0;
    assert_false(attempt_named(&rig->message, &right, SLOT));
}

static void test_only_three_verdicts(void **state)
{
    (void)state;
    for (uint32_t verdict = 0; verdict < 6; verdict++) {
        for (uint32_t reason = 0; reason <= UNSCANNABLE_COUNT; reason++) {
            struct scan_result answer = {.verdict = verdict, .reason = reason, .name = "N"};
            bool sensible = verdict == VERDICT_CLEAN || verdict == VERDICT_INFECTED ||
                            (verdict == VERDICT_UNSCANNABLE && reason != UNSCANNABLE_NONE &&
                             reason < UNSCANNABLE_COUNT);

            assert_int_equal(attempt_sensible(&answer), sensible);
        }
    }
}

static void test_names_are_made_safe(void **state)
{
    struct scan_result answer = {.verdict = VERDICT_INFECTED};

    (void)state;
    assert_false(attempt_sensible(&answer)); /* infected with nothing */
    memset(answer.name, '\n', sizeof(answer.name));
    assert_true(attempt_sensible(&answer));
    assert_int_equal(strlen(answer.name), SCAN_NAME_BYTES - 1);
    assert_int_equal(strspn(answer.name, "?"), SCAN_NAME_BYTES - 1);
}

static void test_readings_are_made_safe(void **state)
{
    struct scan_result answer = {.verdict = VERDICT_CLEAN, .readings = 3, .reading = 4};

    (void)state;
    assert_false(attempt_sensible(&answer)); /* in a reading that there is not */
    answer.reading = 3;
    memset(answer.doubt, '\x1b', sizeof(answer.doubt));
    assert_true(attempt_sensible(&answer));
    assert_int_equal(strspn(answer.doubt, "?"), SCAN_DOUBT_BYTES - 1);
    assert_int_equal(strlen(answer.doubt), SCAN_DOUBT_BYTES - 1);
}

/* A job says so where every reading is to be scanned. */
static void test_job_asks_for_readings(void **state)
{
    struct rig *rig = *state;
    struct scan_job job;

    begin(rig, 12, 50);
    assert_int_equal(ring_pop(&rig->scanner.jobs, &job), STATUS_OK);
    assert_int_equal(job.flags, 0);
    rig->message.job = 0;
    rig->message.all_readings = true;
    begin(rig, 13, 50);
    assert_int_equal(ring_pop(&rig->scanner.jobs, &job), STATUS_OK);
    assert_int_equal(job.flags, SCAN_READINGS);
}

static void test_clock_starts_at_work(void **state)
{
    struct rig *rig = *state;

    begin(rig, 1, 0);
    assert_false(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, 50 * LIMIT_NS));
    assert_false(rig->message.started);
    atomic_store(rig->scanner.busy, 1);
    assert_false(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, 60 * LIMIT_NS));
    assert_true(rig->message.started);
    assert_false(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, 61 * LIMIT_NS - 1));
    assert_true(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, 61 * LIMIT_NS));
}

/* What it has waited before is not the scanner's time. */
static void test_scanner_has_its_whole_time(void **state)
{
    struct rig *rig = *state;
    int64_t end_ns;

    begin(rig, 1, 0);
    end_ns = rig->message.deadline_ns;
    atomic_store(rig->scanner.busy, 1);
    assert_false(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, end_ns - 1));
    assert_false(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, end_ns + LIMIT_NS - 2));
    assert_true(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, end_ns + LIMIT_NS - 1));
}

/* One that never begins is not waited for without end. */
static void test_never_begun(void **state)
{
    struct rig *rig = *state;
    int64_t end_ns;

    begin(rig, 1, 0);
    end_ns = rig->message.deadline_ns;
    assert_false(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, end_ns + LIMIT_NS - 1));
    assert_true(attempt_overdue(&rig->message, &rig->worker, LIMIT_NS, end_ns + LIMIT_NS));
    assert_false(rig->message.started);
}

/* Loses the attempt under way. */
static bool lose(struct rig *rig, bool time_left)
{
    rig->message.job = 0;
    return attempt_again(&rig->message, time_left);
}

static void test_two_attempts_at_work(void **state)
{
    struct rig *rig = *state;

    begin(rig, 1, 0);
    rig->message.started = true;
    assert_true(lose(rig, true));
    assert_int_equal(rig->message.scan_attempts, 1);
    begin(rig, 2, 0);
    rig->message.started = true;
    assert_false(lose(rig, true));
    assert_int_equal(rig->message.scan_attempts, ATTEMPTS_MAX);
    assert_int_equal(rig->message.reason, UNSCANNABLE_SCANNER_DIED);
}

static void test_waiting_costs_no_attempt(void **state)
{
    struct rig *rig = *state;
    struct scan_job job;

    for (unsigned i = 1; i < 10; i++) {
        begin(rig, i, 0);
        assert_true(lose(rig, true));
        assert_int_equal(ring_pop(&rig->scanner.jobs, &job), STATUS_OK);
    }
    assert_int_equal(rig->message.scan_attempts, 0);
    begin(rig, 10, 0);
    assert_false(lose(rig, false)); /* but time does */
}

static void test_reason_of_the_last_attempt(void **state)
{
    struct rig *rig = *state;

    begin(rig, 1, 0);
    attempt_spoil(&rig->message);
    assert_true(lose(rig, true));
    assert_int_equal(rig->message.reason, UNSCANNABLE_NONE);
    begin(rig, 2, 0);
    rig->message.started = true;
    rig->message.reason = UNSCANNABLE_TIME;
    assert_false(lose(rig, true));
    assert_int_equal(rig->message.reason, UNSCANNABLE_TIME);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_job_names_the_message),      CASE(test_scribbled_ring_gives_no_job),
        CASE(test_only_the_right_names),       CASE(test_only_three_verdicts),
        CASE(test_names_are_made_safe),        CASE(test_readings_are_made_safe),
        CASE(test_job_asks_for_readings),      CASE(test_clock_starts_at_work),
        CASE(test_scanner_has_its_whole_time), CASE(test_never_begun),
        CASE(test_two_attempts_at_work),       CASE(test_waiting_costs_no_attempt),
        CASE(test_reason_of_the_last_attempt),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}

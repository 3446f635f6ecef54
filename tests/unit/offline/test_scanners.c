/* The dataplane's side of the link against a peer that breaks the rules in every way it can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "dataplane/offline/scanners.h"

#define TIME_LIMIT_NS (100 * CLOCK_NS_PER_MS)
#define PATIENCE_NS   (20 * CLOCK_NS_PER_SECOND)
#define MESSAGES      3u

struct rig {
    struct region region;
    struct store store;
    struct scanners scanners;
    unsigned answers;
    struct scanners_answer answer[MESSAGES];
    char engine[LINK_TEXT_BYTES];
};

static const char *peer;

static int setup(void **state)
{
    const struct region_plan plan = {.worker_count = 1, .message_count = 4, .block_count = 64};
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_int_equal(region_create(&rig->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&rig->store, &rig->region, 0, 0, 64, 0, 4), STATUS_OK);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(rig->store.free_count, 64);
    store_fini(&rig->store);
    region_close(&rig->region);
    free(rig);
    return 0;
}

static void done(void *context, size_t tag, struct message *message,
                 const struct scanners_answer *answer)
{
    struct rig *rig = context;

    assert_true(tag < MESSAGES);
    assert_int_equal(rig->answer[tag].verdict, 0); /* one verdict each */
    rig->answer[tag] = *answer;
    snprintf(rig->engine, sizeof(rig->engine), "%s", answer->engine);
    rig->answers++;
    message_give(&rig->store, message);
}

static void run(struct rig *rig, const char *mode)
{
    const char *arguments[] = {"peer", mode, NULL};
    int64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
    size_t next = 0;

    assert_int_equal(
        scanners_start(&rig->scanners, &rig->region, peer, arguments, 1, TIME_LIMIT_NS, done, rig),
        STATUS_OK);
    while (rig->answers < MESSAGES) {
        assert_true(clock_monotonic_ns() < end_ns);
        if (next < MESSAGES && scanners_room(&rig->scanners)) {
            struct message *message = message_take(&rig->store);

            assert_non_null(message);
            assert_int_equal(message_append_bytes(&rig->store, message, "hello", 5), STATUS_OK);
            scanners_submit(&rig->scanners, message, next++);
        }
        if (scanners_poll(&rig->scanners, clock_monotonic_ns()) == 0)
            scanners_wait(&rig->scanners);
    }
}

static void expect_all(struct rig *rig, enum verdict_kind verdict, enum unscannable_reason reason)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_int_equal(rig->answer[i].verdict, verdict);
        assert_int_equal(rig->answer[i].reason, reason);
    }
}

static void test_good_peer(void **state)
{
    struct rig *rig = *state;

    run(rig, "good");
    expect_all(rig, VERDICT_CLEAN, UNSCANNABLE_NONE);
    assert_string_equal(rig->answer[0].name, "a name?");
    assert_string_equal(rig->engine, "Peer 1?");
    assert_string_equal(rig->scanners.slots[0].identity.library, "1.4?");
    assert_int_equal(rig->scanners.slots[0].identity.profile, 1);
    assert_false(scanners_gone(&rig->scanners));
    scanners_stop(&rig->scanners);
}

/* One mode: the answers, and whether the peer is still trusted afterwards. */
static void expect_mode(void **state, const char *mode, enum unscannable_reason reason, bool gone)
{
    struct rig *rig = *state;

    run(rig, mode);
    expect_all(rig, reason == UNSCANNABLE_NONE ? VERDICT_CLEAN : VERDICT_UNSCANNABLE, reason);
    assert_int_equal(scanners_gone(&rig->scanners), gone);
    scanners_stop(&rig->scanners);
}

static void test_death_is_retried_once(void **state)
{
    expect_mode(state, "die-once", UNSCANNABLE_NONE, false);
}

static void test_second_death_is_the_end(void **state)
{
    expect_mode(state, "die", UNSCANNABLE_SCANNER_DIED, false);
    assert_int_equal(((struct rig *)*state)->scanners.slots[0].epoch, 2 * MESSAGES + 1);
}

static void test_answer_before_death_counts(void **state)
{
    expect_mode(state, "answer-and-die", UNSCANNABLE_NONE, false);
}

static void test_hang_is_retried_once(void **state)
{
    expect_mode(state, "hang-once", UNSCANNABLE_NONE, false);
}

static void test_hang_is_bounded(void **state)
{
    expect_mode(state, "hang", UNSCANNABLE_TIME, false);
}

static void test_nonsense_is_retried_once(void **state)
{
    expect_mode(state, "nonsense-once", UNSCANNABLE_NONE, false);
}

static void test_nonsense(void **state)
{
    expect_mode(state, "nonsense", UNSCANNABLE_BAD_ANSWER, false);
}

static void test_answer_to_another_job(void **state)
{
    expect_mode(state, "other-job", UNSCANNABLE_BAD_ANSWER, false);
}

static void test_answer_to_another_message(void **state)
{
    expect_mode(state, "other-message", UNSCANNABLE_BAD_ANSWER, false);
}

static void test_unscannable_needs_a_reason(void **state)
{
    expect_mode(state, "no-reason", UNSCANNABLE_BAD_ANSWER, false);
}

static void test_broken_ring(void **state)
{
    expect_mode(state, "scribble", UNSCANNABLE_BAD_ANSWER, false);
}

static void test_name_without_end(void **state)
{
    struct rig *rig = *state;

    expect_mode(state, "endless-name", UNSCANNABLE_NONE, false);
    assert_int_equal(strlen(rig->answer[0].name), SCAN_NAME_BYTES - 1);
}

static void test_news_of_another_incarnation(void **state)
{
    expect_mode(state, "old-news", UNSCANNABLE_NONE, false);
}

static void test_broken_link_messages(void **state)
{
    static const char *const modes[] = {"many-slots", "control", "wrong-slot", "unknown-message",
                                        "garbage"};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct rig *rig = *state;

        run(rig, modes[i]);
        for (unsigned m = 0; m < MESSAGES; m++)
            assert_int_equal(rig->answer[m].verdict, VERDICT_UNSCANNABLE);
        assert_true(scanners_gone(&rig->scanners));
        scanners_stop(&rig->scanners);
        rig->answers = 0;
        memset(rig->answer, 0, sizeof(rig->answer));
    }
}

static void test_program_that_ends(void **state)
{
    struct rig *rig = *state;
    int wait_status;

    run(rig, "exit-at-once");
    expect_all(rig, VERDICT_UNSCANNABLE, UNSCANNABLE_NO_ENGINE);
    assert_true(scanners_gone(&rig->scanners));
    wait_status = scanners_stop(&rig->scanners);
    assert_true(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 78);
}

static void test_program_that_ends_at_work(void **state)
{
    struct rig *rig = *state;

    run(rig, "exit");
    assert_int_equal(rig->answer[0].verdict, VERDICT_UNSCANNABLE);
    assert_int_equal(rig->answer[0].reason, UNSCANNABLE_SCANNER_DIED);
    assert_int_equal(rig->answer[1].reason, UNSCANNABLE_NO_ENGINE);
    scanners_stop(&rig->scanners);
}

int main(int argc, char **argv)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_good_peer),
        CASE(test_death_is_retried_once),
        CASE(test_second_death_is_the_end),
        CASE(test_answer_before_death_counts),
        CASE(test_hang_is_retried_once),
        CASE(test_hang_is_bounded),
        CASE(test_nonsense_is_retried_once),
        CASE(test_nonsense),
        CASE(test_answer_to_another_job),
        CASE(test_answer_to_another_message),
        CASE(test_unscannable_needs_a_reason),
        CASE(test_broken_ring),
        CASE(test_name_without_end),
        CASE(test_news_of_another_incarnation),
        CASE(test_broken_link_messages),
        CASE(test_program_that_ends),
        CASE(test_program_that_ends_at_work),
    };
#undef CASE

    if (argc != 2)
        return 2;
    peer = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

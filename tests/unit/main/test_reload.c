/* A configuration's way to the workers and its end: nothing they may still refer to is freed, and
 * nothing is kept for ever. Run under ASan, what is freed too early or never is a failure too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/config/sealed.h"
#include "tests/unit/main/thread.h"

static void all_clear(struct main_thread *thread)
{
    for (unsigned i = 0; i < THREAD_WORKERS; i++)
        thread_clear(thread, i);
}

static void test_the_first(void **state)
{
    struct main_thread *thread = *state;

    assert_int_equal(thread_settings(thread)->generation, 1);
    assert_ptr_equal(thread_settings(thread)->config, thread->start_config);
    assert_string_equal(thread_settings(thread)->config->hostname, "mx0.example");
    main_retire(thread); /* nothing to retire */
    assert_int_equal(thread->settings_count, 1);
}

static void test_what_is_in_the_file_now(void **state)
{
    struct main_thread *thread = *state;

    thread_write_host(thread, "mx2.example");
    assert_true(main_reload(thread));
    assert_int_equal(thread_settings(thread)->generation, 2);
    assert_string_equal(thread_settings(thread)->config->hostname, "mx2.example");
    /* Ports, cores and memory stay as they were. */
    assert_string_equal(thread->start_config->hostname, "mx0.example");
}

static void test_a_bad_file_changes_nothing(void **state)
{
    struct main_thread *thread = *state;
    const struct worker_settings *before = thread_settings(thread);

    thread_write(thread, "hostname: [\n");
    assert_true(main_reload(thread)); /* dealt with: it is not tried again by itself */
    assert_ptr_equal(thread_settings(thread), before);
    assert_int_equal(thread->settings_count, 1);
    thread_write_host(thread, "mx2.example");
    assert_true(main_reload(thread));
    assert_int_equal(thread_settings(thread)->generation, 2);
}

/* Settings stay until the last worker is clear of it, in whatever order they are. */
static void test_waits_for_every_worker(void **state)
{
    struct main_thread *thread = *state;

    for (unsigned last = 0; last < THREAD_WORKERS; last++) {
        const struct worker_settings *before = thread_settings(thread);

        assert_true(main_reload(thread));
        for (unsigned i = 0; i < THREAD_WORKERS; i++) {
            main_retire(thread);
            assert_ptr_equal(thread->settings[0], before);
            if (i != last)
                thread_clear(thread, i);
        }
        main_retire(thread);
        assert_ptr_equal(thread->settings[0], before);
        assert_string_equal(before->config->hostname, "mx0.example"); /* still there to be read */
        thread_clear(thread, last);
        main_retire(thread);
        assert_int_equal(thread->settings_count, 1);
    }
    /* The configuration of the start went through it and is not freed. */
    assert_string_equal(thread->start_config->hostname, "mx0.example");
}

/* One slow sender holds nobody up: reloads go on, and in the end each goes by itself. */
static void test_many_at_once(void **state)
{
    struct main_thread *thread = *state;
    char host[32];

    for (uint32_t number = 2; number <= MAIN_SETTINGS_MAX; number++) {
        (void)snprintf(host, sizeof(host), "mx%u.example", number);
        thread_write_host(thread, host);
        assert_true(main_reload(thread));
        assert_string_equal(thread_settings(thread)->config->hostname, host);
        for (unsigned i = 1; i < THREAD_WORKERS; i++)
            thread_clear(thread, i);
        main_retire(thread); /* worker 0 still has a message of the first */
        assert_int_equal(thread->settings_count, number);
    }
    assert_int_equal(atomic_load(&thread->orders.settings_left), 0); /* nobody need leave any */
    thread_uses(thread, 0, 5);
    main_retire(thread);
    assert_int_equal(thread->settings_count, MAIN_SETTINGS_MAX - 4);
    assert_int_equal(thread->settings[0]->generation, 5);
    assert_string_equal(thread->settings[0]->config->hostname, "mx5.example");
    thread_clear(thread, 0);
    main_retire(thread);
    assert_int_equal(thread->settings_count, 1);
}

/* Past the bound the workers are asked to leave the oldest; until they have, no more come. */
static void test_the_oldest_is_left(void **state)
{
    struct main_thread *thread = *state;

    for (uint32_t number = 2; number <= MAIN_SETTINGS_MAX + 1; number++)
        assert_true(main_reload(thread));
    assert_int_equal(thread->settings_count, MAIN_SETTINGS_MAX + 1);
    assert_int_equal(atomic_load(&thread->orders.settings_left), 1);
    thread_write_host(thread, "mx99.example");
    assert_false(main_reload(thread));
    main_retire(thread);
    assert_false(main_reload(thread));
    for (unsigned i = 0; i < THREAD_WORKERS; i++)
        thread_uses(thread, i, 2);
    main_retire(thread);
    assert_int_equal(thread->settings_count, MAIN_SETTINGS_MAX);
    assert_true(main_reload(thread));
    assert_string_equal(thread_settings(thread)->config->hostname, "mx99.example");
    assert_int_equal(atomic_load(&thread->orders.settings_left), 2);
    all_clear(thread);
    main_retire(thread);
    assert_int_equal(thread->settings_count, 1);
}

/* What the supervisor hears: the number in force, and what still waits. */
static void test_answers_to_a_feed(void **state)
{
    struct main_thread *thread = *state;
    struct config_errors errors;
    struct feed_answer answer;
    struct config *config;
    int supervisor;
    int sealed;

    assert_int_equal(feed_pair(&supervisor, &thread->source.feed), STATUS_OK);
    main_retire(thread);
    assert_int_equal(feed_hear(supervisor, &answer), STATUS_OK);
    assert_int_equal(answer.number, 1);
    assert_int_equal(answer.oldest, 1);
    main_retire(thread); /* nothing new, nothing said */
    assert_int_equal(feed_hear(supervisor, &answer), STATUS_AGAIN);
    assert_true(main_reload(thread)); /* nothing has come */
    assert_int_equal(thread_settings(thread)->generation, 1);

    thread_write_host(thread, "mx7.example");
    assert_int_equal(sealed_make(thread->start_config->file, 7, &config, &sealed, &errors),
                     STATUS_OK);
    config_free(config);
    thread_write_host(thread, "later.example"); /* not what was sealed */
    assert_int_equal(feed_offer(supervisor, sealed), STATUS_OK);
    close(sealed);
    assert_true(main_reload(thread));
    assert_int_equal(thread_settings(thread)->generation, 7);
    assert_string_equal(thread_settings(thread)->config->hostname, "mx7.example");
    main_retire(thread);
    assert_int_equal(feed_hear(supervisor, &answer), STATUS_OK);
    assert_int_equal(answer.number, 7);
    assert_int_equal(answer.oldest, 1);
    assert_int_equal(answer.live, 2);
    assert_non_null(strstr(answer.why, "messages"));
    all_clear(thread);
    main_retire(thread);
    assert_int_equal(feed_hear(supervisor, &answer), STATUS_OK);
    assert_int_equal(answer.oldest, 7);
    assert_int_equal(answer.live, 1);
    close(supervisor);
    assert_true(main_reload(thread)); /* the supervisor has gone: mail goes on */
    assert_int_equal(thread->source.feed, -1);
}

#define RELOAD_TEST(test) cmocka_unit_test_setup_teardown(test, thread_set_up, thread_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(test_the_first),
        RELOAD_TEST(test_what_is_in_the_file_now),
        RELOAD_TEST(test_a_bad_file_changes_nothing),
        RELOAD_TEST(test_waits_for_every_worker),
        RELOAD_TEST(test_many_at_once),
        RELOAD_TEST(test_the_oldest_is_left),
        RELOAD_TEST(test_answers_to_a_feed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

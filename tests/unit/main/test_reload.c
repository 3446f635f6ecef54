/* A configuration's way to the workers and its end: nothing they may still refer to is freed, and
 * nothing is kept for ever. Run under ASan, what is freed too early or never is a failure too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/main/thread.h"

static void all_clear(struct main_thread *thread)
{
    for (unsigned i = 0; i < THREAD_WORKERS; i++)
        thread_clear(thread, i);
}

static void test_the_first(void **state)
{
    struct main_thread *thread = *state;

    assert_int_equal(thread_policy(thread)->generation, 1);
    assert_ptr_equal(thread_policy(thread)->config, thread->start_config);
    assert_string_equal(thread_policy(thread)->config->hostname, "mx0.example");
    main_retire(thread); /* nothing to retire */
    assert_null(thread->retired);
}

static void test_what_is_in_the_file_now(void **state)
{
    struct main_thread *thread = *state;

    thread_write_host(thread, "mx2.example");
    assert_true(main_reload(thread));
    assert_int_equal(thread_policy(thread)->generation, 2);
    assert_string_equal(thread_policy(thread)->config->hostname, "mx2.example");
    /* Ports, cores and memory stay as they were. */
    assert_string_equal(thread->start_config->hostname, "mx0.example");
}

static void test_a_bad_file_changes_nothing(void **state)
{
    struct main_thread *thread = *state;
    const struct worker_policy *before = thread_policy(thread);

    thread_write(thread, "hostname: [\n");
    assert_true(main_reload(thread)); /* dealt with: it is not tried again by itself */
    assert_ptr_equal(thread_policy(thread), before);
    assert_null(thread->retired);
    thread_write_host(thread, "mx2.example");
    assert_true(main_reload(thread));
    assert_int_equal(thread_policy(thread)->generation, 2);
}

/* The policy before stays until the last worker is clear of it, in whatever order they are. */
static void test_waits_for_every_worker(void **state)
{
    struct main_thread *thread = *state;

    for (unsigned last = 0; last < THREAD_WORKERS; last++) {
        const struct worker_policy *before = thread_policy(thread);

        assert_true(main_reload(thread));
        for (unsigned i = 0; i < THREAD_WORKERS; i++) {
            main_retire(thread);
            assert_ptr_equal(thread->retired, before);
            if (i != last)
                thread_clear(thread, i);
        }
        main_retire(thread);
        assert_ptr_equal(thread->retired, before);
        assert_string_equal(before->config->hostname, "mx0.example"); /* still there to be read */
        thread_clear(thread, last);
        main_retire(thread);
        assert_null(thread->retired);
    }
    /* The configuration of the start went through it and is not freed. */
    assert_string_equal(thread->start_config->hostname, "mx0.example");
}

/* A worker that is clear of an older one than the last says nothing about the last. */
static void test_an_old_word_does_not_count(void **state)
{
    struct main_thread *thread = *state;

    assert_true(main_reload(thread));
    all_clear(thread);
    main_retire(thread);
    assert_true(main_reload(thread));
    assert_int_equal(thread_policy(thread)->generation, 3);
    main_retire(thread);
    assert_non_null(thread->retired);
}

static void test_one_at_a_time(void **state)
{
    struct main_thread *thread = *state;

    thread_write_host(thread, "mx2.example");
    assert_true(main_reload(thread));
    thread_write_host(thread, "mx3.example");
    assert_false(main_reload(thread));
    assert_string_equal(thread_policy(thread)->config->hostname, "mx2.example");
    all_clear(thread);
    main_retire(thread);
    assert_true(main_reload(thread));
    assert_string_equal(thread_policy(thread)->config->hostname, "mx3.example");
}

#define RELOAD_TEST(test) cmocka_unit_test_setup_teardown(test, thread_set_up, thread_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(test_the_first),
        RELOAD_TEST(test_what_is_in_the_file_now),
        RELOAD_TEST(test_a_bad_file_changes_nothing),
        RELOAD_TEST(test_waits_for_every_worker),
        RELOAD_TEST(test_an_old_word_does_not_count),
        RELOAD_TEST(test_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ending: when it begins, what it waits for, and that it does not wait for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/main/thread.h"

#define NOW (1000 * CLOCK_NS_PER_SECOND)

static bool draining(const struct main_thread *thread)
{
    return atomic_load(&thread->orders.drain);
}

static void test_not_asked(void **state)
{
    struct main_thread *thread = *state;

    for (unsigned i = 0; i < THREAD_WORKERS; i++)
        atomic_store(&thread->workers[i].drained, true);
    assert_false(main_drain(thread, 0, NOW));
    assert_false(draining(thread));
}

static void test_waits_for_the_last_worker(void **state)
{
    struct main_thread *thread = *state;

    assert_false(main_drain(thread, 1, NOW));
    assert_true(draining(thread));
    atomic_store(&thread->workers[0].drained, true);
    atomic_store(&thread->workers[2].drained, true);
    assert_false(main_drain(thread, 1, NOW + CLOCK_NS_PER_SECOND));
    atomic_store(&thread->workers[1].drained, true);
    assert_true(main_drain(thread, 1, NOW + CLOCK_NS_PER_SECOND));
}

/* The limit counts from the first signal, however often it is looked at. */
static void test_not_for_ever(void **state)
{
    struct main_thread *thread = *state;

    for (int64_t past_ns = 0; past_ns < MAIN_DRAIN_LIMIT_NS; past_ns += CLOCK_NS_PER_SECOND)
        assert_false(main_drain(thread, 1, NOW + past_ns));
    assert_false(main_drain(thread, 1, NOW + MAIN_DRAIN_LIMIT_NS - 1));
    assert_true(main_drain(thread, 1, NOW + MAIN_DRAIN_LIMIT_NS));
}

static void test_asked_twice(void **state)
{
    struct main_thread *thread = *state;

    assert_false(main_drain(thread, 1, NOW));
    assert_true(main_drain(thread, 2, NOW));
    assert_true(draining(thread));
}

#define DRAIN_TEST(test) cmocka_unit_test_setup_teardown(test, thread_set_up, thread_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRAIN_TEST(test_not_asked),
        DRAIN_TEST(test_waits_for_the_last_worker),
        DRAIN_TEST(test_not_for_ever),
        DRAIN_TEST(test_asked_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

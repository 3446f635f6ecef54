/* How fast a message came of late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/message/pace.h"

#define SECOND_NS CLOCK_NS_PER_SECOND
#define MB        1000000u

static void test_too_early(void **state)
{
    struct message_pace pace;

    (void)state;
    pace_begin(&pace, 0, 5 * SECOND_NS);
    assert_true(pace_rate(&pace, 0, 15 * SECOND_NS - 1) == UINT64_MAX);
    assert_int_equal(pace_rate(&pace, 0, 15 * SECOND_NS), 0);
    assert_int_equal(pace_rate(&pace, MB, 15 * SECOND_NS), MB / 10);
}

/* Forty megabytes in ten seconds, then nothing. */
static void test_fast_then_still(void **state)
{
    struct message_pace pace;

    (void)state;
    pace_begin(&pace, 0, 0);
    for (uint32_t second = 1; second <= 10; second++)
        pace_note(&pace, second * 4 * MB, second * SECOND_NS);
    assert_int_equal(pace_rate(&pace, 40 * MB, 11 * SECOND_NS), 40 * MB / 11);
    assert_int_equal(pace_rate(&pace, 40 * MB, 19 * SECOND_NS), 40 * MB / 19);
    assert_int_equal(pace_rate(&pace, 40 * MB, 20 * SECOND_NS), 0);
    /* A few bytes now and then do not make up for it. */
    pace_note(&pace, 40 * MB + 100, 60 * SECOND_NS);
    assert_int_equal(pace_rate(&pace, 40 * MB + 100, 61 * SECOND_NS), 1);
}

/* An hour of next to nothing, then all of it. */
static void test_slow_then_fast(void **state)
{
    struct message_pace pace;
    uint32_t bytes = 0;

    (void)state;
    pace_begin(&pace, 0, 0);
    for (uint32_t second = 1; second <= 3600; second++)
        pace_note(&pace, bytes += 10, second * SECOND_NS);
    assert_in_range(pace_rate(&pace, bytes, 3600 * SECOND_NS), 9, 10);
    for (uint32_t second = 3601; second <= 3620; second++)
        pace_note(&pace, bytes += MB, second * SECOND_NS);
    assert_in_range(pace_rate(&pace, bytes, 3620 * SECOND_NS), MB - 1, MB);
}

/* The look back is never shorter than a window and, while bytes come, never longer than two. */
static void test_window(void **state)
{
    struct message_pace pace;

    (void)state;
    pace_begin(&pace, 0, 0);
    for (uint32_t tenth = 1; tenth <= 1000; tenth++) {
        int64_t now_ns = tenth * (SECOND_NS / 10);
        uint64_t rate;

        pace_note(&pace, tenth * tenth, now_ns);
        rate = pace_rate(&pace, tenth * tenth, now_ns);
        if (tenth < 100)
            assert_true(rate == UINT64_MAX);
        else if (tenth >= 200)
            assert_in_range(rate, 20 * (tenth - 100) - 1, 20 * (tenth - 50) + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_early),
        cmocka_unit_test(test_fast_then_still),
        cmocka_unit_test(test_slow_then_fast),
        cmocka_unit_test(test_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/counting.h"
#include "dataplane/main/spread.h"
#include "platform/clock.h"

#define MINUTE_NS (60 * CLOCK_NS_PER_SECOND)

struct rig {
    struct region region;
    struct spread_watch watch;
    int64_t now_ns;
};

static void rig_open(struct rig *rig, uint32_t workers)
{
    struct region_plan plan = {.worker_count = workers, .message_count = workers, .block_count = 1};

    memset(rig, 0, sizeof(*rig));
    rig->now_ns = MINUTE_NS;
    assert_int_equal(region_create(&rig->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
}

static enum spread_news rig_look(struct rig *rig, const uint64_t *fresh, unsigned *worker,
                                 unsigned *percent)
{
    unsigned workers = rig->region.header.worker_count;

    assert_in_range(workers, 1, 4);
    for (unsigned i = 0; i < workers; i++)
        count_add(region_counters(&rig->region, i), COUNTER_CONNECTIONS_OPENED, fresh[i]);
    rig->now_ns += MINUTE_NS;
    return spread_look(&rig->watch, &rig->region, rig->now_ns, worker, percent);
}

static void test_says_it_once(void **state)
{
    static const uint64_t even[4] = {260, 250, 240, 250};
    static const uint64_t lopsided[4] = {10, 970, 10, 10};
    struct rig rig;
    unsigned worker = 99;
    unsigned percent = 0;

    (void)state;
    rig_open(&rig, 4);
    assert_int_equal(rig_look(&rig, even, &worker, &percent), SPREAD_NOTHING);
    assert_int_equal(rig_look(&rig, lopsided, &worker, &percent), SPREAD_LOPSIDED);
    assert_int_equal(worker, 1);
    assert_int_equal(percent, 97);
    assert_int_equal(rig_look(&rig, lopsided, &worker, &percent), SPREAD_NOTHING);
    assert_int_equal(rig_look(&rig, even, &worker, &percent), SPREAD_EVEN_AGAIN);
    assert_int_equal(rig_look(&rig, even, &worker, &percent), SPREAD_NOTHING);
    region_close(&rig.region);
}

/* Few connections say nothing by themselves, but add up; before the minute is over nobody looks. */
static void test_waits_for_enough(void **state)
{
    static const uint64_t few[4] = {0, 400};
    struct rig rig;
    unsigned worker = 99;
    unsigned percent = 0;

    (void)state;
    rig_open(&rig, 2);
    assert_int_equal(rig_look(&rig, few, &worker, &percent), SPREAD_NOTHING);
    assert_int_equal(rig_look(&rig, few, &worker, &percent), SPREAD_NOTHING);
    count_add(region_counters(&rig.region, 1), COUNTER_CONNECTIONS_OPENED, 5000);
    assert_int_equal(
        spread_look(&rig.watch, &rig.region, rig.now_ns + MINUTE_NS - 1, &worker, &percent),
        SPREAD_NOTHING);
    assert_int_equal(rig_look(&rig, few, &worker, &percent), SPREAD_LOPSIDED);
    assert_int_equal(percent, 100);
    region_close(&rig.region);
}

static void test_one_worker_cannot_spread(void **state)
{
    static const uint64_t all[4] = {100000};
    struct rig rig;
    unsigned worker = 99;
    unsigned percent = 0;

    (void)state;
    rig_open(&rig, 1);
    assert_int_equal(rig_look(&rig, all, &worker, &percent), SPREAD_NOTHING);
    region_close(&rig.region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_it_once),
        cmocka_unit_test(test_waits_for_enough),
        cmocka_unit_test(test_one_worker_cannot_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

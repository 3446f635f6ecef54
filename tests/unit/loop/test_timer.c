/* The heap of timers against a plain list, and time that is said, not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/loop/loop.h"
#include "platform/clock.h"

#define TIMERS 200

struct entry {
    struct timer timer;
    struct rig *rig;
    int64_t due_ns; /* what the list says; -1: not set */
    uint64_t order;
};

struct rig {
    struct timers timers;
    struct entry entries[TIMERS];
    uint64_t order;
    int64_t now_ns;
    unsigned rung;
};

/* The first in the list: due soonest, of these the one set first. */
static struct entry *rig_first(struct rig *rig)
{
    struct entry *first = NULL;

    for (unsigned i = 0; i < TIMERS; i++) {
        struct entry *entry = &rig->entries[i];

        if (entry->due_ns < 0)
            continue;
        if (first == NULL || entry->due_ns < first->due_ns ||
            (entry->due_ns == first->due_ns && entry->order < first->order))
            first = entry;
    }
    return first;
}

static void rig_rings(void *context, int64_t now_ns)
{
    struct entry *entry = context;

    assert_ptr_equal(entry, rig_first(entry->rig));
    assert_true(entry->due_ns <= now_ns);
    assert_int_equal(now_ns, entry->rig->now_ns);
    assert_false(entry->timer.set);
    entry->due_ns = -1;
    entry->rig->rung++;
}

static void rig_set(struct rig *rig, struct entry *entry, int64_t due_ns)
{
    timers_set(&rig->timers, &entry->timer, due_ns);
    entry->due_ns = due_ns;
    entry->order = ++rig->order;
}

static void test_against_a_list(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    unsigned seed = 1;

    (void)state;
    assert_non_null(rig);
    for (unsigned i = 0; i < TIMERS; i++) {
        rig->entries[i] = (struct entry){.rig = rig, .due_ns = -1};
        timer_init(&rig->entries[i].timer, rig_rings, &rig->entries[i]);
    }
    for (unsigned step = 0; step < 20000; step++) {
        struct entry *entry;
        const struct entry *first;

        seed = seed * 1103515245 + 12345;
        entry = &rig->entries[(seed >> 8) % TIMERS];
        if (seed >> 30 == 0) {
            timers_clear(&rig->timers, &entry->timer);
            entry->due_ns = -1;
        } else if (seed >> 29 == 2) {
            rig->now_ns += (seed >> 16) % 40;
            timers_run(&rig->timers, rig->now_ns);
            assert_true(timers_next_ns(&rig->timers) > rig->now_ns);
        } else {
            rig_set(rig, entry, rig->now_ns + (seed >> 16) % 100);
        }
        first = rig_first(rig);
        assert_true(timers_next_ns(&rig->timers) ==
                    (first != NULL ? first->due_ns : TIMER_NEVER_NS));
    }
    assert_true(rig->rung > 1000);
    for (unsigned i = 0; i < TIMERS; i++)
        timers_clear(&rig->timers, &rig->entries[i].timer);
    assert_null(rig->timers.root);
    free(rig);
}

static void again(void *context, int64_t now_ns)
{
    struct loop *loop = context;
    struct timer *timer = loop->clock_context;

    timers_set(&loop->timers, timer, now_ns);
}

/* A timer that sets itself for now would otherwise never let go. */
static void test_what_is_set_meanwhile_waits(void **state)
{
    struct timer timer;
    struct loop loop = {.clock_context = &timer};

    (void)state;
    timer_init(&timer, again, &loop);
    timers_set(&loop.timers, &timer, 5);
    timers_run(&loop.timers, 5);
    assert_true(timer.set);
    timers_clear(&loop.timers, &timer);
}

struct alarm {
    struct loop loop;
    unsigned rung;
};

static void alarm_rings(void *context, int64_t now_ns)
{
    struct alarm *alarm = context;

    (void)now_ns;
    if (++alarm->rung == 3)
        (void)event_base_loopbreak(alarm->loop.base);
}

/* The loop keeps the time of the clock: the later timer is set first. */
static void test_loop_rings(void **state)
{
    struct alarm alarm = {0};
    struct timer timers[3];
    int64_t began_ns;

    (void)state;
    assert_int_equal(loop_open(&alarm.loop, NULL, NULL), STATUS_OK);
    began_ns = loop_now_ns(&alarm.loop);
    for (unsigned i = 0; i < 3; i++) {
        timer_init(&timers[i], alarm_rings, &alarm);
        loop_set(&alarm.loop, &timers[i], began_ns + (30 - 10 * i) * CLOCK_NS_PER_MS, began_ns);
    }
    (void)event_base_dispatch(alarm.loop.base);
    assert_int_equal(alarm.rung, 3);
    assert_true(loop_now_ns(&alarm.loop) - began_ns >= 30 * CLOCK_NS_PER_MS);
    loop_close(&alarm.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_list),
        cmocka_unit_test(test_what_is_set_meanwhile_waits),
        cmocka_unit_test(test_loop_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

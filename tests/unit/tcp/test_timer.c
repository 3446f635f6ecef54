/* Deadlines (tcp.h) and the timing wheel below them: never early, late by two ticks at most,
 * nothing lost, whatever the budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TICK_NS      (INT64_C(1) << TCP_TICK_SHIFT)
#define CROWD        600u

static struct rig rig;
static struct client client;

static int set_up(void **state)
{
    rig_open(&rig, NULL);
    client_init(&client, &rig, 1);
    client_connect(&client);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void check_expires_after(int64_t ns)
{
    int64_t deadline = rig.now_ns + ns;
    unsigned before = rig.expired;

    tcp_set_deadline(rig.connection, deadline);
    rig_advance(&rig, ns - 1);
    assert_int_equal(rig.expired, before);
    rig_advance(&rig, 1 + 2 * TICK_NS);
    assert_int_equal(rig.expired, before + 1);
    assert_in_range(rig.expired_ns - deadline, 0, 2 * TICK_NS);
    rig_advance(&rig, 20 * RIG_SECOND);
    assert_int_equal(rig.expired, before + 1);
}

static void test_deadline(void **state)
{
    static const int64_t waits[] = {1,
                                    TICK_NS - 1,
                                    TICK_NS,
                                    TICK_NS + 1,
                                    100 * RIG_MS,
                                    TCP_WHEEL_SLOTS * TICK_NS - 1,
                                    TCP_WHEEL_SLOTS * TICK_NS,
                                    TCP_WHEEL_SLOTS * TICK_NS + 1,
                                    2 * RIG_SECOND,
                                    30 * RIG_SECOND,
                                    300 * RIG_SECOND,
                                    TCP_WHEEL_SLOTS * TCP_WHEEL_SLOTS * TICK_NS,
                                    600 * RIG_SECOND,
                                    3600 * RIG_SECOND};

    (void)state;
    for (size_t i = 0; i < COUNT(waits); i++)
        check_expires_after(waits[i]);
}

static void test_deadline_in_the_past(void **state)
{
    (void)state;
    tcp_set_deadline(rig.connection, rig.now_ns - 5 * RIG_SECOND);
    rig_advance(&rig, 2 * TICK_NS);
    assert_int_equal(rig.expired, 1);
}

static void test_deadline_moves(void **state)
{
    int64_t start = rig.now_ns;

    (void)state;
    tcp_set_deadline(rig.connection, start + 10 * RIG_SECOND);
    rig_advance(&rig, RIG_SECOND);
    tcp_set_deadline(rig.connection, start + 20 * RIG_SECOND); /* later */
    rig_advance(&rig, 18 * RIG_SECOND);
    assert_int_equal(rig.expired, 0);
    tcp_set_deadline(rig.connection, start + 400 * RIG_SECOND); /* far later */
    rig_advance(&rig, 10 * RIG_SECOND);
    assert_int_equal(rig.expired, 0);
    tcp_set_deadline(rig.connection, start + 30 * RIG_SECOND); /* earlier */
    rig_advance(&rig, RIG_SECOND + 2 * TICK_NS);
    assert_int_equal(rig.expired, 1);
    assert_in_range(rig.expired_ns - start, 30 * RIG_SECOND, 30 * RIG_SECOND + 2 * TICK_NS);
    rig_advance(&rig, 500 * RIG_SECOND);
    assert_int_equal(rig.expired, 1);
}

static void test_deadline_unset(void **state)
{
    (void)state;
    tcp_set_deadline(rig.connection, rig.now_ns + RIG_SECOND);
    tcp_set_deadline(rig.connection, 0);
    rig_advance(&rig, 3 * RIG_SECOND);
    assert_int_equal(rig.expired, 0);
    tcp_set_deadline(rig.connection, rig.now_ns + RIG_SECOND);
    rig_advance(&rig, 3 * RIG_SECOND);
    assert_int_equal(rig.expired, 1);
}

static void set_again(struct rig *where, struct tcp_connection *connection, int64_t now_ns)
{
    if (where->expired < 5)
        tcp_set_deadline(connection, now_ns + RIG_SECOND);
}

static void test_deadline_set_again_by_itself(void **state)
{
    int64_t start = rig.now_ns;

    (void)state;
    rig.on_expired = set_again;
    tcp_set_deadline(rig.connection, start + RIG_SECOND);
    rig_advance(&rig, 60 * RIG_SECOND);
    assert_int_equal(rig.expired, 5);
    assert_in_range(rig.expired_ns - start, 5 * RIG_SECOND, 5 * (RIG_SECOND + 2 * TICK_NS));
}

static void close_it(struct rig *where, struct tcp_connection *connection, int64_t now_ns)
{
    (void)where;
    (void)now_ns;
    tcp_close(connection);
}

static void abort_it(struct rig *where, struct tcp_connection *connection, int64_t now_ns)
{
    (void)where;
    (void)now_ns;
    tcp_abort(connection);
}

static void test_deadline_ends_the_connection(void **state)
{
    (void)state;
    rig.on_expired = close_it;
    tcp_set_deadline(rig.connection, rig.now_ns + RIG_SECOND);
    rig_advance(&rig, 2 * RIG_SECOND);
    assert_int_equal(client_next(&client)->tcp.flags & TCP_FLAG_FIN, TCP_FLAG_FIN);
    /* A closed one has no deadlines any more. */
    tcp_set_deadline(rig.connection, rig.now_ns + RIG_SECOND);
    rig_advance(&rig, 3 * RIG_SECOND);
    assert_int_equal(rig.expired, 1);
    client_init(&client, &rig, 2);
    rig_drain(&rig);
    client_connect(&client);
    rig.on_expired = abort_it;
    tcp_set_deadline(rig.connection, rig.now_ns + RIG_SECOND);
    rig_advance(&rig, RIG_SECOND + 2 * TICK_NS);
    assert_int_equal(rig.expired, 2);
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, TCP_CLOSED_ABORTED);
}

/* A crowd of connections, each with a deadline, against a plain array. */
struct crowd {
    struct rig rig;
    struct client client;
    struct tcp_connection *members[CROWD];
    int64_t deadlines[CROWD]; /* 0: none */
    unsigned count;
    int64_t slack_ns; /* how late one may be */
};

static struct crowd crowd;

static void crowd_expired(struct rig *where, struct tcp_connection *connection, int64_t now_ns)
{
    unsigned i = 0;

    (void)where;
    while (crowd.members[i] != connection)
        i++;
    assert_true(crowd.deadlines[i] != 0);
    assert_true(now_ns >= crowd.deadlines[i]);
    assert_true(now_ns <= crowd.deadlines[i] + crowd.slack_ns);
    crowd.deadlines[i] = 0;
}

static int crowd_set_up(void **state)
{
    struct rig_options options = {.connections = CROWD,
                                  .connections_a_client = CROWD,
                                  .connections_a_prefix = CROWD,
                                  .half_open = 16};

    rig_open(&crowd.rig, &options);
    crowd.rig.on_expired = crowd_expired;
    client_init(&crowd.client, &crowd.rig, 1);
    for (crowd.count = 0; crowd.count < CROWD; crowd.count++) {
        crowd.client.port++;
        client_connect(&crowd.client);
        crowd.members[crowd.count] = crowd.rig.connection;
        crowd.deadlines[crowd.count] = 0;
    }
    *state = &crowd;
    return 0;
}

static int crowd_tear_down(void **state)
{
    (void)state;
    rig_close(&crowd.rig);
    return 0;
}

static void crowd_set(unsigned i, int64_t deadline_ns)
{
    crowd.deadlines[i] = deadline_ns;
    tcp_set_deadline(crowd.members[i], deadline_ns);
}

static void crowd_check_none_is_late(void)
{
    for (unsigned i = 0; i < CROWD; i++)
        assert_true(crowd.deadlines[i] == 0 ||
                    crowd.deadlines[i] + crowd.slack_ns >= crowd.rig.now_ns);
}

static void test_wheel_against_a_list(void **state)
{
    uint32_t random = 7;

    (void)state;
    crowd.slack_ns = 2 * TICK_NS;
    for (unsigned step = 0; step < 40000; step++) {
        random = random * 1664525u + 1013904223u;
        for (unsigned n = 0; n < 3; n++) {
            unsigned i = (random >> 4) % CROWD;
            unsigned reach = (random >> 14) % 5;
            int64_t most = (const int64_t[]){5 * TICK_NS, RIG_SECOND, 5 * RIG_SECOND,
                                             280 * RIG_SECOND, 700 * RIG_SECOND}[reach];

            random = random * 1664525u + 1013904223u;
            crowd_set(i, (random >> 8) % 7 == 0
                             ? 0
                             : crowd.rig.now_ns + 1 + random % 4096 * (most / 4096));
        }
        crowd.rig.now_ns += (int64_t)((random >> 10) % (uint32_t)TICK_NS);
        (void)tcp_timers(&crowd.rig.endpoint, crowd.rig.now_ns, CROWD);
        if (step % 50 == 0)
            crowd_check_none_is_late();
    }
    for (unsigned step = 0; step < 400000; step++) {
        crowd.rig.now_ns += TICK_NS / 2;
        (void)tcp_timers(&crowd.rig.endpoint, crowd.rig.now_ns, CROWD);
    }
    for (unsigned i = 0; i < CROWD; i++)
        assert_true(crowd.deadlines[i] == 0);
}

/* Many at one tick, and a budget far below: all come, a little later, for every place of that tick
 * in the wheel (the last one of a level-1 slot included); and one that is due before them does not
 * wait for them. */
static void test_wheel_with_a_small_budget(void **state)
{
    (void)state;
    crowd.slack_ns = 90 * TICK_NS;
    for (unsigned place = 0; place < 2 * TCP_WHEEL_SLOTS; place++) {
        int64_t deadline =
            (crowd.rig.now_ns / TICK_NS + TCP_WHEEL_SLOTS + 40 + place % TCP_WHEEL_SLOTS) * TICK_NS;
        bool late = false;

        for (unsigned i = 1; i < CROWD; i++)
            crowd_set(i, deadline);
        crowd_set(0, deadline - 100 * TICK_NS); /* must not be held up by the others */
        while (crowd.rig.now_ns < deadline + crowd.slack_ns) {
            unsigned ran;

            crowd.rig.now_ns += TICK_NS;
            ran = tcp_timers(&crowd.rig.endpoint, crowd.rig.now_ns, 16);
            assert_in_range(ran, 0, 16 + 1);
        }
        for (unsigned i = 0; i < CROWD; i++)
            late = late || crowd.deadlines[i] != 0;
        assert_false(late);
    }
}

/* After a pause (a stopped process) everything that became due comes at once, the rest in time. */
static void test_wheel_after_a_pause(void **state)
{
    int64_t start = crowd.rig.now_ns;

    (void)state;
    crowd.slack_ns = 2000 * RIG_SECOND;
    for (unsigned i = 0; i < CROWD; i++)
        crowd_set(i, start + (int64_t)(i + 1) * RIG_SECOND);
    crowd.rig.now_ns = start + 200 * RIG_SECOND + TICK_NS;
    (void)tcp_timers(&crowd.rig.endpoint, crowd.rig.now_ns, 4 * CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(crowd.deadlines[i] == 0, i < 200);
    crowd.slack_ns = 2 * TICK_NS;
    while (crowd.rig.now_ns < start + (CROWD + 1) * RIG_SECOND) {
        crowd.rig.now_ns += TICK_NS / 2;
        (void)tcp_timers(&crowd.rig.endpoint, crowd.rig.now_ns, CROWD);
    }
    crowd_check_none_is_late();
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_CROWD(name) cmocka_unit_test_setup_teardown(name, crowd_set_up, crowd_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deadline),
        TEST(test_deadline_in_the_past),
        TEST(test_deadline_moves),
        TEST(test_deadline_unset),
        TEST(test_deadline_set_again_by_itself),
        TEST(test_deadline_ends_the_connection),
        TEST_CROWD(test_wheel_against_a_list),
        TEST_CROWD(test_wheel_with_a_small_budget),
        TEST_CROWD(test_wheel_after_a_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

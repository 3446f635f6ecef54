/* How many slots a sender may hold, and that what is counted is what is held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/message/senders.h"

#define SLOTS 64u
#define FIRST UINT64_C(0xc0000201)         /* 192.0.2.1 */
#define IPV6  UINT64_C(0x20010db800010001) /* 2001:db8:1:1::/64 */

static struct senders senders;

static int set_up(void **state)
{
    (void)state;
    return senders_init(&senders, SLOTS) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    senders_fini(&senders);
    return 0;
}

static void take(uint64_t prefix, unsigned count)
{
    while (count-- > 0)
        (void)senders_enter(&senders, prefix);
}

/* While more than a quarter is free nobody is asked how many it has. */
static void test_plenty(void **state)
{
    (void)state;
    take(FIRST, 40);
    assert_true(senders_admit(&senders, FIRST, SLOTS / 4 + 1, SLOTS));
    assert_false(senders_admit(&senders, FIRST, SLOTS / 4, SLOTS));
    assert_false(senders_admit(&senders, FIRST, 1, SLOTS));
}

static void test_an_address(void **state)
{
    struct senders_place place;

    (void)state;
    for (unsigned held = 0; held < SLOTS / 16; held++) {
        assert_true(senders_admit(&senders, FIRST, 1, SLOTS));
        place = senders_enter(&senders, FIRST);
    }
    assert_false(senders_admit(&senders, FIRST, 1, SLOTS));
    assert_true(senders_admit(&senders, FIRST + 1, 1, SLOTS));
    senders_leave(&senders, &place, 1);
    assert_true(senders_admit(&senders, FIRST, 1, SLOTS));
}

static void test_a_neighbourhood(void **state)
{
    static const struct {
        uint64_t first, near, far;
    } cases[] = {{FIRST, FIRST + 200, FIRST + 256}, {IPV6, IPV6 + 0xff00, IPV6 + 0x10000}};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        take(cases[i].first, SLOTS / 16);
        take(cases[i].first + 1, SLOTS / 16 - 1);
        assert_true(senders_admit(&senders, cases[i].near, 1, SLOTS));
        take(cases[i].first + 1, 1);
        assert_false(senders_admit(&senders, cases[i].near, 1, SLOTS));
        assert_true(senders_admit(&senders, cases[i].far, 1, SLOTS));
        assert_int_equal(senders_held(&senders, cases[i].near, true), SLOTS / 8);
        assert_int_equal(senders_held(&senders, cases[i].near, false), 0);
    }
}

/* 192.0.2.0 is an address as well as the name of what is around it. */
static void test_the_neighbourhood_is_no_address(void **state)
{
    (void)state;
    take(FIRST, 3);
    assert_int_equal(senders_held(&senders, FIRST - 1, false), 0);
    assert_int_equal(senders_held(&senders, FIRST - 1, true), 3);
}

/* All slots, each of another sender, again and again: entries always suffice and come back. */
static void test_all_slots_of_strangers(void **state)
{
    struct senders_place held[SLOTS];
    uint32_t random = 3;
    unsigned count = 0;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned at = (random = random * 1664525u + 1013904223u) >> 26;

        if (count == SLOTS || (count > 0 && random % 3 == 0)) {
            at %= count;
            senders_leave(&senders, &held[at], 1);
            held[at] = held[--count];
        } else {
            held[count++] =
                senders_enter(&senders, round % 2 == 0 ? random : IPV6 + (uint64_t)random * 65536);
        }
    }
    while (count > 0)
        senders_leave(&senders, &held[--count], 1);
    for (unsigned i = 0; i < 2 * SLOTS; i++)
        assert_int_equal(senders.entries[i].held, 0);
}

/* Whoever has one may have more of the same: they count like slots, and go back with it. */
static void test_more_of_one(void **state)
{
    struct senders_place place = senders_enter(&senders, FIRST);

    (void)state;
    for (unsigned i = 0; i < SLOTS / 16 - 1; i++) {
        assert_true(senders_admit(&senders, FIRST, 1, SLOTS));
        senders_add(&senders, &place);
    }
    assert_false(senders_admit(&senders, FIRST, 1, SLOTS));
    assert_int_equal(senders_held(&senders, FIRST, true), SLOTS / 16);
    senders_leave(&senders, &place, SLOTS / 16);
    assert_int_equal(senders_held(&senders, FIRST, false), 0);
    assert_int_equal(senders_held(&senders, FIRST, true), 0);
}

/* Of very few slots each may still have one. */
static void test_few_slots(void **state)
{
    struct senders few;

    (void)state;
    assert_int_equal(senders_init(&few, 4), STATUS_OK);
    assert_true(senders_admit(&few, FIRST, 1, 4));
    (void)senders_enter(&few, FIRST);
    assert_false(senders_admit(&few, FIRST, 1, 4));
    senders_fini(&few);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plenty),
        TEST(test_an_address),
        TEST(test_a_neighbourhood),
        TEST(test_the_neighbourhood_is_no_address),
        TEST(test_all_slots_of_strangers),
        TEST(test_more_of_one),
        TEST(test_few_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

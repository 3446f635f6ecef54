/* Who is let in, who grows, who waits; and for mixes of chance: always safe, never stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "dataplane/message/admission.h"
#include "platform/sums.h"
#include "platform/why.h"

#define CAPACITY 400u /* 100 small, 300 large */
#define SHARE    10u
#define LOT      120u
#define WAIT_NS  INT64_C(30000000000)

static struct admission admission;

static int set_up(void **state)
{
    (void)state;
    admission_init(&admission, CAPACITY);
    return 0;
}

static bool enter_sure(struct admission_entry *entry, uint32_t blocks, int64_t now_ns)
{
    struct admission_request request = {
        .blocks = blocks, .claim = blocks, .sure = true, .small = blocks <= SHARE};

    return admission_enter(&admission, entry, &request, now_ns);
}

static bool enter_unsure(struct admission_entry *entry, int64_t now_ns)
{
    struct admission_request request = {.blocks = SHARE, .claim = LOT, .small = true};

    return admission_enter(&admission, entry, &request, now_ns);
}

static void test_large_cannot_take_the_small_part(void **state)
{
    struct admission_entry large[3] = {0};
    struct admission_entry small[10] = {0};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(enter_sure(&large[i], 150, 1), i < 2);
    assert_true(large[2].since_ns == 1);
    for (unsigned i = 0; i < 10; i++)
        assert_true(i % 2 == 0 ? enter_unsure(&small[i], 2) : enter_sure(&small[i], SHARE, 2));
    assert_int_equal(admission.granted, CAPACITY);
    /* What is left of a grant is free once all bytes are there. */
    admission_complete(&admission, &large[0], 100);
    assert_false(enter_sure(&large[2], 150, 3));
    admission_leave(&admission, &large[0]);
    assert_true(enter_sure(&large[2], 150, 4));
    assert_int_equal(large[2].since_ns, 0);
}

/* Six that each need most of what there is: the oldest gets all of it, then the next. */
static void test_the_oldest_completes(void **state)
{
    struct admission_entry entries[6] = {0};
    uint32_t has[6];

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        assert_true(enter_unsure(&entries[i], 1));
        has[i] = SHARE;
    }
    for (unsigned done = 0; done < 6; done++) {
        for (unsigned round = 0; round < LOT; round++) {
            for (unsigned i = done; i < 6; i++) {
                if (has[i] < LOT && admission_grow(&admission, &entries[i], has[i] + 1, 2))
                    has[i]++;
                assert_true(admission_safe(&admission));
            }
        }
        assert_int_equal(has[done], LOT);
        admission_complete(&admission, &entries[done], LOT);
        admission_leave(&admission, &entries[done]);
    }
    assert_int_equal(admission.granted, 0);
    assert_int_equal(admission.unsure, 0);
}

static void test_first_come(void **state)
{
    struct admission_entry first = {0};
    struct admission_entry big = {0};
    struct admission_entry less = {0};
    struct admission_entry small = {0};

    (void)state;
    assert_true(enter_sure(&first, 200, 1));
    assert_false(enter_sure(&big, 250, 2));
    /* It would fit, but came later; small mail never waits for large. */
    assert_false(enter_sure(&less, 50, 3));
    assert_true(enter_sure(&small, SHARE, 3));
    assert_false(admission_overdue(&big, WAIT_NS, 2 + WAIT_NS - 1));
    assert_true(admission_overdue(&big, WAIT_NS, 2 + WAIT_NS));
    admission_leave(&admission, &big);
    assert_true(enter_sure(&less, 50, 4));
}

/* SIZE= is a promise: who breaks it is of unknown size, or, where that is not safe, ends. */
static void test_more_than_announced(void **state)
{
    struct admission_entry liars[4] = {0};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_true(enter_sure(&liars[i], 70, 1));
    for (unsigned i = 0; i < 3; i++)
        assert_true(admission_exceed(&admission, &liars[i], LOT));
    assert_false(admission_exceed(&admission, &liars[3], LOT));
    assert_true(admission_safe(&admission));
    assert_false(admission_grow(&admission, &liars[0], LOT, 2));
    admission_leave(&admission, &liars[3]);
    assert_true(admission_grow(&admission, &liars[0], LOT, 2));
    assert_false(admission_grow(&admission, &liars[1], LOT, 2));
    admission_leave(&admission, &liars[0]);
    assert_true(admission_grow(&admission, &liars[1], LOT, 3));
    assert_false(admission_grow(&admission, &liars[1], LOT + 1, 3)); /* more than anybody may */
}

/* A message that can hold more than there is: its claim is cut, and beyond it there is nothing. */
static void test_claim_over_capacity(void **state)
{
    struct admission_entry entry = {0};
    struct admission_request request = {.blocks = SHARE, .claim = 10 * CAPACITY, .small = true};

    (void)state;
    assert_true(admission_enter(&admission, &entry, &request, 1));
    assert_int_equal(entry.claim, 300);
    assert_true(admission_grow(&admission, &entry, 300, 1));
    assert_false(admission_grow(&admission, &entry, 301, 2));
    assert_int_equal(entry.since_ns, 2);
}

/* The largest message fits, if anyhow possible, at the cost of the small part. */
static void test_fit(void **state)
{
    static const uint32_t cases[][2] = {{LOT, 100}, {300, 100}, {301, 99}, {370, 30},
                                        {376, 25},  {400, 25},  {4000, 25}};

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        admission_fit(&admission, cases[i][0]);
        assert_int_equal(admission.small_capacity, cases[i][1]);
        assert_int_equal(admission_possible(&admission, cases[i][0]), cases[i][0] <= 375);
    }
}

/* A larger limit at a reload waits until it is safe. */
static void test_larger_lot_later(void **state)
{
    struct admission_entry entries[14] = {0};
    struct admission_entry later = {0};
    struct admission_request request = {.blocks = SHARE, .claim = 300, .small = true};

    (void)state;
    for (unsigned i = 0; i < 14; i++)
        assert_true(enter_unsure(&entries[i], 1));
    assert_int_equal(admission.unsure, 4 * SHARE);
    assert_false(admission_enter(&admission, &later, &request, 2));
    for (unsigned i = 0; i < 14; i++)
        admission_leave(&admission, &entries[i]);
    assert_true(admission_enter(&admission, &later, &request, 3));
    assert_true(admission_safe(&admission));
}

/* What the sums take for enough at a start is what the largest message can be let in with, and
 * nothing less. */
static void test_the_sums_are_true(void **state)
{
    static const unsigned workers[] = {1, 2, 16, 32};
    unsigned refused = 0;
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
        for (uint64_t mib = 1; mib <= 4096; mib += mib < 64 ? 1 : 37) {
            for (uint64_t size = 1; size <= 100u << 20; size = size * 3 / 2 + 1) {
                struct config config = {.memory.messages_bytes = mib << 20,
                                        .limits = {.message_bytes = size, .window_bytes = 131072}};
                uint32_t slice =
                    (uint32_t)(config.memory.messages_bytes / MESSAGE_BLOCK_BYTES / workers[i]);
                uint32_t lot = (uint32_t)sums_message_blocks(size, config.limits.window_bytes);
                struct why why;
                bool enough = sums_of_memory(&config, workers[i], &why) == STATUS_OK;

                admission_init(&admission, slice - slice / SUMS_KEPT_BACK);
                admission_fit(&admission, lot);
                assert_int_equal(admission_possible(&admission, lot), enough);
                refused += !enough;
                taken += enough;
            }
        }
    }
    assert_true(refused > 1000 && taken > 1000);
}

/* One client takes half of the small part, and no more while others hold something. */
static void test_no_client_keeps_the_others_out(void **state)
{
    struct admission_entry taken[16] = {0};
    struct admission_entry other = {0};
    struct admission_entry more = {0};
    struct admission_client first = {0};
    struct admission_client second = {0};
    struct admission_request request = {
        .blocks = SHARE, .claim = LOT, .small = true, .client = {&first}};
    unsigned count = 0;

    (void)state;
    while (count < 16 && admission_enter(&admission, &taken[count], &request, 1))
        count++;
    assert_int_equal(count, 6); /* 60 of 100 blocks: the sixth still found half of them free */
    request.client[0] = &second;
    assert_true(admission_enter(&admission, &other, &request, 2)); /* it has nothing yet */
    assert_false(admission_enter(&admission, &more, &request, 2)); /* 20 are over an eighth */
    /* What is complete is nobody's share. */
    admission_complete(&admission, &other, SHARE);
    assert_true(admission_enter(&admission, &more, &request, 3));
    /* Growth is not bounded: the oldest has to end. */
    assert_true(admission_grow(&admission, &taken[0], LOT, 3));
    for (unsigned i = 0; i < count; i++)
        admission_leave(&admission, &taken[i]);
    admission_leave(&admission, &other);
    admission_leave(&admission, &more);
    assert_int_equal(first.granted, 0);
    assert_int_equal(second.granted, 0);
    assert_int_equal(admission.granted, 0);
    assert_int_equal(admission.small_granted, 0);
}

/* What one address may not take, many of one neighbourhood may not take either. */
static void test_no_neighbourhood_keeps_the_others_out(void **state)
{
    struct admission_client addresses[16] = {0};
    struct admission_client around = {0};
    struct admission_client stranger[2] = {0};
    struct admission_entry taken[16] = {0};
    struct admission_entry other = {0};
    struct admission_request request = {.blocks = SHARE, .claim = LOT, .small = true};
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        request.client[0] = &addresses[i];
        request.client[1] = &around;
        if (admission_enter(&admission, &taken[i], &request, 1))
            count++;
        else
            assert_true(admission_crowds(&admission, &request));
    }
    assert_int_equal(count, 6);
    assert_int_equal(around.granted, 6 * SHARE);
    request.client[0] = &stranger[0];
    request.client[1] = &stranger[1];
    assert_false(admission_crowds(&admission, &request));
    assert_true(admission_enter(&admission, &other, &request, 2));
    /* Within a quarter it may. */
    for (unsigned i = 0; i < 5; i++)
        admission_leave(&admission, &taken[i]);
    request.client[0] = &addresses[15];
    request.client[1] = &around;
    assert_true(admission_enter(&admission, &taken[15], &request, 3));
    for (unsigned i = 0; i < 16; i++)
        admission_leave(&admission, &taken[i]);
    admission_leave(&admission, &other);
    assert_int_equal(around.granted, 0);
}

/* What only waits for its server leaves the small part to those that come in. */
static void test_complete_mail_leaves_the_small_part(void **state)
{
    struct admission_entry done[40] = {0};
    struct admission_entry next = {0};

    (void)state;
    admission_fit(&admission, LOT);
    for (unsigned i = 0; i < 29; i++) {
        assert_true(enter_unsure(&done[i], 1));
        admission_complete(&admission, &done[i], SHARE);
        assert_true(admission_safe(&admission));
        /* As long as the largest message has room beside them; then half of it, and what came. */
        assert_in_range(admission.small_granted, 0, i < 18 ? 0 : 60);
    }
    assert_true(enter_unsure(&next, 2));
    assert_int_equal(next.small, SHARE);
    assert_int_equal(done[0].small, 0);
    assert_int_equal(done[28].small, SHARE);
    /* But not where the oldest that grows may need the room. */
    assert_true(admission_grow(&admission, &next, SHARE + 1, 2));
    for (unsigned i = 29; i < 33; i++) {
        assert_true(enter_unsure(&done[i], 3));
        admission_complete(&admission, &done[i], SHARE);
        assert_int_equal(done[i].small, SHARE);
    }
    assert_int_equal(admission.small_granted, CAPACITY / 4);
    for (unsigned i = 0; i < 33; i++)
        admission_leave(&admission, &done[i]);
    assert_null(admission.complete.first);
    admission_leave(&admission, &next);
    assert_int_equal(admission.small_granted, 0);
    assert_int_equal(admission.granted, 0);
}

/* A message that needs all of the large part is not kept out by one block of a small one that is
 * complete, while the small part has room for it. */
static void test_complete_mail_stays_while_there_is_room(void **state)
{
    struct admission_entry done[4] = {0};
    struct admission_entry large = {0};

    (void)state;
    admission_fit(&admission, 300);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(enter_unsure(&done[i], 1));
        admission_complete(&admission, &done[i], SHARE);
    }
    assert_true(enter_sure(&large, 300, 2));
    admission_leave(&admission, &large);
    for (unsigned i = 0; i < 4; i++)
        admission_leave(&admission, &done[i]);
}

#define MANY 64u

struct sender {
    struct admission_entry entry;
    bool announces;
    bool lies;
    bool submitted;  /* all bytes sent, waits for its answer */
    uint32_t size;   /* blocks it will send in all */
    uint32_t sent;   /* 0: has not been let in */
    uint32_t answer; /* rounds until then */
};

static uint32_t chance(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % below;
}

static void sender_draw(struct sender *sender, uint32_t *random)
{
    *sender = (struct sender){.announces = chance(random, 2) == 0, .answer = chance(random, 20)};
    sender->size = chance(random, 3) == 0 ? 1 + chance(random, LOT) : 1 + chance(random, SHARE);
    sender->lies = sender->announces && chance(random, 10) == 0;
}

/* One step of one sender; true when its message has come to its end. */
static bool sender_step(struct sender *sender)
{
    struct admission_entry *entry = &sender->entry;
    uint32_t announced = sender->lies ? 1 + sender->size / 2 : sender->size;

    if (sender->submitted) {
        if (sender->answer-- > 0)
            return false;
        admission_leave(&admission, entry);
        return true;
    }
    if (sender->sent == 0) {
        if (sender->announces ? enter_sure(entry, announced, 1) : enter_unsure(entry, 1))
            sender->sent = 1;
        return false;
    }
    if (sender->sent == sender->size) {
        admission_complete(&admission, entry, sender->sent);
        sender->submitted = true;
        return false;
    }
    if (sender->sent + 1 > entry->granted && entry->stage == ADMISSION_SURE &&
        !admission_exceed(&admission, entry, LOT)) {
        admission_leave(&admission, entry); /* refused: it holds what others may need */
        return true;
    }
    if (admission_grow(&admission, entry, sender->sent + 1, 1))
        sender->sent++;
    return false;
}

/* Nobody ever gives up waiting here: if the state could become one in which nobody can go on, or
 * one in which somebody never gets its turn, this would not end. */
static void test_mixes_of_chance(void **state)
{
    static struct sender senders[MANY];

    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        uint32_t random = seed * 2654435761u;
        uint32_t count = 2 + chance(&random, MANY - 2);
        unsigned idle = 0;
        unsigned ended = 0;

        admission_init(&admission, CAPACITY);
        for (uint32_t i = 0; i < count; i++)
            sender_draw(&senders[i], &random);
        while (ended < 400) {
            struct sender *sender = &senders[chance(&random, count)];

            if (sender_step(sender)) {
                sender_draw(sender, &random);
                ended++;
                idle = 0;
            }
            assert_true(admission_safe(&admission));
            assert_true(++idle < 200000);
        }
        for (uint32_t i = 0; i < count; i++)
            admission_leave(&admission, &senders[i].entry);
        assert_int_equal(admission.granted, 0);
        assert_int_equal(admission.small_granted, 0);
        assert_int_equal(admission.unsure, 0);
        assert_null(admission.growing.first);
        assert_null(admission.waiting.first);
        assert_null(admission.complete.first);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_large_cannot_take_the_small_part),
        TEST(test_the_oldest_completes),
        TEST(test_first_come),
        TEST(test_more_than_announced),
        TEST(test_claim_over_capacity),
        TEST(test_fit),
        TEST(test_larger_lot_later),
        TEST(test_the_sums_are_true),
        TEST(test_no_client_keeps_the_others_out),
        TEST(test_no_neighbourhood_keeps_the_others_out),
        TEST(test_complete_mail_leaves_the_small_part),
        TEST(test_complete_mail_stays_while_there_is_room),
        TEST(test_mixes_of_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

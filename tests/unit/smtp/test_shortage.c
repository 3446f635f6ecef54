/* No block, no slot, no window; too slow for what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

/* No block, no slot, no window: at each point a temporary refusal, and it all comes back. */
static void test_exhaustion(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nA: b\r\n\r\nbody\r\n.\r\nRSET\r\nQUIT\r\n";
    uint32_t taken[HARNESS_BLOCKS];
    bool seen_refused = false;
    bool seen_delivered = false;

    (void)state;
    for (uint32_t left = HARNESS_BLOCKS / 16; left < HARNESS_BLOCKS / 8 + 12; left++) {
        uint32_t count = 0;

        while (h.store.free_count > left)
            taken[count++] = block_take(&h.store, BLOCK_FOR_REPLY);
        harness_open(&h, NULL);
        (void)converse(text, strlen(text), 11);
        if (strstr(h.pipe.sent, "452 4.3.1 Insufficient system storage\r\n") != NULL) {
            seen_refused = true;
            assert_null(strstr(h.pipe.sent, "queued"));
        } else if (strstr(h.pipe.sent, "queued") != NULL) {
            seen_delivered = true;
        }
        harness_close(&h);
        assert_int_equal(h.store.free_count, left);
        assert_int_equal(h.store.free_slot_count, HARNESS_SLOTS);
        while (count > 0)
            block_give(&h.store, taken[--count]);
    }
    assert_true(seen_refused);
    assert_true(seen_delivered);
    harness_open(&h, NULL);
    h.pipe.data_refused = true;
    say(TO_ALICE "DATA\r\n");
    assert_string_equal(h.pipe.sent, TO_ALICE_REPLY "452 4.3.1 Insufficient system storage\r\n");
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    harness_close(&h);
}

static void test_no_slot(void **state)
{
    struct message *messages[HARNESS_SLOTS];

    (void)state;
    for (unsigned i = 0; i < HARNESS_SLOTS; i++)
        assert_non_null(messages[i] = message_take(&h.store));
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    assert_string_equal(h.pipe.sent,
                        BANNER EHLO_REPLY MAIL_OK "452 4.3.1 Insufficient system storage\r\n"
                                                  "554 5.5.1 Error: no valid recipients\r\n");
    assert_int_equal(h.rejections, 2);
    for (unsigned i = 0; i < HARNESS_SLOTS; i++)
        message_give(&h.store, messages[i]);
    say("RCPT TO:<alice@example.com>\r\nDATA\r\n.\r\n");
    assert_true(harness_finish(&h, &delivered));
    harness_close(&h);
}

/* A client with many connections does not get the last slots; one with few does. */
static void test_crowding(void **state)
{
    struct message *messages[HARNESS_SLOTS - 1];

    (void)state;
    for (unsigned i = 0; i < HARNESS_SLOTS - 1; i++)
        assert_non_null(messages[i] = message_take(&h.store));
    harness_open(&h, NULL);
    h.pipe.peers = 2;
    say(TO_ALICE);
    assert_string_equal(h.pipe.sent,
                        BANNER EHLO_REPLY MAIL_OK "452 4.3.1 Insufficient system storage\r\n");
    h.pipe.peers = 1;
    say("RCPT TO:<alice@example.com>\r\nRSET\r\n");
    assert_int_equal(h.concluded, 1);
    /* With more room the number does not matter. */
    message_give(&h.store, messages[0]);
    h.pipe.peers = 2;
    say("MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nRSET\r\n");
    assert_int_equal(h.concluded, 2);
    harness_close(&h);
    for (unsigned i = 1; i < HARNESS_SLOTS - 1; i++)
        message_give(&h.store, messages[i]);
}

/* While memory is short the same rate does not do. */
static void test_slow_data_in_shortage(void **state)
{
    static uint32_t held[HARNESS_BLOCKS];
    unsigned count = 0;
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
    int64_t started_ns;

    (void)state;
    h.config.limits.data_rate = 10;
    harness_open(&h, NULL);
    harness_send(&h, TO_ALICE "DATA\r\n", strlen(TO_ALICE "DATA\r\n"), SIZE_MAX);
    started_ns = h.pipe.now_ns;
    while (block_available(&h.store, BLOCK_FOR_DATA) > HARNESS_BLOCKS / 16)
        held[count++] = block_take(&h.store, BLOCK_FOR_DATA);
    while (h.pipe.deadline_ns - h.pipe.now_ns > 3 * SECOND_NS) {
        h.pipe.now_ns += 3 * SECOND_NS;
        harness_send(&h, line, strlen(line), SIZE_MAX);
        assert_true(h.pipe.now_ns - started_ns < 1000 * SECOND_NS);
    }
    assert_true(h.pipe.now_ns - started_ns < 200 * SECOND_NS);
    pipe_expire(&h.pipe);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    harness_close(&h);
    while (count > 0)
        block_give(&h.store, held[--count]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(test_exhaustion),
        DIALOGUE_TEST(test_no_slot),
        DIALOGUE_TEST(test_crowding),
        DIALOGUE_TEST(test_slow_data_in_shortage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* No block, no slot, no window; too slow for what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/smtp/state.h"
#include "dialogue.h"

/* No block, no slot, no window: at each point a temporary refusal, and it all comes back. */
static void test_exhaustion(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nA: b\r\n\r\nbody\r\n.\r\nRSET\r\nQUIT\r\n";
    uint32_t taken[RIG_BLOCKS];
    bool seen_refused = false;
    bool seen_delivered = false;

    (void)state;
    for (uint32_t left = RIG_BLOCKS / 16; left < RIG_BLOCKS / 8 + 12; left++) {
        uint32_t count = 0;

        while (h.store.free_count > left)
            taken[count++] = block_take(&h.store, BLOCK_FOR_TABLE);
        rig_open(&h, NULL);
        (void)converse(text, strlen(text), 11);
        if (strstr(h.pipe.sent, "452 4.3.1 Insufficient system storage\r\n") != NULL) {
            seen_refused = true;
            assert_null(strstr(h.pipe.sent, "queued"));
        } else if (strstr(h.pipe.sent, "queued") != NULL) {
            seen_delivered = true;
        }
        rig_close(&h);
        assert_int_equal(h.store.free_count, left);
        assert_int_equal(h.store.free_slot_count, RIG_SLOTS);
        while (count > 0)
            block_give(&h.store, taken[--count]);
    }
    assert_true(seen_refused);
    assert_true(seen_delivered);
    rig_open(&h, NULL);
    h.pipe.data_refused = true;
    say(TO_ALICE "DATA\r\n");
    assert_string_equal(h.pipe.sent, TO_ALICE_REPLY "452 4.3.1 Insufficient system storage\r\n");
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    rig_close(&h);
}

static void test_no_slot(void **state)
{
    struct message *messages[RIG_SLOTS];

    (void)state;
    for (unsigned i = 0; i < RIG_SLOTS; i++)
        assert_non_null(messages[i] = message_take(&h.store));
    rig_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    assert_string_equal(h.pipe.sent,
                        BANNER EHLO_REPLY MAIL_OK "452 4.3.1 Insufficient system storage\r\n"
                                                  "554 5.5.1 Error: no valid recipients\r\n");
    assert_int_equal(h.rejections, 2);
    for (unsigned i = 0; i < RIG_SLOTS; i++)
        message_give(&h.store, messages[i]);
    say("RCPT TO:<alice@example.com>\r\nDATA\r\n.\r\n");
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
}

/* Who holds its share does not get another of the last slots, nor does its neighbour; a stranger
 * does, and with more room it does not matter. */
static void test_crowding(void **state)
{
    struct message *messages[RIG_SLOTS - 1];

    (void)state;
    for (unsigned i = 0; i < RIG_SLOTS - 1; i++)
        assert_non_null(messages[i] = message_take(&h.store));
    rig_open(&h, NULL);
    message_from(&h.store, messages[0], h.pipe.prefix);
    say(TO_ALICE);
    assert_string_equal(h.pipe.sent,
                        BANNER EHLO_REPLY MAIL_OK "452 4.3.1 Insufficient system storage\r\n");
    assert_int_equal(h.server.counters->value[COUNTER_SENDER_CROWDED], 1);
    h.pipe.prefix ^= 1;
    say("RCPT TO:<alice@example.com>\r\n");
    assert_int_equal(h.server.counters->value[COUNTER_SENDER_CROWDED], 2);
    h.pipe.prefix ^= 0x100;
    say("RCPT TO:<alice@example.com>\r\nRSET\r\n");
    assert_int_equal(h.concluded, 1);
    h.pipe.prefix ^= 0x101;
    message_give(&h.store, messages[1]);
    message_give(&h.store, messages[2]);
    say("MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n");
    assert_int_equal(senders_held(&h.store.senders, h.pipe.prefix, false), 2);
    say("RSET\r\n");
    assert_int_equal(senders_held(&h.store.senders, h.pipe.prefix, false), 1);
    rig_close(&h);
    message_give(&h.store, messages[0]);
    for (unsigned i = 3; i < RIG_SLOTS - 1; i++)
        message_give(&h.store, messages[i]);
}

/* While memory is short the same rate does not do. */
static void test_slow_data_in_shortage(void **state)
{
    static uint32_t held[RIG_BLOCKS];
    unsigned count = 0;
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
    int64_t started_ns;

    (void)state;
    h.config.limits.data_rate = 10;
    rig_open(&h, NULL);
    rig_send(&h, TO_ALICE "DATA\r\n", strlen(TO_ALICE "DATA\r\n"), SIZE_MAX);
    started_ns = h.pipe.now_ns;
    while (block_available(&h.store, BLOCK_FOR_DATA) > RIG_BLOCKS / 16)
        held[count++] = block_take(&h.store, BLOCK_FOR_DATA);
    while (h.pipe.deadline_ns - h.pipe.now_ns > 3 * SECOND_NS) {
        h.pipe.now_ns += 3 * SECOND_NS;
        rig_send(&h, line, strlen(line), SIZE_MAX);
        assert_true(h.pipe.now_ns - started_ns < 1000 * SECOND_NS);
    }
    assert_true(h.pipe.now_ns - started_ns < 200 * SECOND_NS);
    pipe_expire(&h.pipe);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    rig_close(&h);
    while (count > 0)
        block_give(&h.store, held[--count]);
}

#define NO_ROOM    "452 4.3.1 Insufficient system storage\r\n"
#define LARGE_FROM "EHLO c.example\r\nMAIL FROM:<s@c.example> SIZE=1000000\r\n"
#define LARGE      LARGE_FROM "RCPT TO:<alice@example.com>\r\nDATA\r\n"
#define LARGE_EHLO                                                 \
    "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 5000000\r\n" \
    "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"                  \
    "250 LIMITS RCPTMAX=3 RCPTDOMAINMAX=1\r\n"
#define LARGE_REPLY BANNER LARGE_EHLO MAIL_OK RCPT_OK

/* Somebody else's announced mail holds the large part until admission_leave(). */
static void occupy(struct admission_entry *other)
{
    uint32_t blocks = h.store.admission.capacity - h.store.admission.small_capacity;
    struct admission_request request = {.blocks = blocks, .claim = blocks, .sure = true};

    h.config.limits.message_bytes = 5000000;
    h.config.limits.admission_wait_ns = 30 * SECOND_NS;
    *other = (struct admission_entry){0};
    assert_true(admission_enter(&h.store.admission, other, &request, 1));
}

/* Time passes in which nothing comes; returns how long it was until something was said. */
static int64_t wait_for_reply(int64_t most_ns)
{
    int64_t from_ns = h.pipe.now_ns;
    uint32_t said = h.pipe.sent_length;

    while (h.pipe.sent_length == said && h.pipe.now_ns - from_ns < most_ns)
        pipe_expire(&h.pipe);
    return h.pipe.now_ns - from_ns;
}

/* There is no room for what was announced: 354 comes when there is. */
static void test_go_ahead_is_withheld(void **state)
{
    struct admission_entry other;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    say(LARGE "x\r\n.\r\nNOOP\r\n");
    assert_true(wait_for_reply(10 * SECOND_NS) >= 10 * SECOND_NS);
    assert_string_equal(h.pipe.sent, LARGE_REPLY);
    assert_true(h.pipe.readable > 0); /* nothing is read, either */
    admission_leave(&h.store.admission, &other);
    assert_true(wait_for_reply(SECOND_NS) <= SECOND_NS / 10);
    assert_string_equal(h.pipe.sent, LARGE_REPLY GO_AHEAD);
    assert_int_equal(h.submitted, 1);
    assert_true(rig_finish(&h, &delivered));
    assert_non_null(strstr(h.pipe.sent, "queued as 9F\r\n" OK));
    rig_close(&h);
    assert_int_equal(h.store.admission.granted, 0);
}

/* And 452 when it has not come in time; small mail goes through all the while. */
static void test_no_room_in_time(void **state)
{
    struct admission_entry other;
    int64_t waited_ns;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    say(LARGE);
    waited_ns = wait_for_reply(100 * SECOND_NS);
    assert_true(waited_ns >= 30 * SECOND_NS && waited_ns < 31 * SECOND_NS);
    assert_string_equal(h.pipe.sent, LARGE_REPLY NO_ROOM);
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    say("MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\nx\r\n.\r\n");
    assert_int_equal(h.submitted, 1);
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
    admission_leave(&h.store.admission, &other);
    assert_int_equal(h.store.admission.granted, 0);
}

static void test_leaves_while_waiting(void **state)
{
    struct admission_entry other;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    say(LARGE);
    pipe_close(&h.pipe, TCP_CLOSED_RESET);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    assert_null(h.store.admission.waiting.first);
    rig_close(&h);
    admission_leave(&h.store.admission, &other);
}

/* Sends lines until `bytes` are sent or there is no window any more. */
static uint32_t pour(uint32_t bytes)
{
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
    uint32_t sent = 0;

    while (sent < bytes && h.pipe.expect == TCP_EXPECT_DATA) {
        rig_send(&h, line, strlen(line), SIZE_MAX);
        sent += (uint32_t)strlen(line);
    }
    return sent;
}

/* Of unknown size: a first share at once, no window beyond it until there is room, then the rest.
 */
static void test_growth_waits(void **state)
{
    struct admission_entry other;
    uint32_t sent;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    say("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    sent = pour(4000000);
    assert_int_equal(h.pipe.expect, TCP_EXPECT_NOTHING);
    assert_true(sent >= 262144 && sent < 2 * 262144);
    for (unsigned i = 0; i < 100; i++)
        pipe_expire(&h.pipe);
    assert_int_equal(h.pipe.expect, TCP_EXPECT_NOTHING);
    admission_leave(&h.store.admission, &other);
    pipe_expire(&h.pipe);
    assert_int_equal(h.pipe.expect, TCP_EXPECT_DATA);
    sent += pour(4000000);
    assert_true(sent >= 4000000);
    say(".\r\n");
    assert_int_equal(h.submitted, 1);
    assert_int_equal(h.messages[0].length, sent);
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
    assert_int_equal(h.store.admission.granted, 0);
}

static void test_growth_in_vain(void **state)
{
    struct admission_entry other;
    int64_t from_ns;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    say("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    (void)pour(4000000);
    from_ns = h.pipe.now_ns;
    while (h.concluded == 0)
        pipe_expire(&h.pipe);
    assert_true(h.pipe.now_ns - from_ns >= 30 * SECOND_NS);
    assert_true(h.pipe.now_ns - from_ns < 31 * SECOND_NS);
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    say("\r\n.\r\n");
    assert_non_null(strstr(h.pipe.sent, GO_AHEAD NO_ROOM));
    rig_close(&h);
    admission_leave(&h.store.admission, &other);
}

/* Bytes that still fit its window do not put off the end of its waiting. */
static void test_growth_in_vain_with_a_trickle(void **state)
{
    struct admission_entry other;
    int64_t from_ns;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    say("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    (void)pour(4000000);
    from_ns = h.pipe.now_ns;
    while (h.concluded == 0 && h.pipe.now_ns - from_ns < 100 * SECOND_NS) {
        int64_t next_ns = h.pipe.now_ns + SECOND_NS / 25;

        while (h.concluded == 0 && h.pipe.deadline_ns != 0 && h.pipe.deadline_ns <= next_ns)
            pipe_expire(&h.pipe);
        if (h.concluded > 0)
            break;
        h.pipe.now_ns = next_ns;
        rig_send(&h, "x", 1, SIZE_MAX);
    }
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    assert_true(h.pipe.now_ns - from_ns >= 30 * SECOND_NS);
    assert_true(h.pipe.now_ns - from_ns < 31 * SECOND_NS);
    say("\r\n.\r\n");
    rig_close(&h);
    admission_leave(&h.store.admission, &other);
}

/* What has come never needs more than was granted, the tables of where it lies included: more is
 * asked for in time, also where another table begins. */
static void test_growth_counts_tables(void **state)
{
    struct smtp_call call = {.server = &h.server};
    uint32_t tables = 0;

    (void)state;
    rig_open(&h, NULL);
    for (uint32_t blocks = smtp_admit_blocks(&call, 0); blocks < 3 * MESSAGE_EXTENTS_PER_BLOCK;
         blocks++) {
        uint32_t fits = smtp_admit_fits(&call, blocks);

        assert_in_range(smtp_admit_blocks(&call, fits), 0, blocks);
        assert_true(smtp_admit_blocks(&call, (uint64_t)fits + 1) > blocks);
        tables += smtp_admit_blocks(&call, fits) < blocks;
    }
    assert_int_equal(tables, 2);
    assert_int_equal(smtp_admit_fits(&call, 0), 0);
    rig_close(&h);
}

/* SIZE= is a promise: who sends more than announced while that is not safe is refused at once. */
static void test_more_than_announced(void **state)
{
    struct admission_entry grows = {0};
    struct admission_request share = {.blocks = 20, .claim = 500, .small = true};

    (void)state;
    h.config.limits.message_bytes = 5000000;
    assert_true(admission_enter(&h.store.admission, &grows, &share, 1));
    assert_true(admission_grow(&h.store.admission, &grows, 300, 1));
    rig_open(&h, NULL);
    say("EHLO c\r\nMAIL FROM:<> SIZE=4000000\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    assert_non_null(strstr(h.pipe.sent, NO_ROOM)); /* the oldest has the first claim */
    say("MAIL FROM:<> SIZE=3000000\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    assert_non_null(strstr(h.pipe.sent, GO_AHEAD));
    (void)pour(2900000);
    assert_int_equal(h.concluded, 1);
    (void)pour(200000);
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    assert_int_equal(h.concluded, 2);
    rig_close(&h);
    admission_leave(&h.store.admission, &grows);
}

/* A configuration that came later allows more than a worker's part for large mail holds: that is
 * the limit, at MAIL and in the data, and what fits is taken. Nobody waits for what can never be.
 */
static void test_larger_than_a_worker(void **state)
{
    char text[256];
    uint64_t fits = h.server.message_bytes;

    (void)state;
    assert_true(fits > h.config.limits.message_bytes && fits < RIG_BLOCKS * MESSAGE_BLOCK_BYTES);
    h.config.limits.message_bytes = UINT64_C(100) << 20;
    h.config.limits.admission_wait_ns = 30 * SECOND_NS;
    rig_open(&h, NULL);
    (void)snprintf(text, sizeof(text), "EHLO c\r\nMAIL FROM:<> SIZE=%llu\r\n",
                   (unsigned long long)fits + 1);
    say(text);
    (void)snprintf(text, sizeof(text), "250-SIZE %llu\r\n", (unsigned long long)fits);
    assert_non_null(strstr(h.pipe.sent, text));
    assert_non_null(strstr(h.pipe.sent, "RCPTDOMAINMAX=1\r\n" TOO_LARGE));
    (void)snprintf(text, sizeof(text),
                   "MAIL FROM:<> SIZE=%llu\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n",
                   (unsigned long long)fits);
    say(text);
    assert_non_null(strstr(h.pipe.sent, MAIL_OK RCPT_OK GO_AHEAD));
    say(".\r\n");
    assert_true(rig_finish(&h, &delivered));
    say("MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    while (h.concluded == 0 && h.pipe.expect == TCP_EXPECT_DATA)
        (void)pour(64 * 1024);
    assert_int_equal(h.outcome, MAIL_TOO_LARGE);
    rig_close(&h);
    assert_int_equal(h.store.admission.granted, 0);
}

/* What came behind the final dot lies in blocks that were granted for data, and stays counted as
 * such while its sender waits; and the envelope with it, so that the next one has room. */
static void test_behind_the_dot_is_counted(void **state)
{
    static const char behind[] =
        "x\r\n.\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
    struct pipe_options options = {5, 4, TCP_SEND_BYTES};
    const struct store *store = &h.store;

    (void)state;
    h.config.limits.message_bytes = 5000000;
    rig_open(&h, &options);
    say("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n");
    rig_send(&h, behind, strlen(behind), SIZE_MAX);
    assert_int_equal(h.submitted, 1);
    assert_true(h.pipe.readable > 0);
    assert_int_equal(store->held[BLOCK_FOR_ENVELOPE], 0);
    assert_true(store->block_count - store->free_count - store->beside_count > 8);
    assert_in_range(store->block_count - store->free_count - store->beside_count, 9,
                    store->admission.granted);
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
    assert_int_equal(store->admission.granted, 0);
}

/* For room and then for a window is one wait. */
static void test_one_wait(void **state)
{
    struct admission_entry other;
    int64_t waited_ns;

    (void)state;
    occupy(&other);
    rig_open(&h, NULL);
    h.pipe.data_refused = true;
    say(LARGE);
    waited_ns = wait_for_reply(20 * SECOND_NS);
    assert_string_equal(h.pipe.sent, LARGE_REPLY);
    admission_leave(&h.store.admission, &other);
    waited_ns += wait_for_reply(100 * SECOND_NS);
    assert_true(waited_ns >= 30 * SECOND_NS && waited_ns < 31 * SECOND_NS);
    assert_string_equal(h.pipe.sent, LARGE_REPLY NO_ROOM);
    rig_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(test_go_ahead_is_withheld),
        DIALOGUE_TEST(test_no_room_in_time),
        DIALOGUE_TEST(test_leaves_while_waiting),
        DIALOGUE_TEST(test_growth_waits),
        DIALOGUE_TEST(test_growth_in_vain),
        DIALOGUE_TEST(test_growth_in_vain_with_a_trickle),
        DIALOGUE_TEST(test_growth_counts_tables),
        DIALOGUE_TEST(test_more_than_announced),
        DIALOGUE_TEST(test_larger_than_a_worker),
        DIALOGUE_TEST(test_behind_the_dot_is_counted),
        DIALOGUE_TEST(test_one_wait),
        DIALOGUE_TEST(test_exhaustion),
        DIALOGUE_TEST(test_no_slot),
        DIALOGUE_TEST(test_crowding),
        DIALOGUE_TEST(test_slow_data_in_shortage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

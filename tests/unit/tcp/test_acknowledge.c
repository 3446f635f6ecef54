/* Acknowledging, and what an attacker may try on a connection (RFC 9293 3.8.6.3, 3.10.7.4; RFC 5681
 * 4.2; RFC 2018, 2883; RFC 7323 3-5; RFC 5961). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/rig.h"

#define TICK_NS (INT64_C(1) << TCP_TICK_SHIFT)

static struct rig rig;
static struct client client;

static int set_up_apart(void **state)
{
    rig_open(&rig, NULL);
    client_init(&client, &rig, 1);
    *state = &rig;
    return 0;
}

static int set_up(void **state)
{
    int failed = set_up_apart(state);

    client_connect(&client);
    return failed;
}

static int set_up_sack(void **state)
{
    int failed = set_up_apart(state);

    client.sack = true;
    client_connect(&client);
    return failed;
}

static int set_up_timestamps(void **state)
{
    int failed = set_up_apart(state);

    client.sack = true;
    client.timestamps = true;
    client_connect(&client);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void check_silence(void)
{
    rig_flush(&rig);
    assert_null(client_next(&client));
}

static const struct rig_frame *check_acked(uint32_t offset)
{
    const struct rig_frame *frame;

    rig_flush(&rig);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.flags, TCP_FLAG_ACK);
    assert_int_equal(frame->tcp.ack - client.first, offset);
    assert_null(client_next(&client));
    return frame;
}

static uint32_t send_quick(void)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < TCP_QUICK_ACKS; i++, at += 10) {
        assert_int_equal(client_stream(&client, at, 10), COUNTER_TCP_IN_ACCEPTED);
        (void)check_acked(at + 10);
    }
    return at;
}

/* RFC 5681 4.2: at once at first, then every second segment, a single one after 40 ms. */
static void test_rfc_5681_4_2_delayed_ack(void **state)
{
    uint32_t at = send_quick();
    const struct rig_frame *frame;
    int64_t arrived;

    (void)state;
    for (unsigned i = 0; i < 10; i++, at += 20) {
        assert_int_equal(client_stream(&client, at, 10), COUNTER_TCP_IN_ACCEPTED);
        check_silence();
        rig_advance(&rig, 10 * RIG_MS);
        assert_int_equal(client_stream(&client, at + 10, 10), COUNTER_TCP_IN_ACCEPTED);
        (void)check_acked(at + 20);
    }
    rig_advance(&rig, RIG_SECOND);
    check_silence();
    arrived = rig.now_ns;
    assert_int_equal(client_stream(&client, at, 10), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, TCP_DELAYED_ACK_NS - RIG_MS);
    check_silence();
    rig_advance(&rig, RIG_MS + 2 * TICK_NS);
    frame = check_acked(at + 10);
    assert_in_range(frame->sent_ns - arrived, TCP_DELAYED_ACK_NS, TCP_DELAYED_ACK_NS + 2 * TICK_NS);
}

/* One burst, one acknowledgement. */
static void test_one_ack_a_burst(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(client_stream(&client, 1000 * i, 1000), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(5000);
}

/* A reply carries the acknowledgement, and none follows. */
static void test_ack_rides_on_a_reply(void **state)
{
    uint32_t at = send_quick();
    const struct rig_frame *frame;

    (void)state;
    assert_int_equal(client_stream(&client, at, 10), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send(rig.connection, "250 \r\n", 6), STATUS_OK);
    rig_flush(&rig);
    frame = client_next(&client);
    assert_int_equal(frame->tcp.payload_length, 6);
    assert_int_equal(frame->tcp.ack, client.first + at + 10);
    rig_advance(&rig, 100 * RIG_MS);
    check_silence();
}

/* RFC 5681 4.2: a gap, and what fills it, are acknowledged at once; and then quickly for a while.
 */
static void test_gaps_are_acknowledged_at_once(void **state)
{
    uint32_t at = send_quick();

    (void)state;
    assert_int_equal(client_stream(&client, at + 10, 10), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(at);
    assert_int_equal(client_stream(&client, at + 30, 10), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(at);
    assert_int_equal(client_stream(&client, at, 10), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(at + 20);
    assert_int_equal(client_stream(&client, at + 20, 10), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(at + 40);
    assert_int_equal(client_stream(&client, at + 40, 10), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(at + 50);
}

static void test_pure_acks_are_not_answered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, RIG_SECOND);
    check_silence();
}

static void check_sack(const struct rig_frame *frame, unsigned index, uint32_t start, uint32_t end)
{
    assert_true(index < frame->sack_count);
    assert_int_equal(frame->sack[index][0] - client.first, start);
    assert_int_equal(frame->sack[index][1] - client.first, end);
}

/* RFC 2018 4: the block that just grew first, at most four; joined when they touch. */
static void test_rfc_2018_blocks(void **state)
{
    const struct rig_frame *frame;

    (void)state;
    assert_int_equal(client_stream(&client, 1000, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(0);
    assert_int_equal(frame->sack_count, 1);
    check_sack(frame, 0, 1000, 1100);
    assert_int_equal(client_stream(&client, 3000, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(0);
    assert_int_equal(frame->sack_count, 2);
    check_sack(frame, 0, 3000, 3100);
    check_sack(frame, 1, 1000, 1100);
    assert_int_equal(client_stream(&client, 2000, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(0);
    assert_int_equal(frame->sack_count, 3);
    check_sack(frame, 0, 2000, 2100);
    assert_int_equal(client_stream(&client, 1100, 50), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(0);
    check_sack(frame, 0, 1000, 1150);
    for (uint32_t i = 4; i < 8; i++)
        assert_int_equal(client_stream(&client, 1000 * i, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(0);
    assert_int_equal(frame->sack_count, 4);
    check_sack(frame, 0, 7000, 7100);
    /* From 1150 to 2000: two become one. */
    assert_int_equal(client_stream(&client, 1100, 950), COUNTER_TCP_IN_ACCEPTED);
    check_sack(check_acked(0), 0, 1000, 2100);
    /* What was in the gap moves the acknowledgement; those left are still told. */
    assert_int_equal(client_stream(&client, 0, 1000), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(2100);
    assert_int_equal(frame->sack_count, 4);
    check_sack(frame, 0, 3000, 3100);
}

static void test_rfc_2018_not_without_agreement(void **state)
{
    (void)state;
    assert_int_equal(client_stream(&client, 1000, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(check_acked(0)->sack_count, 0);
}

/* With timestamps there is room for three. */
static void test_rfc_2018_three_blocks_with_timestamps(void **state)
{
    const struct rig_frame *frame;

    (void)state;
    for (uint32_t i = 1; i < 6; i++)
        assert_int_equal(client_stream(&client, 1000 * i, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(0);
    assert_int_equal(frame->sack_count, 3);
    assert_true(frame->tcp.has_timestamp);
    check_sack(frame, 0, 5000, 5100);
}

/* RFC 2883 4: what came twice is the first block, once. */
static void test_rfc_2883_duplicates_are_reported(void **state)
{
    const struct rig_frame *frame;

    (void)state;
    assert_int_equal(client_stream(&client, 0, 500), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(check_acked(500)->sack_count, 0);
    assert_int_equal(client_stream(&client, 0, 500), COUNTER_TCP_IN_DUPLICATE);
    frame = check_acked(500);
    assert_int_equal(frame->sack_count, 1);
    check_sack(frame, 0, 0, 500);
    assert_int_equal(client_stream(&client, 1000, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(check_acked(500)->sack_count, 1);
    assert_int_equal(client_stream(&client, 1000, 100), COUNTER_TCP_IN_DUPLICATE);
    frame = check_acked(500);
    assert_int_equal(frame->sack_count, 2);
    check_sack(frame, 0, 1000, 1100);
    check_sack(frame, 1, 1000, 1100);
}

/* RFC 7323 4.3: the echo is the timestamp of the last segment that moved the left edge. */
static void test_rfc_7323_4_3_echo(void **state)
{
    const struct rig_frame *frame;
    uint32_t own;

    (void)state;
    client.clock = 6000;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(100);
    assert_int_equal(frame->tcp.timestamp_echo, 6000);
    own = frame->tcp.timestamp;
    rig_advance(&rig, 500 * RIG_MS);
    client.clock = 6500;
    assert_int_equal(client_stream(&client, 200, 100), COUNTER_TCP_IN_ACCEPTED);
    frame = check_acked(100);
    assert_int_equal(frame->tcp.timestamp_echo, 6000);
    assert_int_equal(frame->tcp.timestamp - own, 500);
    client.clock = 6600;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(check_acked(300)->tcp.timestamp_echo, 6600);
}

/* RFC 7323 5.3 (PAWS): an older timestamp is an old duplicate, acknowledged and dropped. */
static void test_rfc_7323_5_3_paws(void **state)
{
    (void)state;
    client.clock = 6000;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(100);
    client.clock = 5999;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(100);
    client.clock = 6000u - 0x7fffffffu;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(100);
    client.clock = 6000;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(200);
    assert_int_equal(rig.received_length, 200);
}

static void test_rfc_7323_timestamp_wraps(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10; i++) {
        client.clock += 0x40000000u;
        assert_int_equal(client_stream(&client, 100 * i, 100), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(check_acked(100 * i + 100)->tcp.timestamp_echo, client.clock);
    }
}

/* RFC 7323 5.3, R2 before R3: a segment outside the window does not set the clock forward, or one
 * blind packet would stop the connection. */
static void test_rfc_7323_5_3_outsiders_do_not_set_the_clock(void **state)
{
    uint32_t clock = client.clock;

    (void)state;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    client.clock = clock + 0x40000000u;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.first - 1000000, "x", 1),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.first - 1000, "x", 1),
                     COUNTER_TCP_IN_DUPLICATE);
    rig_flush(&rig);
    rig_drain(&rig);
    client.clock = clock;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(200);
}

/* RFC 7323 3.2: once agreed, a segment without one is dropped; a reset needs none. */
static void test_rfc_7323_3_2_missing_timestamp(void **state)
{
    struct segment segment = {.flags = TCP_FLAG_ACK, .window = 1000, .payload = "abc", .length = 3};

    (void)state;
    segment.seq = client.seq;
    segment.ack = client.ack;
    assert_int_equal(client_put(&client, &segment), COUNTER_TCP_IN_BAD_HEADER);
    check_silence();
    assert_int_equal(rig.received_length, 0);
    segment.flags = TCP_FLAG_RST;
    assert_int_equal(client_put(&client, &segment), COUNTER_TCP_IN_RESET);
    assert_int_equal(rig.closed, 1);
}

/* RFC 5961 3.2: exactly where we are: reset; in the window: challenged; else nothing. */
static void test_rfc_5961_3_2_reset(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq - 1, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq + TCP_COMMAND_WINDOW, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    check_silence();
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq + 1, NULL, 0),
                     COUNTER_TCP_IN_CHALLENGED);
    (void)check_acked(0);
    assert_int_equal(
        client_send(&client, TCP_FLAG_RST, client.seq + TCP_COMMAND_WINDOW - 1, NULL, 0),
        COUNTER_TCP_IN_CHALLENGED);
    (void)check_acked(0);
    assert_int_equal(rig.closed, 0);
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq, NULL, 0), COUNTER_TCP_IN_RESET);
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, TCP_CLOSED_RESET);
    check_silence();
    /* Nobody is there any more. */
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_NO_CONNECTION);
}

/* RFC 5961 4.2: a SYN, wherever it lies, is challenged. */
static void test_rfc_5961_4_2_syn(void **state)
{
    static const int32_t places[] = {0, 1, 8191};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(
            client_send(&client, TCP_FLAG_SYN, client.seq + (uint32_t)places[i], NULL, 0),
            COUNTER_TCP_IN_CHALLENGED);
        (void)check_acked(0);
    }
    assert_int_equal(client_send(&client, TCP_FLAG_SYN, client.initial - 5000, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_acked(0);
    assert_int_equal(client_send(&client, TCP_FLAG_SYN, client.seq + 1000000, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(0);
    assert_int_equal(rig.opened, 1);
    assert_int_equal(rig.closed, 0);
}

/* RFC 5961 7: challenges are limited, and the limit is a connection's own. */
static void test_rfc_5961_7_challenge_limit(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 3; second++) {
        unsigned answers = 0;

        for (unsigned i = 0; i < 3 * TCP_CHALLENGES_MAX; i++) {
            assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq + 5, NULL, 0),
                             COUNTER_TCP_IN_CHALLENGED);
            rig_flush(&rig);
            answers += client_next(&client) != NULL ? 1 : 0;
        }
        assert_int_equal(answers, TCP_CHALLENGES_MAX);
        rig_advance(&rig, TCP_CHALLENGE_NS);
    }
}

/* RFC 5961 5.2: what acknowledges what was never sent, or what is too old, is a guess. */
static void test_rfc_5961_5_2_acknowledgements(void **state)
{
    (void)state;
    assert_int_equal(client_send_ack(&client, client.own + 1), COUNTER_TCP_IN_BAD_ACK);
    (void)check_acked(0);
    assert_int_equal(client_send_ack(&client, client.own + 0x7fffffff), COUNTER_TCP_IN_BAD_ACK);
    (void)check_acked(0);
    assert_int_equal(client_send_ack(&client, client.own - 65535), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    assert_int_equal(client_send_ack(&client, client.own - 65536), COUNTER_TCP_IN_BAD_ACK);
    (void)check_acked(0);
    /* Data with such an acknowledgement is not taken either. */
    client.ack = client.own + 1;
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_BAD_ACK);
    assert_int_equal(rig.received_length, 0);
}

/* RFC 9293 3.10.7.4: a segment without ACK is dropped. */
static void test_no_ack_flag(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, 0, client.seq, "abc", 3), COUNTER_TCP_IN_BAD_HEADER);
    assert_int_equal(client_send(&client, TCP_FLAG_FIN, client.seq, NULL, 0),
                     COUNTER_TCP_IN_BAD_HEADER);
    assert_int_equal(rig.received_length, 0);
    assert_int_equal(rig.finished, 0);
    check_silence();
}

#define TEST(name)            cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_SACK(name)       cmocka_unit_test_setup_teardown(name, set_up_sack, tear_down)
#define TEST_TIMESTAMPS(name) cmocka_unit_test_setup_teardown(name, set_up_timestamps, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc_5681_4_2_delayed_ack),
        TEST(test_one_ack_a_burst),
        TEST(test_ack_rides_on_a_reply),
        TEST(test_gaps_are_acknowledged_at_once),
        TEST(test_pure_acks_are_not_answered),
        TEST_SACK(test_rfc_2018_blocks),
        TEST(test_rfc_2018_not_without_agreement),
        TEST_TIMESTAMPS(test_rfc_2018_three_blocks_with_timestamps),
        TEST_SACK(test_rfc_2883_duplicates_are_reported),
        TEST_TIMESTAMPS(test_rfc_7323_4_3_echo),
        TEST_TIMESTAMPS(test_rfc_7323_5_3_paws),
        TEST_TIMESTAMPS(test_rfc_7323_timestamp_wraps),
        TEST_TIMESTAMPS(test_rfc_7323_5_3_outsiders_do_not_set_the_clock),
        TEST_TIMESTAMPS(test_rfc_7323_3_2_missing_timestamp),
        TEST(test_rfc_5961_3_2_reset),
        TEST(test_rfc_5961_4_2_syn),
        TEST(test_rfc_5961_7_challenge_limit),
        TEST(test_rfc_5961_5_2_acknowledgements),
        TEST(test_no_ack_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

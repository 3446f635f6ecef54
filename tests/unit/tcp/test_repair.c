/* What is lost on the way is sent again (RFC 5681, 6298, 6582, 6675; RFC 7323 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "tests/unit/tcp/sending.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TICK_NS      (INT64_C(1) << TCP_TICK_SHIFT)

/* RFC 6298 5: the first second, doubled each time up to a minute; RFC 9293 3.8.3: the end after R2,
 * which is at least 100 s. */
static void test_rfc_6298_back_off_and_r2(void **state)
{
    int64_t start = rig.now_ns;
    int64_t expected = 0;

    (void)state;
    send_reply(100);
    (void)check_segment(0, 100);
    for (unsigned i = 0; i < TCP_RETRIES_MAX; i++) {
        const struct rig_frame *frame;
        int64_t rto = RIG_SECOND << i < TCP_RTO_MAX_NS ? RIG_SECOND << i : TCP_RTO_MAX_NS;

        expected += rto;
        rig_advance(&rig, start + expected - 2 * RIG_MS - rig.now_ns);
        check_silence();
        rig_advance(&rig, 100 * RIG_MS);
        frame = check_segment(0, 100);
        assert_in_range(frame->sent_ns - start, expected, expected + (i + 1) * 2 * TICK_NS);
        check_silence();
    }
    assert_int_equal(rig_counter(&rig, COUNTER_TCP_RETRANSMITS), TCP_RETRIES_MAX);
    assert_true(expected >= 100 * RIG_SECOND);
    assert_int_equal(rig.closed, 0);
    rig_advance(&rig, TCP_RTO_MAX_NS + RIG_SECOND);
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, TCP_CLOSED_TIMEOUT);
    check_silence();
}

/* RFC 5681 3.1: after a time-out one segment, then it grows again; everything arrives. */
static void test_rfc_5681_slow_start_after_timeout(void **state)
{
    uint32_t at = 0;

    (void)state;
    send_reply(7300);
    rig_drain(&rig);
    client.ack = client.own;
    rig_advance(&rig, 1100 * RIG_MS);
    for (unsigned burst = 1; at < 7300; burst *= 2) {
        for (unsigned i = 0; i < burst && at < 7300; i++, at += 1460)
            (void)check_segment(at, 1460);
        check_silence();
        if (at == 7300)
            break;
        for (uint32_t acked = at - 1460 * burst + 1460; acked <= at; acked += 1460)
            assert_int_equal(client_send_ack(&client, client.own + acked), COUNTER_TCP_IN_ACCEPTED);
        rig_flush(&rig);
    }
    assert_int_equal(client_send_ack(&client, client.own + 7300), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send_space(rig.connection), TCP_SEND_BYTES);
}

static void duplicate_acks(unsigned count, uint32_t offset)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(client_send_ack(&client, client.own + offset), COUNTER_TCP_IN_ACCEPTED);
        rig_flush(&rig);
    }
}

/* RFC 5681 3.2: the third duplicate repairs at once; RFC 6582: a partial ACK repairs the next. */
static void test_rfc_5681_fast_retransmit(void **state)
{
    (void)state;
    send_reply(7300);
    rig_drain(&rig);
    duplicate_acks(2, 0);
    check_silence();
    duplicate_acks(1, 0);
    client.ack = client.own;
    (void)check_segment(0, 1460);
    check_silence();
    assert_int_equal(rig_counter(&rig, COUNTER_TCP_RETRANSMITS), 1);
    /* Segments 0 and 2 were lost. */
    assert_int_equal(client_send_ack(&client, client.own + 2920), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    (void)check_segment(2920, 1460);
    check_silence();
    assert_int_equal(client_send_ack(&client, client.own + 7300), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    assert_int_equal(rig_counter(&rig, COUNTER_TCP_RETRANSMITS), 2);
    rig_advance(&rig, 5 * RIG_SECOND);
    check_silence();
}

/* RFC 5681 2: what carries data, changes the window or has nothing to wait for is no duplicate. */
static void test_rfc_5681_what_is_no_duplicate(void **state)
{
    (void)state;
    duplicate_acks(5, 0);
    check_silence();
    send_reply(2920);
    rig_drain(&rig);
    for (unsigned i = 0; i < 5; i++) {
        client.ack = client.own;
        assert_int_equal(client_stream(&client, 10 * i, 10), COUNTER_TCP_IN_ACCEPTED);
        client.seq += 10;
        client.window = (uint16_t)(60000 + i);
        assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
        rig_flush(&rig);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_TCP_RETRANSMITS), 0);
}

/* RFC 6298 3 (Karn): what was sent twice is not timed; what was not, is. */
static void test_rfc_6298_karn(void **state)
{
    (void)state;
    /* Two seconds there and back, but only after a retransmission: no sample; the back-off stays.
     */
    send_reply(100);
    rig_advance(&rig, 1100 * RIG_MS);
    rig_drain(&rig);
    assert_int_equal(client_send_ack(&client, client.own + 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.connection->srtt_ns, 0);
    assert_int_equal(rig.connection->rto_ns, 2 * RIG_SECOND);
    /* The next one is timed: 500 ms; RTO = 500 + 4 * 250. */
    assert_int_equal(tcp_send(rig.connection, reply, 100), STATUS_OK);
    rig_flush(&rig);
    rig_advance(&rig, 500 * RIG_MS);
    assert_int_equal(client_send_ack(&client, client.own + 200), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.connection->srtt_ns, 500 * RIG_MS);
    assert_int_equal(rig.connection->rto_ns, 1500 * RIG_MS);
    /* And again: 500 ms; the variance falls, the minimum of a second holds in the end. */
    for (uint32_t i = 3; i < 40; i++) {
        assert_int_equal(tcp_send(rig.connection, reply, 100), STATUS_OK);
        rig_flush(&rig);
        rig_advance(&rig, 500 * RIG_MS);
        assert_int_equal(client_send_ack(&client, client.own + 100 * i), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(rig.connection->srtt_ns, 500 * RIG_MS);
    assert_int_equal(rig.connection->rto_ns, TCP_RTO_MIN_NS);
}

/* RFC 7323 4: with timestamps a retransmission can be timed too; nonsense in the echo is not. */
static void test_rfc_7323_4_round_trip_by_timestamps(void **state)
{
    uint32_t echo;

    (void)state;
    client.timestamps = true;
    client_connect(&client);
    send_reply(100);
    echo = client_next(&client)->tcp.timestamp;
    rig_advance(&rig, 300 * RIG_MS);
    client.echo = echo;
    assert_int_equal(client_send_ack(&client, client.own + 100), COUNTER_TCP_IN_ACCEPTED);
    assert_in_range(rig.connection->srtt_ns, 299 * RIG_MS, 301 * RIG_MS);
    assert_int_equal(tcp_send(rig.connection, reply, 100), STATUS_OK);
    rig_flush(&rig);
    client.echo = echo + 100000000;
    assert_int_equal(client_send_ack(&client, client.own + 200), COUNTER_TCP_IN_ACCEPTED);
    assert_in_range(rig.connection->srtt_ns, 299 * RIG_MS, 301 * RIG_MS);
}

/* RFC 2018, 6675: only the holes are sent again. */
static void test_rfc_6675_holes_alone_are_repaired(void **state)
{
    uint8_t options[20] = {1, 1, 5, 18};
    struct segment sack = {.flags = TCP_FLAG_ACK,
                           .window = 65535,
                           .options = options,
                           .option_bytes = sizeof(options)};

    (void)state;
    client.sack = true;
    client_connect(&client);
    send_reply(8760);
    rig_drain(&rig);
    /* Lost: the segments at 0 and 4380. */
    bytes_put32(options + 4, client.own + 1460);
    bytes_put32(options + 8, client.own + 4380);
    bytes_put32(options + 12, client.own + 5840);
    bytes_put32(options + 16, client.own + 8760);
    sack.seq = client.seq;
    sack.ack = client.own;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(client_put(&client, &sack), COUNTER_TCP_IN_ACCEPTED);
        rig_flush(&rig);
    }
    client.ack = client.own;
    (void)check_segment(0, 1460);
    client.ack = client.own + 4380;
    (void)check_segment(4380, 1460);
    check_silence();
    assert_int_equal(client_send_ack(&client, client.own + 8760), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    assert_int_equal(rig_counter(&rig, COUNTER_TCP_RETRANSMITS), 2);
}

/* RFC 9293 3.4: our own numbers cross 2^32, with loss on both sides of it. */
static void test_sequence_wraps(void **state)
{
    static const uint32_t befores[] = {1, 2, 1460, 1461, 5000, 9999};

    (void)state;
    for (size_t i = 0; i < COUNT(befores); i++) {
        uint32_t initial;

        client_init(&client, &rig, (uint8_t)(2 + i));
        /* RFC 6528: our initial number follows the clock, so a look at it says how long to wait. */
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        initial = client_next(&client)->tcp.seq;
        rig_advance(&rig, 100 * RIG_SECOND);
        initial += (uint32_t)(100 * RIG_SECOND / 4000);
        rig.now_ns += (int64_t)(0u - befores[i] - initial) * 4000;
        (void)tcp_timers(&rig.endpoint, rig.now_ns, 1000);
        client_connect(&client);
        assert_int_equal(client.own, 0u - befores[i] + 1);
        send_reply(10000);
        rig_drain(&rig);
        duplicate_acks(3, 0);
        client.ack = client.own;
        (void)check_segment(0, 1460);
        assert_int_equal(client_send_ack(&client, client.own + 2920), COUNTER_TCP_IN_ACCEPTED);
        client.ack = client.own + 2920;
        rig_advance(&rig, 4 * RIG_SECOND);
        (void)check_segment(2920, 1460);
        rig_drain(&rig);
        assert_int_equal(client_send_ack(&client, client.own + 10001), COUNTER_TCP_IN_BAD_ACK);
        assert_int_equal(client_send_ack(&client, client.own + 10000), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(tcp_send_space(rig.connection), TCP_SEND_BYTES);
        rig_flush(&rig);
        rig_drain(&rig);
        client_finish(&client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SENDING_TEST(test_rfc_6298_back_off_and_r2),
        SENDING_TEST(test_rfc_5681_slow_start_after_timeout),
        SENDING_TEST(test_rfc_5681_fast_retransmit),
        SENDING_TEST(test_rfc_5681_what_is_no_duplicate),
        SENDING_TEST(test_rfc_6298_karn),
        SENDING_TEST_APART(test_rfc_7323_4_round_trip_by_timestamps),
        SENDING_TEST_APART(test_rfc_6675_holes_alone_are_repaired),
        SENDING_TEST_APART(test_sequence_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Receiving: order, overlaps, windows, blocks (RFC 9293 3.4, 3.8.6, 3.10.7.4; RFC 7323 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tcp/receiving.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_rfc_9293_3_4_in_order(void **state)
{
    uint32_t at = 0;

    (void)state;
    for (uint32_t length = 1; length <= 1460; length += 7) {
        assert_int_equal(client_stream(&client, at, length), COUNTER_TCP_IN_ACCEPTED);
        at += length;
        rig_flush(&rig);
    }
    check_received(at);
    assert_true(rig.readable > 0);
}

/* Every order of five segments gives the same stream. */
static void test_rfc_9293_3_4_every_order(void **state)
{
    static const uint32_t lengths[5] = {1, 700, 1460, 2, 333};
    uint32_t base = 0;

    (void)state;
    for (unsigned order = 0; order < 5 * 5 * 5 * 5 * 5; order++) {
        unsigned digits[5] = {order % 5, order / 5 % 5, order / 25 % 5, order / 125 % 5,
                              order / 625};
        unsigned seen = 0;
        uint32_t all = 0;

        for (unsigned i = 0; i < 5; i++)
            seen |= 1u << digits[i];
        if (seen != 0x1f)
            continue;
        for (unsigned i = 0; i < 5; i++) {
            uint32_t at = base;

            for (unsigned j = 0; j < digits[i]; j++)
                at += lengths[j];
            assert_int_equal(client_stream(&client, at, lengths[digits[i]]),
                             COUNTER_TCP_IN_ACCEPTED);
            all += lengths[i];
        }
        base += all;
        assert_int_equal(rig.received_length, base);
        rig_flush(&rig);
    }
    check_received(base);
}

static void test_nine_intervals(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TCP_INTERVALS_MAX; i++)
        assert_int_equal(client_stream(&client, 100 + 200 * i, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig_counter(&rig, COUNTER_TCP_OUT_OF_ORDER), TCP_INTERVALS_MAX);
    /* One more has no place; one that touches another has. */
    assert_int_equal(client_stream(&client, 5000, 100), COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(client_stream(&client, 1600, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_stream(&client, 1699, 1), COUNTER_TCP_IN_DUPLICATE);
    assert_int_equal(rig.received_length, 0);
    for (uint32_t i = 0; i < TCP_INTERVALS_MAX; i++)
        assert_int_equal(client_stream(&client, 200 * i, 100), COUNTER_TCP_IN_ACCEPTED);
    check_received(1700);
}

/* What the first copy of each byte said, whatever came later (first wins): against a plain array,
 * with segments that overlap in every way. */
static void test_overlaps_first_wins(void **state)
{
    enum { SPAN = 300 };
    uint32_t random = 12345;

    (void)state;
    rig.keep = true;
    for (unsigned round = 0; round < 400; round++) {
        uint8_t model[SPAN];
        bool have[SPAN] = {false};
        uint32_t base = client.seq;
        struct block_span span;

        for (unsigned i = 0; i < 40; i++) {
            uint8_t payload[SPAN];
            uint32_t start;
            uint32_t length;
            enum counter outcome;

            random = random * 1664525u + 1013904223u;
            start = (random >> 8) % SPAN;
            random = random * 1664525u + 1013904223u;
            length = 1 + (random >> 8) % (i % 3 == 0 ? SPAN - start : (SPAN - start + 7) / 8);
            if (i >= 38) { /* at last, all of it */
                start = 0;
                length = SPAN;
            }
            memset(payload, (int)(i + round), sizeof(payload));
            outcome = client_send(&client, TCP_FLAG_ACK, base + start, payload, length);
            if (outcome == COUNTER_TCP_IN_NO_ROOM)
                continue;
            for (uint32_t at = start; at < start + length; at++) {
                if (!have[at])
                    model[at] = (uint8_t)(i + round);
                have[at] = true;
            }
        }
        assert_int_equal(tcp_readable(rig.connection), SPAN);
        for (uint32_t at = 0; at < SPAN; at += span.length) {
            assert_true(tcp_peek(rig.connection, at, &span));
            assert_memory_equal(span.bytes, model + at, span.length);
        }
        tcp_consume(rig.connection, SPAN);
        client.seq += SPAN;
        rig_flush(&rig);
    }
}

/* RFC 9293 3.10.7.4: a duplicate is acknowledged again, at once, and does not reach anybody. */
static void test_duplicates_are_acknowledged(void **state)
{
    (void)state;
    assert_int_equal(client_stream(&client, 0, 500), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(500);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(client_stream(&client, 0, 500), COUNTER_TCP_IN_DUPLICATE);
        (void)check_acked(500);
        assert_int_equal(client_stream(&client, 200, 100), COUNTER_TCP_IN_DUPLICATE);
        (void)check_acked(500);
    }
    /* Half old, half new. */
    assert_int_equal(client_stream(&client, 300, 400), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(700);
    /* A duplicate of what waits out of order. */
    assert_int_equal(client_stream(&client, 1000, 100), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(700);
    assert_int_equal(client_stream(&client, 1000, 100), COUNTER_TCP_IN_DUPLICATE);
    (void)check_acked(700);
    assert_int_equal(client_stream(&client, 700, 300), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(1100);
    check_received(1100);
}

static void test_keepalive_is_answered(void **state)
{
    (void)state;
    assert_int_equal(client_stream(&client, 0, 500), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(500);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.first + 499, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_acked(500);
    assert_int_equal(client_stream(&client, 499, 1), COUNTER_TCP_IN_DUPLICATE);
    (void)check_acked(500);
}

/* Two ends that each find the other's acknowledgement old must not go on answering for ever. Data
 * is another matter: see test_duplicates_are_acknowledged. */
static void test_old_acknowledgements_are_answered_within_a_limit(void **state)
{
    unsigned answers = 0;

    (void)state;
    assert_int_equal(client_stream(&client, 0, 500), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(500);
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.first + 499, NULL, 0),
                         COUNTER_TCP_IN_DUPLICATE);
        rig_flush(&rig);
        answers += client_next(&client) != NULL;
    }
    assert_int_equal(answers, TCP_CHALLENGES_MAX);
    rig_advance(&rig, RIG_SECOND);
    rig_drain(&rig);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.first + 499, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_acked(500);
}

/* A whole message through the window, out of order within it; blocks come and go. */
static void test_data_stream(void **state)
{
    uint32_t at = 0;

    (void)state;
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    for (unsigned i = 0; i < 700; i++) {
        assert_int_equal(client_stream(&client, at + 1460, 1460), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(client_stream(&client, at, 1460), COUNTER_TCP_IN_ACCEPTED);
        at += 2920;
        rig_advance(&rig, RIG_MS);
    }
    check_received(at);
    assert_in_range(rig.blocks - rig.store.free_count, 4, 6);
}

/* An idle connection holds no block. */
static void test_idle_holds_nothing(void **state)
{
    (void)state;
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    rig.keep = true;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS - 1);
    tcp_consume(rig.connection, 100);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
}

static void test_peek_and_consume(void **state)
{
    uint32_t length = 40000;
    struct block_span span;

    (void)state;
    rig.keep = true;
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    rig_flush(&rig);
    for (uint32_t at = 0; at < length; at += 1000)
        assert_int_equal(client_stream(&client, at, 1000), COUNTER_TCP_IN_ACCEPTED);
    assert_false(tcp_peek(rig.connection, length, &span));
    for (uint32_t consumed = 0; consumed < length;) {
        uint32_t left = length - consumed;

        for (uint32_t skip = 0; skip < left; skip += 4999) {
            assert_true(tcp_peek(rig.connection, skip, &span));
            assert_ptr_equal(span.bytes, block_bytes(&rig.store, span.block) + span.offset);
            assert_true(span.length > 0 && span.length <= left - skip);
            assert_true(span.offset + span.length <= MESSAGE_BLOCK_BYTES);
            assert_int_equal(span.bytes[0], client_byte(consumed + skip));
            assert_int_equal(span.bytes[span.length - 1],
                             client_byte(consumed + skip + span.length - 1));
        }
        left = left < 3333 ? left : 3333;
        tcp_consume(rig.connection, left);
        consumed += left;
        assert_int_equal(tcp_readable(rig.connection), length - consumed);
    }
}

/* RFC 6093: the urgent pointer is ignored, urgent bytes are bytes. */
static void test_rfc_6093_urgent_is_ignored(void **state)
{
    struct segment segment = {.flags = TCP_FLAG_ACK | TCP_FLAG_URG | TCP_FLAG_PSH,
                              .seq = client.seq,
                              .ack = client.ack,
                              .window = 1000,
                              .urgent = 3,
                              .payload = "abcdef",
                              .length = 6};

    (void)state;
    assert_int_equal(client_put(&client, &segment), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.received_length, 6);
    assert_memory_equal(rig.received, "abcdef", 6);
}

/* RFC 9293 3.4: the stream crosses 2^32, in order, out of order and with the window across it. */
static void test_sequence_wraps(void **state)
{
    static const uint32_t befores[] = {0, 1, 2, 99, 100, 101, 4000, 8191, 8192};

    (void)state;
    for (size_t i = 0; i < COUNT(befores); i++) {
        client_init(&client, &rig, (uint8_t)(2 + i));
        client.initial = 0u - befores[i] - 1;
        rig.received_length = 0;
        client_connect(&client);
        assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
        (void)check_acked(0);
        assert_int_equal(client_stream(&client, 4000, 1000), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(client_stream(&client, 8191, 1), COUNTER_TCP_IN_ACCEPTED);
        (void)check_acked(0);
        assert_int_equal(client_stream(&client, 8192, 1), COUNTER_TCP_IN_OUT_OF_WINDOW);
        assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
        (void)check_acked(200);
        assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_DUPLICATE);
        for (uint32_t at = 200; at < 8191; at += 1400)
            (void)client_stream(&client, at, 1400);
        assert_in_range(rig.received_length, 8192, 8192 + 1400);
        check_received((uint32_t)rig.received_length);
        client.seq = client.first + (uint32_t)rig.received_length;
        rig_flush(&rig);
        rig_drain(&rig);
        client_finish(&client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECEIVING_TEST(test_rfc_9293_3_4_in_order),
        RECEIVING_TEST(test_rfc_9293_3_4_every_order),
        RECEIVING_TEST(test_nine_intervals),
        RECEIVING_TEST(test_overlaps_first_wins),
        RECEIVING_TEST(test_duplicates_are_acknowledged),
        RECEIVING_TEST(test_keepalive_is_answered),
        RECEIVING_TEST(test_old_acknowledgements_are_answered_within_a_limit),
        RECEIVING_TEST_SCALED(test_data_stream),
        RECEIVING_TEST(test_idle_holds_nothing),
        RECEIVING_TEST_SCALED(test_peek_and_consume),
        RECEIVING_TEST(test_rfc_6093_urgent_is_ignored),
        RECEIVING_TEST(test_sequence_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

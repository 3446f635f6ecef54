/* Receiving: order, overlaps, windows, blocks (RFC 9293 3.4, 3.8.6, 3.10.7.4; RFC 7323 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/bed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bed bed;
static struct client client;

static int set_up(void **state)
{
    bed_open(&bed, NULL);
    client_init(&client, &bed, 1);
    *state = &bed;
    return 0;
}

/* All scaled, so that windows beyond 64 KiB can be said. */
static int set_up_scaled(void **state)
{
    int failed = set_up(state);

    client.scale = 7;
    client_connect(&client);
    return failed;
}

static int set_up_connected(void **state)
{
    int failed = set_up(state);

    client_connect(&client);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static void check_received(uint32_t length)
{
    assert_int_equal(bed.received_length, length);
    for (uint32_t i = 0; i < length; i++)
        assert_int_equal(bed.received[i], client_byte(i));
}

/* The one segment that answers; its acknowledgement is `offset` bytes into the stream. */
static const struct bed_frame *check_acked(uint32_t offset)
{
    const struct bed_frame *frame;

    bed_flush(&bed);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.flags, TCP_FLAG_ACK);
    assert_int_equal(frame->tcp.ack - client.first, offset);
    assert_null(client_next(&client));
    return frame;
}

static void test_rfc_9293_3_4_in_order(void **state)
{
    uint32_t at = 0;

    (void)state;
    for (uint32_t length = 1; length <= 1460; length += 7) {
        assert_int_equal(client_stream(&client, at, length), COUNTER_TCP_IN_ACCEPTED);
        at += length;
        bed_flush(&bed);
    }
    check_received(at);
    assert_true(bed.readable > 0);
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
        assert_int_equal(bed.received_length, base);
        bed_flush(&bed);
    }
    check_received(base);
}

static void test_nine_intervals(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TCP_INTERVALS_MAX; i++)
        assert_int_equal(client_stream(&client, 100 + 200 * i, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed_counter(&bed, COUNTER_TCP_OUT_OF_ORDER), TCP_INTERVALS_MAX);
    /* One more has no place; one that touches another has. */
    assert_int_equal(client_stream(&client, 5000, 100), COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(client_stream(&client, 1600, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_stream(&client, 1699, 1), COUNTER_TCP_IN_DUPLICATE);
    assert_int_equal(bed.received_length, 0);
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
    bed.keep = true;
    for (unsigned round = 0; round < 400; round++) {
        uint8_t model[SPAN];
        bool have[SPAN] = {false};
        uint32_t base = client.seq;
        struct tcp_span span;

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
        assert_int_equal(tcp_readable(bed.connection), SPAN);
        for (uint32_t at = 0; at < SPAN; at += span.length) {
            assert_true(tcp_peek(bed.connection, at, &span));
            assert_memory_equal(span.bytes, model + at, span.length);
        }
        tcp_consume(bed.connection, SPAN);
        client.seq += SPAN;
        bed_flush(&bed);
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

static void fill_window(void)
{
    uint32_t at = 0;

    bed.keep = true;
    for (; at + 1024 <= TCP_COMMAND_WINDOW; at += 1024)
        assert_int_equal(client_stream(&client, at, 1024), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
}

/* RFC 9293 3.10.7.4: what lies beyond the edge is cut off. */
static void test_segment_across_the_edge(void **state)
{
    (void)state;
    bed.keep = true;
    for (uint32_t at = 0; at < 7000; at += 1000)
        assert_int_equal(client_stream(&client, at, 1000), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(7000);
    assert_int_equal(client_stream(&client, 7000, 1400), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, 0);
    assert_int_equal(tcp_readable(bed.connection), TCP_COMMAND_WINDOW);
    assert_int_equal(client_stream(&client, 8400, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(TCP_COMMAND_WINDOW);
    /* Beyond the edge, with a gap. */
    assert_int_equal(client_stream(&client, 20000, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(TCP_COMMAND_WINDOW);
}

static void test_ahead_across_the_edge(void **state)
{
    (void)state;
    bed.keep = true;
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW - 10, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    for (uint32_t at = 0; at < TCP_COMMAND_WINDOW - 10; at += 1000)
        assert_int_equal(client_stream(&client, at, 1000), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_readable(bed.connection), TCP_COMMAND_WINDOW);
}

/* RFC 9293 3.8.6.1: probes of a closed window are answered; the opening is told by ourselves. */
static void test_zero_window(void **state)
{
    const struct bed_frame *frame;

    (void)state;
    fill_window();
    while ((frame = client_next(&client)) != NULL)
        assert_int_equal(client_edge(&client, frame), client.first + TCP_COMMAND_WINDOW);
    for (unsigned i = 0; i < 3; i++) {
        bed_advance(&bed, BED_SECOND);
        assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 1),
                         COUNTER_TCP_IN_OUT_OF_WINDOW);
        assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, 0);
    }
    /* One byte of room is not worth a segment (silly window, 3.8.6.2.2); all of it is. */
    tcp_consume(bed.connection, 1);
    bed_flush(&bed);
    assert_null(client_next(&client));
    tcp_consume(bed.connection, TCP_COMMAND_WINDOW - 1);
    frame = check_acked(TCP_COMMAND_WINDOW);
    assert_int_equal(client_edge(&client, frame), client.first + 2 * TCP_COMMAND_WINDOW);
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 1000), COUNTER_TCP_IN_ACCEPTED);
}

/* A closed window still takes acknowledgements, exact resets and nothing else (3.10.7.4). */
static void test_zero_window_takes_acknowledgements(void **state)
{
    (void)state;
    fill_window();
    assert_int_equal(tcp_send(bed.connection, "250 \r\n", 6), STATUS_OK);
    bed_flush(&bed);
    while (client_next(&client) != NULL)
        continue;
    client.seq = client.first + TCP_COMMAND_WINDOW;
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send_space(bed.connection), TCP_SEND_BYTES);
    assert_int_equal(tcp_send(bed.connection, "250 \r\n", 6), STATUS_OK);
    bed_flush(&bed);
    while (client_next(&client) != NULL)
        continue;
    /* Also on a probe that carries a byte. */
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 1), COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(tcp_send_space(bed.connection), TCP_SEND_BYTES);
}

static void test_data_window_is_reserved(void **state)
{
    const struct bed_frame *frame;
    uint32_t taken[BED_BLOCKS + 1];
    uint32_t count = 0;
    uint32_t edge;
    uint32_t at;

    (void)state;
    bed.keep = true;
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_DATA));
    bed_flush(&bed);
    frame = client_next(&client);
    assert_non_null(frame);
    edge = client_edge(&client, frame) - client.first;
    assert_in_range(edge, 65536 - TCP_EDGE_SLACK, 2 * 65536);
    /* Somebody takes everything there is: what was promised is backed all the same. */
    while ((taken[count] = block_take(&bed.store, BLOCK_FOR_REPLY)) != MESSAGE_BLOCK_NONE)
        count++;
    for (at = 0; at < edge; at += 1000)
        assert_int_equal(client_stream(&client, at, edge - at < 1000 ? edge - at : 1000),
                         COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_readable(bed.connection), edge);
    for (uint32_t skip = 0; skip < edge;) {
        struct tcp_span span;

        assert_true(tcp_peek(bed.connection, skip, &span));
        for (uint32_t i = 0; i < span.length; i++)
            assert_int_equal(span.bytes[i], client_byte(skip + i));
        skip += span.length;
    }
    while (count > 0)
        block_give(&bed.store, taken[--count]);
    tcp_consume(bed.connection, edge);
    bed_flush(&bed);
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_COMMANDS));
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
}

/* A whole message through the window, out of order within it; blocks come and go. */
static void test_data_stream(void **state)
{
    uint32_t at = 0;

    (void)state;
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_DATA));
    for (unsigned i = 0; i < 700; i++) {
        assert_int_equal(client_stream(&client, at + 1460, 1460), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(client_stream(&client, at, 1460), COUNTER_TCP_IN_ACCEPTED);
        at += 2920;
        bed_advance(&bed, BED_MS);
    }
    check_received(at);
    assert_in_range(bed.blocks - bed.store.free_count, 4, 6);
}

/* RFC 9293 3.8.6: never retracted, by whatever size of segment and whatever the application does.
 * With a scaled window the edge can only be said in steps of 8 bytes (RFC 7323 2.4): it may seem
 * to move by less than that, and what it once reached stays acceptable. */
static void test_edge_is_never_retracted(void **state)
{
    uint32_t highest = client.first + TCP_COMMAND_WINDOW;
    uint32_t random = 99;
    uint32_t at = 0;

    (void)state;
    bed.keep = true;
    for (unsigned i = 0; i < 20000; i++) {
        const struct bed_frame *frame;
        uint32_t length;

        random = random * 1664525u + 1013904223u;
        length = 1 + (random >> 8) % ((random >> 4) % 8 == 0 ? 1460 : 40);
        if (seq_after(client.first + at + length, highest))
            length = highest - (client.first + at);
        if (length > 0)
            assert_int_equal(client_stream(&client, at, length), COUNTER_TCP_IN_ACCEPTED);
        at += length;
        if ((random >> 16) % 16 == 0)
            tcp_consume(bed.connection, tcp_readable(bed.connection));
        if ((random >> 20) % 64 == 0)
            (void)tcp_expect(bed.connection, (enum tcp_expect)((random >> 26) % 3));
        bed_flush(&bed);
        while ((frame = client_next(&client)) != NULL) {
            uint32_t edge = client_edge(&client, frame);

            assert_true(seq_after(edge, highest - TCP_EDGE_SLACK));
            highest = seq_later(highest, edge);
        }
    }
}

/* A window that is not opened closes, even when it shrinks byte by byte in a scaled unit: the peer
 * must not be able to creep beyond what was promised. */
static void test_rfc_7323_2_4_rounding_does_not_creep(void **state)
{
    static const enum tcp_expect expects[] = {TCP_EXPECT_COMMANDS, TCP_EXPECT_NOTHING,
                                              TCP_EXPECT_DATA};

    (void)state;
    bed.keep = true;
    for (size_t i = 0; i < COUNT(expects); i++) {
        uint32_t limit = expects[i] == TCP_EXPECT_DATA ? 65536 + 2 * MESSAGE_BLOCK_BYTES
                                                       : TCP_COMMAND_WINDOW + TCP_EDGE_SLACK;
        uint32_t at = 0;
        enum counter outcome;

        assert_true(tcp_expect(bed.connection, expects[i]));
        do {
            bed_flush(&bed);
            bed_drain(&bed);
            outcome = client_stream(&client, client.seq - client.first + at, 1);
            at++;
        } while (outcome == COUNTER_TCP_IN_ACCEPTED && at < 2 * limit);
        at--;
        assert_int_equal(outcome, COUNTER_TCP_IN_OUT_OF_WINDOW);
        assert_in_range(at, TCP_COMMAND_WINDOW, limit);
        assert_int_equal(tcp_readable(bed.connection), at);
        tcp_consume(bed.connection, at);
        client.seq += at;
        bed_advance(&bed, 2 * BED_SECOND);
        assert_true(tcp_expect(bed.connection, TCP_EXPECT_COMMANDS));
        bed_flush(&bed);
    }
}

/* Back-pressure: the promise stands, nothing is added to it. */
static void test_expect_nothing(void **state)
{
    (void)state;
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_NOTHING));
    for (uint32_t at = 0; at < TCP_COMMAND_WINDOW; at += 1024)
        assert_int_equal(client_stream(&client, at, 1024), COUNTER_TCP_IN_ACCEPTED);
    check_received(TCP_COMMAND_WINDOW);
    assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, 0);
    bed_advance(&bed, 5 * BED_SECOND);
    assert_null(client_next(&client));
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_COMMANDS));
    assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, TCP_COMMAND_WINDOW);
}

/* An idle connection holds no block. */
static void test_idle_holds_nothing(void **state)
{
    (void)state;
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
    bed.keep = true;
    assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.store.free_count, BED_BLOCKS - 1);
    tcp_consume(bed.connection, 100);
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
}

static void test_block_shortage(void **state)
{
    uint32_t taken[BED_BLOCKS + 1];
    uint32_t count = 0;
    uint32_t dropped;

    (void)state;
    while ((taken[count] = block_take(&bed.store, BLOCK_FOR_COMMAND)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(client_stream(&client, 50, 100), COUNTER_TCP_IN_NO_ROOM);
    assert_false(tcp_expect(bed.connection, TCP_EXPECT_DATA));
    /* A FIN cannot be known either while the bytes before it are missing. */
    assert_int_equal(client_send(&client, TCP_FLAG_ACK | TCP_FLAG_FIN, client.seq, "x", 1),
                     COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(bed.finished, 0);
    dropped = (uint32_t)bed_counter(&bed, COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(dropped, 3);
    /* A refusal can still be said. */
    assert_int_equal(tcp_send(bed.connection, "452 \r\n", 6), STATUS_OK);
    while (count > 0)
        block_give(&bed.store, taken[--count]);
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_DATA));
    check_received(100);
}

/* A window that the pool could not back opens by itself once it can. */
static void test_window_opens_when_blocks_return(void **state)
{
    const struct bed_frame *frame;
    uint32_t taken[BED_BLOCKS + 1];
    uint32_t count = 0;

    (void)state;
    while (block_available(&bed.store, BLOCK_FOR_DATA) > 2)
        taken[count++] = block_take(&bed.store, BLOCK_FOR_DATA);
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_DATA));
    bed_flush(&bed);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(client_edge(&client, frame) - client.first,
                     2 * MESSAGE_BLOCK_BYTES - TCP_EDGE_SLACK);
    while (count > 0)
        block_give(&bed.store, taken[--count]);
    bed_advance(&bed, 2 * TCP_WINDOW_RETRY_NS);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_in_range(client_edge(&client, frame) - client.first, 65536 - TCP_EDGE_SLACK, 2 * 65536);
}

static void test_peek_and_consume(void **state)
{
    uint32_t length = 40000;
    struct tcp_span span;

    (void)state;
    bed.keep = true;
    assert_true(tcp_expect(bed.connection, TCP_EXPECT_DATA));
    bed_flush(&bed);
    for (uint32_t at = 0; at < length; at += 1000)
        assert_int_equal(client_stream(&client, at, 1000), COUNTER_TCP_IN_ACCEPTED);
    assert_false(tcp_peek(bed.connection, length, &span));
    for (uint32_t consumed = 0; consumed < length;) {
        uint32_t left = length - consumed;

        for (uint32_t skip = 0; skip < left; skip += 4999) {
            assert_true(tcp_peek(bed.connection, skip, &span));
            assert_ptr_equal(span.bytes, block_bytes(&bed.store, span.block) + span.offset);
            assert_true(span.length > 0 && span.length <= left - skip);
            assert_true(span.offset + span.length <= MESSAGE_BLOCK_BYTES);
            assert_int_equal(span.bytes[0], client_byte(consumed + skip));
            assert_int_equal(span.bytes[span.length - 1],
                             client_byte(consumed + skip + span.length - 1));
        }
        left = left < 3333 ? left : 3333;
        tcp_consume(bed.connection, left);
        consumed += left;
        assert_int_equal(tcp_readable(bed.connection), length - consumed);
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
    assert_int_equal(bed.received_length, 6);
    assert_memory_equal(bed.received, "abcdef", 6);
}

/* RFC 9293 3.4: the stream crosses 2^32, in order, out of order and with the window across it. */
static void test_sequence_wraps(void **state)
{
    static const uint32_t befores[] = {0, 1, 2, 99, 100, 101, 4000, 8191, 8192};

    (void)state;
    for (size_t i = 0; i < COUNT(befores); i++) {
        client_init(&client, &bed, (uint8_t)(2 + i));
        client.initial = 0u - befores[i] - 1;
        bed.received_length = 0;
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
        assert_in_range(bed.received_length, 8192, 8192 + 1400);
        check_received((uint32_t)bed.received_length);
        client.seq = client.first + (uint32_t)bed.received_length;
        bed_flush(&bed);
        bed_drain(&bed);
        client_finish(&client);
    }
}

#define TEST(name)        cmocka_unit_test_setup_teardown(name, set_up_connected, tear_down)
#define TEST_SCALED(name) cmocka_unit_test_setup_teardown(name, set_up_scaled, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc_9293_3_4_in_order),
        TEST(test_rfc_9293_3_4_every_order),
        TEST(test_nine_intervals),
        TEST(test_overlaps_first_wins),
        TEST(test_duplicates_are_acknowledged),
        TEST(test_keepalive_is_answered),
        TEST(test_segment_across_the_edge),
        TEST(test_ahead_across_the_edge),
        TEST(test_zero_window),
        TEST(test_zero_window_takes_acknowledgements),
        TEST_SCALED(test_data_window_is_reserved),
        TEST_SCALED(test_data_stream),
        TEST(test_edge_is_never_retracted),
        TEST_SCALED(test_edge_is_never_retracted),
        TEST_SCALED(test_rfc_7323_2_4_rounding_does_not_creep),
        TEST(test_expect_nothing),
        TEST(test_idle_holds_nothing),
        TEST(test_block_shortage),
        TEST_SCALED(test_window_opens_when_blocks_return),
        TEST_SCALED(test_peek_and_consume),
        TEST(test_rfc_6093_urgent_is_ignored),
        TEST(test_sequence_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The window: what it promises, what backs it, when it closes and opens (RFC 9293 3.8.6; RFC 7323
 * 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tcp/receiving.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void fill_window(void)
{
    uint32_t at = 0;

    rig.keep = true;
    for (; at + 1024 <= TCP_COMMAND_WINDOW; at += 1024)
        assert_int_equal(client_stream(&client, at, 1024), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
}

/* RFC 9293 3.10.7.4: what lies beyond the edge is cut off. */
static void test_segment_across_the_edge(void **state)
{
    (void)state;
    rig.keep = true;
    for (uint32_t at = 0; at < 7000; at += 1000)
        assert_int_equal(client_stream(&client, at, 1000), COUNTER_TCP_IN_ACCEPTED);
    (void)check_acked(7000);
    assert_int_equal(client_stream(&client, 7000, 1400), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, 0);
    assert_int_equal(tcp_readable(rig.connection), TCP_COMMAND_WINDOW);
    assert_int_equal(client_stream(&client, 8400, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(TCP_COMMAND_WINDOW);
    /* Beyond the edge, with a gap. */
    assert_int_equal(client_stream(&client, 20000, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    (void)check_acked(TCP_COMMAND_WINDOW);
}

static void test_ahead_across_the_edge(void **state)
{
    (void)state;
    rig.keep = true;
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW - 10, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 100), COUNTER_TCP_IN_OUT_OF_WINDOW);
    for (uint32_t at = 0; at < TCP_COMMAND_WINDOW - 10; at += 1000)
        assert_int_equal(client_stream(&client, at, 1000), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_readable(rig.connection), TCP_COMMAND_WINDOW);
}

/* RFC 9293 3.8.6.1: probes of a closed window are answered; the opening is told by ourselves. */
static void test_zero_window(void **state)
{
    const struct rig_frame *frame;

    (void)state;
    fill_window();
    while ((frame = client_next(&client)) != NULL)
        assert_int_equal(client_edge(&client, frame), client.first + TCP_COMMAND_WINDOW);
    for (unsigned i = 0; i < 3; i++) {
        rig_advance(&rig, RIG_SECOND);
        assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 1),
                         COUNTER_TCP_IN_OUT_OF_WINDOW);
        assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, 0);
    }
    /* One byte of room is not worth a segment (silly window, 3.8.6.2.2); all of it is. */
    tcp_consume(rig.connection, 1);
    rig_flush(&rig);
    assert_null(client_next(&client));
    tcp_consume(rig.connection, TCP_COMMAND_WINDOW - 1);
    frame = check_acked(TCP_COMMAND_WINDOW);
    assert_int_equal(client_edge(&client, frame), client.first + 2 * TCP_COMMAND_WINDOW);
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 1000), COUNTER_TCP_IN_ACCEPTED);
}

/* A closed window still takes acknowledgements, exact resets and nothing else (3.10.7.4). */
static void test_zero_window_takes_acknowledgements(void **state)
{
    (void)state;
    fill_window();
    assert_int_equal(tcp_send(rig.connection, "250 \r\n", 6), STATUS_OK);
    rig_flush(&rig);
    while (client_next(&client) != NULL)
        continue;
    client.seq = client.first + TCP_COMMAND_WINDOW;
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send_space(rig.connection), TCP_SEND_BYTES);
    assert_int_equal(tcp_send(rig.connection, "250 \r\n", 6), STATUS_OK);
    rig_flush(&rig);
    while (client_next(&client) != NULL)
        continue;
    /* Also on a probe that carries a byte. */
    assert_int_equal(client_stream(&client, TCP_COMMAND_WINDOW, 1), COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(tcp_send_space(rig.connection), TCP_SEND_BYTES);
}

static void test_data_window_is_reserved(void **state)
{
    const struct rig_frame *frame;
    uint32_t taken[RIG_BLOCKS + 1];
    uint32_t count = 0;
    uint32_t edge;
    uint32_t at;

    (void)state;
    rig.keep = true;
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    rig_flush(&rig);
    frame = client_next(&client);
    assert_non_null(frame);
    edge = client_edge(&client, frame) - client.first;
    assert_in_range(edge, 65536 - TCP_EDGE_SLACK, 2 * 65536);
    /* Somebody takes everything there is: what was promised is backed all the same. */
    while ((taken[count] = block_take(&rig.store, BLOCK_FOR_TABLE)) != MESSAGE_BLOCK_NONE)
        count++;
    for (at = 0; at < edge; at += 1000)
        assert_int_equal(client_stream(&client, at, edge - at < 1000 ? edge - at : 1000),
                         COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_readable(rig.connection), edge);
    for (uint32_t skip = 0; skip < edge;) {
        struct block_span span;

        assert_true(tcp_peek(rig.connection, skip, &span));
        for (uint32_t i = 0; i < span.length; i++)
            assert_int_equal(span.bytes[i], client_byte(skip + i));
        skip += span.length;
    }
    while (count > 0)
        block_give(&rig.store, taken[--count]);
    tcp_consume(rig.connection, edge);
    rig_flush(&rig);
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_COMMANDS));
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
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
    rig.keep = true;
    for (unsigned i = 0; i < 20000; i++) {
        const struct rig_frame *frame;
        uint32_t length;

        random = random * 1664525u + 1013904223u;
        length = 1 + (random >> 8) % ((random >> 4) % 8 == 0 ? 1460 : 40);
        if (seq_after(client.first + at + length, highest))
            length = highest - (client.first + at);
        if (length > 0)
            assert_int_equal(client_stream(&client, at, length), COUNTER_TCP_IN_ACCEPTED);
        at += length;
        if ((random >> 16) % 16 == 0)
            tcp_consume(rig.connection, tcp_readable(rig.connection));
        if ((random >> 20) % 64 == 0)
            (void)tcp_expect(rig.connection, (enum tcp_expect)((random >> 26) % 3));
        rig_flush(&rig);
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
    rig.keep = true;
    for (size_t i = 0; i < COUNT(expects); i++) {
        uint32_t limit = expects[i] == TCP_EXPECT_DATA ? 65536 + 2 * MESSAGE_BLOCK_BYTES
                                                       : TCP_COMMAND_WINDOW + TCP_EDGE_SLACK;
        uint32_t at = 0;
        enum counter outcome;

        assert_true(tcp_expect(rig.connection, expects[i]));
        do {
            rig_flush(&rig);
            rig_drain(&rig);
            outcome = client_stream(&client, client.seq - client.first + at, 1);
            at++;
        } while (outcome == COUNTER_TCP_IN_ACCEPTED && at < 2 * limit);
        at--;
        assert_int_equal(outcome, COUNTER_TCP_IN_OUT_OF_WINDOW);
        assert_in_range(at, TCP_COMMAND_WINDOW, limit);
        assert_int_equal(tcp_readable(rig.connection), at);
        tcp_consume(rig.connection, at);
        client.seq += at;
        rig_advance(&rig, 2 * RIG_SECOND);
        assert_true(tcp_expect(rig.connection, TCP_EXPECT_COMMANDS));
        rig_flush(&rig);
    }
}

/* Back-pressure: the promise stands, nothing is added to it. */
static void test_expect_nothing(void **state)
{
    (void)state;
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_NOTHING));
    for (uint32_t at = 0; at < TCP_COMMAND_WINDOW; at += 1024)
        assert_int_equal(client_stream(&client, at, 1024), COUNTER_TCP_IN_ACCEPTED);
    check_received(TCP_COMMAND_WINDOW);
    assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, 0);
    rig_advance(&rig, 5 * RIG_SECOND);
    assert_null(client_next(&client));
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_COMMANDS));
    assert_int_equal(check_acked(TCP_COMMAND_WINDOW)->tcp.window, TCP_COMMAND_WINDOW);
}

static void test_block_shortage(void **state)
{
    uint32_t taken[RIG_BLOCKS + 1];
    uint32_t count = 0;
    uint32_t dropped;

    (void)state;
    while ((taken[count] = block_take(&rig.store, BLOCK_FOR_COMMAND)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(client_stream(&client, 50, 100), COUNTER_TCP_IN_NO_ROOM);
    assert_false(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    /* A FIN cannot be known either while the bytes before it are missing. */
    assert_int_equal(client_send(&client, TCP_FLAG_ACK | TCP_FLAG_FIN, client.seq, "x", 1),
                     COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(rig.finished, 0);
    dropped = (uint32_t)rig_counter(&rig, COUNTER_TCP_IN_NO_ROOM);
    assert_int_equal(dropped, 3);
    /* A refusal can still be said. */
    assert_int_equal(tcp_send(rig.connection, "452 \r\n", 6), STATUS_OK);
    while (count > 0)
        block_give(&rig.store, taken[--count]);
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    check_received(100);
}

/* A window that the pool could not back opens by itself once it can. */
static void test_window_opens_when_blocks_return(void **state)
{
    const struct rig_frame *frame;
    uint32_t taken[RIG_BLOCKS + 1];
    uint32_t count = 0;

    (void)state;
    while (block_available(&rig.store, BLOCK_FOR_DATA) > 2)
        taken[count++] = block_take(&rig.store, BLOCK_FOR_DATA);
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    rig_flush(&rig);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(client_edge(&client, frame) - client.first,
                     2 * MESSAGE_BLOCK_BYTES - TCP_EDGE_SLACK);
    while (count > 0)
        block_give(&rig.store, taken[--count]);
    rig_advance(&rig, 2 * TCP_WINDOW_RETRY_NS);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_in_range(client_edge(&client, frame) - client.first, 65536 - TCP_EDGE_SLACK, 2 * 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECEIVING_TEST(test_segment_across_the_edge),
        RECEIVING_TEST(test_ahead_across_the_edge),
        RECEIVING_TEST(test_zero_window),
        RECEIVING_TEST(test_zero_window_takes_acknowledgements),
        RECEIVING_TEST_SCALED(test_data_window_is_reserved),
        RECEIVING_TEST(test_edge_is_never_retracted),
        RECEIVING_TEST_SCALED(test_edge_is_never_retracted),
        RECEIVING_TEST_SCALED(test_rfc_7323_2_4_rounding_does_not_creep),
        RECEIVING_TEST(test_expect_nothing),
        RECEIVING_TEST(test_block_shortage),
        RECEIVING_TEST_SCALED(test_window_opens_when_blocks_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

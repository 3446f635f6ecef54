/* Sending replies: segmentation, windows, loss (RFC 9293 3.7, 3.8; RFC 5681, 6298, 6582, 6928). */
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

/* RFC 9293 3.7.1: no segment is larger than the peer's MSS less the options it carries. */
static void test_rfc_9293_3_7_1_segmentation(void **state)
{
    static const struct {
        uint16_t offered;
        uint32_t mss;
    } cases[] = {{0, 536},     {1, 64},      {63, 64},     {64, 64},
                 {65, 65},     {536, 536},   {1220, 1220}, {1459, 1459},
                 {1460, 1460}, {1461, 1460}, {8960, 1460}, {65535, 1460}};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        uint32_t payload;
        uint32_t at = 0;
        uint32_t length = 10 * cases[i / 2].mss / 2;

        client_init(&client, &rig, (uint8_t)(1 + i));
        client.mss = cases[i / 2].offered;
        client.timestamps = i % 2 == 1;
        client_connect(&client);
        payload = cases[i / 2].mss - (client.timestamps ? TCP_TIMESTAMP_BYTES : 0);
        send_reply(length);
        while (at < length) {
            uint32_t part = length - at < payload ? length - at : payload;
            const struct rig_frame *frame = check_segment(at, part);

            at += part;
            assert_int_equal((frame->tcp.flags & TCP_FLAG_PSH) != 0, at == length);
        }
        check_silence();
        (void)client_send_ack(&client, client.ack);
        client_finish(&client);
    }
}

/* RFC 6928: ten segments at once, then two for each one acknowledged (RFC 5681 3.1). */
static void test_rfc_6928_initial_window(void **state)
{
    (void)state;
    send_reply(16000);
    for (uint32_t i = 0; i < 10; i++)
        (void)check_segment(1460 * i, 1460);
    check_silence();
    assert_int_equal(client_send_ack(&client, client.own + 1460), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    client.ack = client.own + 14600;
    (void)check_segment(14600, 1400);
    check_silence();
}

/* RFC 6298 5.7: after a lost SYN-ACK, one segment, and three seconds. */
static void test_rfc_6298_5_7_after_a_lost_syn_ack(void **state)
{
    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, 1100 * RIG_MS);
    assert_int_equal(rig.queue_count, 2);
    (void)client_next(&client);
    (void)client_next(&client);
    client.own = client.ack;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(5000);
    (void)check_segment(0, 1460);
    check_silence();
    rig_advance(&rig, 2990 * RIG_MS);
    check_silence();
    rig_advance(&rig, 20 * RIG_MS);
    (void)check_segment(0, 1460);
}

/* RFC 9293 3.8.6: the peer's window bounds what is sent, scaled as it asked. */
static void test_senders_window_is_respected(void **state)
{
    (void)state;
    client.scale = 4;
    client.window = 100;
    client_connect(&client);
    send_reply(4000);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 140);
    check_silence();
    client.window = 50;
    assert_int_equal(client_send_ack(&client, client.own + 1000), COUNTER_TCP_IN_ACCEPTED);
    client.ack = client.own + 1600;
    rig_flush(&rig);
    (void)check_segment(1600, 200);
    check_silence();
    client.window = 4000;
    assert_int_equal(client_send_ack(&client, client.own + 1800), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    (void)check_segment(1800, 1460);
    (void)check_segment(3260, 740);
    check_silence();
}

/* RFC 9293 3.10.7.4: an old segment does not change the window. */
static void test_old_window_is_ignored(void **state)
{
    (void)state;
    client.window = 5000;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "ab", 2),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 2;
    rig_flush(&rig);
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    rig_drain(&rig);
    client.window = 10;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq - 1, "bc", 2),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 1;
    rig_flush(&rig);
    rig_drain(&rig);
    send_reply(3000);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 1460);
    (void)check_segment(2920, 80);
}

/* RFC 9293 3.8.6.1: one byte into a closed window, less and less often, for as long as it answers;
 * its answers are no sign of loss; and when the window opens all is as before. */
static void test_rfc_9293_3_8_6_1_zero_window_probes(void **state)
{
    int64_t last_ns;
    int64_t wait = TCP_RTO_INITIAL_NS;

    (void)state;
    client.window = 0;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(3000);
    check_silence();
    last_ns = rig.now_ns;
    for (unsigned i = 0; i < 20; i++) {
        const struct rig_frame *frame;

        while (rig.queue_count == 0 && rig.now_ns < last_ns + 2 * wait)
            rig_advance(&rig, 10 * RIG_MS);
        frame = check_segment(0, 1);
        assert_in_range(frame->sent_ns - last_ns, wait, wait + 2 * TICK_NS);
        last_ns = frame->sent_ns;
        wait = 2 * wait < TCP_RTO_MAX_NS ? 2 * wait : TCP_RTO_MAX_NS;
        assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
        check_silence();
    }
    assert_int_equal(rig.closed, 0);
    client.window = 65535;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 1460);
    (void)check_segment(2920, 80);
    check_silence();
    /* What was waited for a window does not count as waiting for an answer: all seven
     * retransmissions are still to come. */
    rig_advance(&rig, 100 * RIG_SECOND);
    assert_int_equal(rig.closed, 0);
    (void)client_send_ack(&client, client.own + 3000);
    assert_int_equal(tcp_send_space(rig.connection), TCP_SEND_BYTES);
}

/* The probe's byte may be taken. */
static void test_probe_is_accepted(void **state)
{
    (void)state;
    client.window = 0;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(100);
    rig_advance(&rig, 1100 * RIG_MS);
    (void)check_segment(0, 1);
    assert_int_equal(client_send_ack(&client, client.own + 1), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    client.window = 1000;
    assert_int_equal(client_send_ack(&client, client.own + 1), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    (void)check_segment(1, 99);
}

/* A window that closes while data is in flight: the loss is found once it has opened again. */
static void test_window_closes_in_flight(void **state)
{
    (void)state;
    send_reply(2000);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 540);
    client.window = 0;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, 1100 * RIG_MS);
    (void)check_segment(0, 1);
    client.window = 8000;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, 1100 * RIG_MS);
    (void)check_segment(0, 1460);
}

/* Closed, and the peer never opens its window: R2 ends it. */
static void test_zero_window_for_ever_after_close(void **state)
{
    (void)state;
    client.window = 0;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(100);
    tcp_close(rig.connection);
    for (unsigned i = 0; i < 300 && rig.closed == 0; i++) {
        rig_advance(&rig, RIG_SECOND);
        if (client_next(&client) != NULL)
            (void)client_send_ack(&client, client.own);
    }
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, TCP_CLOSED_TIMEOUT);
}

/* tcp.h: a whole reply or nothing; `writable` when there is room again. */
static void test_send_full_then_writable(void **state)
{
    (void)state;
    assert_int_equal(tcp_send(rig.connection, reply, TCP_SEND_BYTES - 10), STATUS_OK);
    assert_int_equal(tcp_send_space(rig.connection), 10);
    assert_int_equal(tcp_send(rig.connection, reply, 11), STATUS_NO_SPACE);
    assert_int_equal(tcp_send(rig.connection, reply + TCP_SEND_BYTES - 10, 10), STATUS_OK);
    assert_int_equal(tcp_send(rig.connection, reply, 1), STATUS_NO_SPACE);
    rig_flush(&rig);
    while (client_next(&client) != NULL)
        continue;
    assert_int_equal(rig.writable, 0);
    assert_int_equal(client_send_ack(&client, client.own + 14600), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.writable, 1);
    assert_int_equal(tcp_send(rig.connection, reply, 14600), STATUS_OK);
    rig_flush(&rig);
    assert_int_equal(rig.writable, 1);
    /* The circle holds what was put in. */
    while (tcp_send_space(rig.connection) < TCP_SEND_BYTES) {
        const struct rig_frame *frame = client_next(&client);

        assert_non_null(frame);
        for (uint32_t i = 0; i < frame->tcp.payload_length; i++)
            assert_int_equal(frame->tcp.payload[i],
                             reply[(frame->tcp.seq - client.own + i) % TCP_SEND_BYTES]);
        (void)client_send_ack(&client, client.ack);
        rig_flush(&rig);
    }
    assert_int_equal(client.ack - client.own, TCP_SEND_BYTES + 14600);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
}

static void test_send_without_a_block(void **state)
{
    uint32_t taken[RIG_BLOCKS + 1];
    uint32_t count = 0;

    (void)state;
    while ((taken[count] = block_take(&rig.store, BLOCK_FOR_TABLE)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(tcp_send(rig.connection, reply, 1), STATUS_NO_SPACE);
    while (count > 0)
        block_give(&rig.store, taken[--count]);
    rig_advance(&rig, TCP_WINDOW_RETRY_NS + 2 * TICK_NS);
    assert_int_equal(rig.writable, 1);
    send_reply(1);
    (void)check_segment(0, 1);
}

/* What is short lies in a piece, round which it goes; what no longer fits moves to a block, in
 * order and whatever of it has been sent. */
static void test_send_piece_becomes_block(void **state)
{
    (void)state;
    client_init(&client, &rig, 2);
    client_connect(&client);
    send_reply(700);
    (void)check_segment(0, 700);
    assert_int_equal(tcp_send(rig.connection, reply + 700, 300), STATUS_OK);
    rig_flush(&rig);
    (void)check_segment(700, 300);
    assert_int_equal(client_send_ack(&client, client.own + 700), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send(rig.connection, reply + 1000, 724), STATUS_OK); /* round it */
    assert_true(rig.connection->send_small);
    assert_int_equal(rig.store.pieces.used, 1);
    assert_int_equal(tcp_send(rig.connection, reply + 1724, 1), STATUS_OK);
    assert_false(rig.connection->send_small);
    assert_int_equal(rig.store.pieces.used, 0);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS - 1);
    rig_flush(&rig);
    (void)check_segment(1000, 725);
    /* All that is not acknowledged is still there. */
    rig_advance(&rig, 1100 * RIG_MS);
    (void)check_segment(700, 1025);
    (void)client_send_ack(&client, client.own + 1725);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
}

/* With no block left a piece has room for a line more, or the empty reply says that it has not. */
static void test_send_room_for_a_line(void **state)
{
    uint32_t taken[RIG_BLOCKS + 1] = {0};
    uint32_t count = 0;

    (void)state;
    assert_int_equal(tcp_send(rig.connection, reply, PIECE_BYTES - TCP_SEND_LINE), STATUS_OK);
    while ((taken[count] = block_take(&rig.store, BLOCK_FOR_TABLE)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(tcp_send(rig.connection, reply, 0), STATUS_OK);
    assert_int_equal(tcp_send(rig.connection, reply, TCP_SEND_LINE + 1), STATUS_NO_SPACE);
    assert_int_equal(tcp_send(rig.connection, reply + TCP_SEND_LINE, 1), STATUS_OK);
    assert_int_equal(tcp_send(rig.connection, reply, 0), STATUS_NO_SPACE);
    block_give(&rig.store, taken[--count]);
    assert_int_equal(tcp_send(rig.connection, reply, 0), STATUS_OK);
    assert_int_equal(rig.store.pieces.used, 0);
    while (count > 0)
        block_give(&rig.store, taken[--count]);
    rig_flush(&rig);
    (void)check_segment(0, TCP_SEND_LINE + 1);
    (void)client_send_ack(&client, client.ack);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    rig_advance(&rig, 2 * RIG_SECOND);
}

/* No packet buffer is as good as lost on the wire, and all of it gets there in the end. */
static void test_no_buffers(void **state)
{
    uint32_t at = 0;

    (void)state;
    rig.buffers = 0;
    send_reply(10000);
    rig_advance(&rig, 300 * RIG_MS);
    check_silence();
    rig.buffers = 3;
    rig_advance(&rig, 50 * RIG_MS);
    for (; at < 3 * 1460; at += 1460)
        (void)check_segment(at, 1460);
    check_silence();
    rig.buffers = RIG_UNLIMITED;
    while (tcp_send_space(rig.connection) < TCP_SEND_BYTES) {
        (void)client_send_ack(&client, client.ack);
        rig_advance(&rig, 1 * RIG_SECOND);
        while (client_next(&client) != NULL)
            continue;
        assert_true(rig.now_ns < INT64_C(2000) * RIG_SECOND);
    }
    assert_int_equal(client.ack - client.own, 10000);
}

static void test_no_buffer_for_an_acknowledgement(void **state)
{
    (void)state;
    rig.buffers = 0;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, 100 * RIG_MS);
    rig.buffers = RIG_UNLIMITED;
    rig_advance(&rig, 20 * RIG_MS);
    assert_int_equal(client_next(&client)->tcp.ack, client.first + 100);
    check_silence();
}

/* RFC 9293 3.10.7.4: a peer that has had everything takes no older number, so that an
 * acknowledgement must not carry one while we send again; nor one beyond the peer's window. */
static void test_empty_segments_stand_at_the_end(void **state)
{
    const struct rig_frame *frame;

    (void)state;
    send_reply(2920);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 1460);
    rig_advance(&rig, 1100 * RIG_MS);
    (void)check_segment(0, 1460);
    client.ack = client.own;
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    frame = client_next(&client);
    assert_int_equal(frame->tcp.payload_length, 0);
    assert_int_equal(frame->tcp.seq - client.own, 2920);
    client.seq += 10;
    client.window = 100;
    client.ack = client.own;
    assert_int_equal(client_stream(&client, 10, 10), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    frame = client_next(&client);
    assert_int_equal(frame->tcp.seq - client.own, 1460); /* SND.NXT, as it is being sent again */
    tcp_abort(rig.connection);
    assert_int_equal(client_next(&client)->tcp.seq - client.own, 1460);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SENDING_TEST_APART(test_rfc_9293_3_7_1_segmentation),
        SENDING_TEST(test_rfc_6928_initial_window),
        SENDING_TEST_APART(test_rfc_6298_5_7_after_a_lost_syn_ack),
        SENDING_TEST_APART(test_senders_window_is_respected),
        SENDING_TEST(test_old_window_is_ignored),
        SENDING_TEST(test_rfc_9293_3_8_6_1_zero_window_probes),
        SENDING_TEST(test_probe_is_accepted),
        SENDING_TEST(test_window_closes_in_flight),
        SENDING_TEST(test_zero_window_for_ever_after_close),
        SENDING_TEST(test_send_full_then_writable),
        SENDING_TEST(test_send_without_a_block),
        SENDING_TEST(test_send_piece_becomes_block),
        SENDING_TEST(test_send_room_for_a_line),
        SENDING_TEST(test_no_buffers),
        SENDING_TEST(test_no_buffer_for_an_acknowledgement),
        SENDING_TEST(test_empty_segments_stand_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

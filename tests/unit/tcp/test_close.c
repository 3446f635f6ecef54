/* Every way to end (RFC 9293 3.6, 3.10.4, 3.10.7.4; RFC 1337, 6191). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/bed.h"

#define TICK_NS (INT64_C(1) << TCP_TICK_SHIFT)
#define FIN_ACK (TCP_FLAG_FIN | TCP_FLAG_ACK)

static struct bed bed;
static struct client client;

static int set_up(void **state)
{
    bed_open(&bed, NULL);
    client_init(&client, &bed, 1);
    client_connect(&client);
    *state = &bed;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static void check_silence(void)
{
    bed_flush(&bed);
    assert_null(client_next(&client));
}

/* The one segment that goes out: `flags` (PSH aside), acknowledging the client's `seq`. */
static const struct bed_frame *check_answer(uint8_t flags)
{
    const struct bed_frame *frame;

    bed_flush(&bed);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.flags & ~TCP_FLAG_PSH, flags);
    assert_int_equal(frame->tcp.ack, client.seq);
    check_silence();
    return frame;
}

static void check_closed(enum tcp_close_reason reason)
{
    assert_int_equal(bed.closed, 1);
    assert_int_equal(bed.reason, reason);
}

/* Takes the client's FIN in. */
static void send_fin(void)
{
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, NULL, 0), COUNTER_TCP_IN_ACCEPTED);
    client.seq++;
}

/* The client closes first: CLOSE-WAIT, LAST-ACK, gone without TIME-WAIT. */
static void test_peer_closes_first(void **state)
{
    (void)state;
    send_fin();
    assert_int_equal(bed.finished, 1);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.connection->state, TCP_STATE_CLOSE_WAIT);
    /* Half closed: we may still speak. */
    assert_int_equal(tcp_send(bed.connection, "221 \r\n", 6), STATUS_OK);
    assert_int_equal(check_answer(TCP_FLAG_ACK)->tcp.payload_length, 6);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    tcp_close(bed.connection);
    (void)check_answer(FIN_ACK);
    assert_int_equal(bed.closed, 0);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    check_closed(TCP_CLOSED_NORMAL);
    assert_int_equal(bed.endpoint.connection_count, 0);
    check_silence();
}

static void test_fin_with_data(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "QUIT\r\n", 6),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 7;
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.received_length, 6);
    assert_int_equal(bed.readable, 1);
    assert_int_equal(bed.finished, 1);
}

/* A FIN counts when all before it has come, and its bytes are there first. */
static void test_fin_out_of_order(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq + 10, "klm", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.finished, 0);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abcdefghij", 10),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 14;
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.finished, 1);
    assert_int_equal(bed.received_length, 13);
    assert_memory_equal(bed.received, "abcdefghijklm", 13);
}

static void test_bare_fin_out_of_order(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq + 3, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.finished, 0);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abc", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 4;
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.finished, 1);
}

/* A FIN before bytes that came contradicts them; bytes behind a FIN contradict it. First wins. */
static void test_fin_against_data(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq + 5, "fgh", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_send(&client, FIN_ACK, client.seq + 3, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abcde", 5),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.finished, 0);
    assert_int_equal(bed.received_length, 8);
    client.seq += 8;
    bed_flush(&bed);
    bed_drain(&bed);
    send_fin();
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "xyz", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.received_length, 8);
    assert_int_equal(bed.finished, 1);
}

/* RFC 9293 3.10.7.4: a FIN again is acknowledged again. */
static void test_fin_is_repeated(void **state)
{
    (void)state;
    send_fin();
    (void)check_answer(TCP_FLAG_ACK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(client_send(&client, FIN_ACK, client.seq - 1, NULL, 0),
                         COUNTER_TCP_IN_DUPLICATE);
        (void)check_answer(TCP_FLAG_ACK);
    }
    assert_int_equal(bed.finished, 1);
}

/* With the last byte of the window, and nothing read. */
static void test_fin_at_the_edge(void **state)
{
    (void)state;
    bed.keep = true;
    for (uint32_t at = 0; at < TCP_COMMAND_WINDOW - 1024; at += 1024)
        assert_int_equal(client_stream(&client, at, 1024), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
    bed_drain(&bed);
    client.seq += TCP_COMMAND_WINDOW - 1024;
    {
        uint8_t payload[1024] = {0};

        assert_int_equal(client_send(&client, FIN_ACK, client.seq, payload, sizeof(payload)),
                         COUNTER_TCP_IN_ACCEPTED);
    }
    client.seq += 1025;
    assert_int_equal(check_answer(TCP_FLAG_ACK)->tcp.window, 0);
    assert_int_equal(bed.finished, 1);
    assert_int_equal(tcp_readable(bed.connection), TCP_COMMAND_WINDOW);
    /* The window is shut, not without end. */
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq + 100, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq + 100, "x", 1),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    tcp_consume(bed.connection, TCP_COMMAND_WINDOW);
    assert_int_equal(tcp_readable(bed.connection), 0);
}

/* We close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT for a minute. */
static void test_we_close_first(void **state)
{
    int64_t start;

    (void)state;
    tcp_close(bed.connection);
    (void)check_answer(FIN_ACK);
    assert_int_equal(bed.connection->state, TCP_STATE_FIN_WAIT_1);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.connection->state, TCP_STATE_FIN_WAIT_2);
    assert_int_equal(bed.closed, 0);
    send_fin();
    check_closed(TCP_CLOSED_NORMAL);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.finished, 0);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
    start = bed.now_ns;
    bed_advance(&bed, TCP_TIME_WAIT_NS - BED_MS);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
    bed_advance(&bed, BED_MS + 2 * TICK_NS);
    assert_int_equal(bed.endpoint.time_wait.count, 0);
    assert_int_equal(bed.endpoint.connection_count, 0);
    assert_true(bed.now_ns - start >= TCP_TIME_WAIT_NS);
    check_silence();
    assert_int_equal(bed.closed, 1);
}

/* The FIN and the acknowledgement of ours in one segment. */
static void test_fin_acknowledges_ours(void **state)
{
    (void)state;
    tcp_close(bed.connection);
    (void)check_answer(FIN_ACK);
    send_fin();
    check_closed(TCP_CLOSED_NORMAL);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
}

/* RFC 9293 3.6, figure 13: both at once. */
static void test_simultaneous_close(void **state)
{
    (void)state;
    tcp_close(bed.connection);
    bed_flush(&bed);
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, NULL, 0), COUNTER_TCP_IN_ACCEPTED);
    client.seq++;
    assert_int_equal(bed.connection->state, TCP_STATE_CLOSING);
    assert_int_equal(client_next(&client)->tcp.flags & TCP_FLAG_FIN, TCP_FLAG_FIN);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(bed.closed, 0);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    check_closed(TCP_CLOSED_NORMAL);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
}

/* Our FIN is lost: again after a second, and so on; R2 ends it. */
static void test_fin_retransmission(void **state)
{
    (void)state;
    tcp_close(bed.connection);
    (void)check_answer(FIN_ACK);
    for (unsigned i = 0; i < TCP_RETRIES_MAX; i++) {
        const struct bed_frame *frame;
        uint32_t seq = bed.connection->send_una;
        int64_t rto = BED_SECOND << i < TCP_RTO_MAX_NS ? BED_SECOND << i : TCP_RTO_MAX_NS;

        bed_advance(&bed, rto + 4 * TICK_NS);
        frame = client_next(&client);
        assert_non_null(frame);
        assert_int_equal(frame->tcp.flags & ~TCP_FLAG_PSH, FIN_ACK);
        assert_int_equal(frame->tcp.seq, seq);
        check_silence();
    }
    bed_advance(&bed, TCP_RTO_MAX_NS + BED_SECOND);
    check_closed(TCP_CLOSED_TIMEOUT);
    assert_int_equal(bed.endpoint.connection_count, 0);
}

/* A peer that never closes is waited for a minute. */
static void test_fin_wait_2_timeout(void **state)
{
    (void)state;
    tcp_close(bed.connection);
    (void)check_answer(FIN_ACK);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    bed_advance(&bed, TCP_FIN_WAIT_NS - BED_SECOND);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "x", 1),
                     COUNTER_TCP_IN_ACCEPTED); /* no reprieve */
    client.seq++;
    assert_int_equal(bed.closed, 0);
    bed_advance(&bed, BED_SECOND + 2 * TICK_NS);
    check_closed(TCP_CLOSED_TIMEOUT);
}

/* After tcp_close() what arrives is acknowledged and dropped. */
static void test_data_after_close(void **state)
{
    (void)state;
    bed.keep = true;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    client.seq += 100;
    assert_int_equal(client_stream(&client, 200, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_readable(bed.connection), 100);
    tcp_close(bed.connection);
    assert_int_equal(tcp_readable(bed.connection), 0);
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
    tcp_consume(bed.connection, 0);
    (void)check_answer(FIN_ACK);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "0123456789", 10),
                         COUNTER_TCP_IN_ACCEPTED);
        client.seq += 10;
        bed_advance(&bed, TCP_DELAYED_ACK_NS + 2 * TICK_NS);
        (void)check_answer(TCP_FLAG_ACK);
    }
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
    assert_int_equal(bed.readable, 1);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    send_fin();
    check_closed(TCP_CLOSED_NORMAL);
}

/* tcp_close() sends what is queued first, in whatever pieces, then FIN with the last. */
static void test_close_with_queued_data(void **state)
{
    static const uint8_t reply[16000] = {7};
    uint32_t at = 0;

    (void)state;
    client.window = 4000;
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send(bed.connection, reply, sizeof(reply)), STATUS_OK);
    tcp_close(bed.connection);
    assert_int_equal(tcp_send(bed.connection, reply, 1), STATUS_CLOSED);
    assert_int_equal(tcp_send_space(bed.connection), 0);
    for (bool fin = false; !fin;) {
        const struct bed_frame *frame;

        bed_flush(&bed);
        while ((frame = client_next(&client)) != NULL) {
            assert_int_equal(frame->tcp.seq - client.own, at);
            at += frame->tcp.payload_length;
            fin = (frame->tcp.flags & TCP_FLAG_FIN) != 0;
            assert_int_equal(fin, at == sizeof(reply));
        }
        assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(at, sizeof(reply));
    assert_int_equal(bed.connection->state, TCP_STATE_FIN_WAIT_2);
}

/* A peer that takes our last words a byte at a time does not keep its place for as long as it
 * likes. */
static void test_close_is_bounded(void **state)
{
    static const uint8_t reply[16000] = {7};
    int64_t start = bed.now_ns;

    (void)state;
    client.window = 1;
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send(bed.connection, reply, sizeof(reply)), STATUS_OK);
    tcp_close(bed.connection);
    while (bed.closed == 0) {
        bed_advance(&bed, 10 * BED_SECOND);
        assert_true(bed.now_ns - start < 1000 * BED_SECOND);
        while (client_next(&client) != NULL)
            continue;
        if (bed.closed == 0)
            (void)client_send_ack(&client, client.ack);
    }
    check_closed(TCP_CLOSED_TIMEOUT);
    assert_true(bed.now_ns - start >= TCP_CLOSE_NS);
    assert_int_equal(bed.endpoint.connection_count, 0);
}

/* The FIN's acknowledgement alone is missing: data is not sent again. */
static void test_fin_alone_is_retransmitted(void **state)
{
    (void)state;
    assert_int_equal(tcp_send(bed.connection, "221 \r\n", 6), STATUS_OK);
    tcp_close(bed.connection);
    assert_int_equal(check_answer(FIN_ACK)->tcp.payload_length, 6);
    assert_int_equal(client_send_ack(&client, client.own + 6), COUNTER_TCP_IN_ACCEPTED);
    bed_advance(&bed, 1100 * BED_MS);
    client.ack = client.own + 6;
    assert_int_equal(check_answer(FIN_ACK)->tcp.payload_length, 0);
    assert_int_equal(client_send_ack(&client, client.own + 7), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.connection->state, TCP_STATE_FIN_WAIT_2);
}

static void test_abort(void **state)
{
    uint32_t seq = client.ack;

    (void)state;
    bed.keep = true;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    client.seq += 100;
    assert_int_equal(tcp_send(bed.connection, "x", 1), STATUS_OK);
    tcp_abort(bed.connection);
    assert_int_equal(tcp_send(bed.connection, "x", 1), STATUS_CLOSED);
    assert_int_equal(check_answer(TCP_FLAG_RST | TCP_FLAG_ACK)->tcp.seq, seq);
    check_closed(TCP_CLOSED_ABORTED);
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_NO_CONNECTION);
}

static void abort_in_callback(struct bed *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_abort(connection);
}

static void close_in_callback(struct bed *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_close(connection);
}

/* The application may end it in any callback. */
static void test_end_in_callbacks(void **state)
{
    (void)state;
    bed.on_readable = abort_in_callback;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "abc", 3), COUNTER_TCP_IN_ACCEPTED);
    check_closed(TCP_CLOSED_ABORTED);
    assert_int_equal(bed.finished, 0);
    bed_flush(&bed);
    bed_drain(&bed);
    client_init(&client, &bed, 2);
    client_connect(&client);
    bed.on_readable = close_in_callback;
    bed.on_finished = abort_in_callback;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "abc", 3), COUNTER_TCP_IN_ACCEPTED);
    client.seq += 4;
    assert_int_equal(bed.finished, 0);
    (void)check_answer(FIN_ACK);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.closed, 2);
    assert_int_equal(bed.reason, TCP_CLOSED_NORMAL);
    client_init(&client, &bed, 3);
    client_connect(&client);
    bed.on_readable = NULL;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "abc", 3), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.closed, 3);
    assert_int_equal(bed.reason, TCP_CLOSED_ABORTED);
}

static void reach_time_wait(void)
{
    tcp_close(bed.connection);
    bed_flush(&bed);
    (void)client_next(&client);
    send_fin();
    bed_flush(&bed);
    (void)client_next(&client);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
}

/* RFC 1337: a reset does not end TIME-WAIT; a FIN again starts it afresh and is answered. */
static void test_time_wait(void **state)
{
    (void)state;
    reach_time_wait();
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    check_silence();
    assert_int_equal(bed.endpoint.time_wait.count, 1);
    bed_advance(&bed, 50 * BED_SECOND);
    assert_int_equal(client_send(&client, FIN_ACK, client.seq - 1, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_answer(TCP_FLAG_ACK);
    bed_advance(&bed, 50 * BED_SECOND);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq - 10, "x", 1),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_answer(TCP_FLAG_ACK);
    bed_advance(&bed, 11 * BED_SECOND);
    assert_int_equal(bed.endpoint.time_wait.count, 0);
}

/* RFC 9293 3.10.7.4, RFC 6191: a newer SYN takes the place over, an older one does not. */
static void test_time_wait_is_taken_over(void **state)
{
    (void)state;
    reach_time_wait();
    client.initial = client.seq - 5;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_DUPLICATE);
    bed_flush(&bed);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_ACK);
    assert_int_equal(bed.endpoint.time_wait.count, 1);
    client.initial += 100;
    client_connect(&client);
    assert_int_equal(bed.opened, 2);
    assert_int_equal(bed.endpoint.time_wait.count, 0);
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_ACCEPTED);
}

/* With timestamps it is they that tell newer from older. */
static void test_rfc_6191_by_timestamp(void **state)
{
    (void)state;
    client_init(&client, &bed, 2);
    client.timestamps = true;
    client_connect(&client);
    reach_time_wait();
    client.initial -= 50000;
    client.clock -= 1;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_DUPLICATE);
    bed_flush(&bed);
    bed_drain(&bed);
    client.clock += 2;
    client_connect(&client);
    assert_int_equal(bed.opened, 3);
}

/* A connection that has gone is not found by its handle, nor is the next one in its place. */
static void test_stale_handles(void **state)
{
    struct connection_handle handle = tcp_handle(bed.connection);
    struct connection_handle none = {0, 0};
    struct connection_handle wild = {12345678, 1};

    (void)state;
    assert_ptr_equal(tcp_find(&bed.endpoint, handle), bed.connection);
    assert_null(tcp_find(&bed.endpoint, none));
    assert_null(tcp_find(&bed.endpoint, wild));
    tcp_abort(bed.connection);
    assert_null(tcp_find(&bed.endpoint, handle));
    bed_flush(&bed);
    assert_null(tcp_find(&bed.endpoint, handle));
    client_init(&client, &bed, 2);
    bed_drain(&bed);
    client_connect(&client);
    assert_int_equal(tcp_handle(bed.connection).index, handle.index);
    assert_null(tcp_find(&bed.endpoint, handle));
    assert_ptr_equal(tcp_find(&bed.endpoint, tcp_handle(bed.connection)), bed.connection);
}

/* The endpoint may go while connections are in every state. */
static void test_destroy_with_connections(void **state)
{
    (void)state;
    reach_time_wait();
    for (uint8_t i = 2; i < 12; i++) {
        client_init(&client, &bed, i);
        client_connect(&client);
        bed.keep = true;
        assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(tcp_send(bed.connection, "x", 1), STATUS_OK);
        if (i % 3 == 0)
            tcp_close(bed.connection);
        if (i % 3 == 1)
            bed_flush(&bed);
    }
    tcp_endpoint_destroy(&bed.endpoint, bed.now_ns);
    assert_int_equal(bed.closed, bed.opened);
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
    assert_int_equal(bed.endpoint.connection_count, 0);
    bed_forget(&bed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_peer_closes_first),
        TEST(test_fin_with_data),
        TEST(test_fin_out_of_order),
        TEST(test_bare_fin_out_of_order),
        TEST(test_fin_against_data),
        TEST(test_fin_is_repeated),
        TEST(test_fin_at_the_edge),
        TEST(test_we_close_first),
        TEST(test_fin_acknowledges_ours),
        TEST(test_simultaneous_close),
        TEST(test_fin_retransmission),
        TEST(test_fin_wait_2_timeout),
        TEST(test_data_after_close),
        TEST(test_close_with_queued_data),
        TEST(test_close_is_bounded),
        TEST(test_fin_alone_is_retransmitted),
        TEST(test_abort),
        TEST(test_end_in_callbacks),
        TEST(test_time_wait),
        TEST(test_time_wait_is_taken_over),
        TEST(test_rfc_6191_by_timestamp),
        TEST(test_stale_handles),
        cmocka_unit_test_setup(test_destroy_with_connections, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

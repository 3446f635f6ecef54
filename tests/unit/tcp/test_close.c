/* Every way to end (RFC 9293 3.6, 3.10.4, 3.10.7.4; RFC 1337, 6191). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/rig.h"

#define TICK_NS (INT64_C(1) << TCP_TICK_SHIFT)
#define FIN_ACK (TCP_FLAG_FIN | TCP_FLAG_ACK)

static struct rig rig;
static struct client client;

static int set_up(void **state)
{
    rig_open(&rig, NULL);
    client_init(&client, &rig, 1);
    client_connect(&client);
    *state = &rig;
    return 0;
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

/* The one segment that goes out: `flags` (PSH aside), acknowledging the client's `seq`. */
static const struct rig_frame *check_answer(uint8_t flags)
{
    const struct rig_frame *frame;

    rig_flush(&rig);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.flags & ~TCP_FLAG_PSH, flags);
    assert_int_equal(frame->tcp.ack, client.seq);
    check_silence();
    return frame;
}

static void check_closed(enum tcp_close_reason reason)
{
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, reason);
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
    assert_int_equal(rig.finished, 1);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.connection->state, TCP_STATE_CLOSE_WAIT);
    /* Half closed: we may still speak. */
    assert_int_equal(tcp_send(rig.connection, "221 \r\n", 6), STATUS_OK);
    assert_int_equal(check_answer(TCP_FLAG_ACK)->tcp.payload_length, 6);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    tcp_close(rig.connection);
    (void)check_answer(FIN_ACK);
    assert_int_equal(rig.closed, 0);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    check_closed(TCP_CLOSED_NORMAL);
    assert_int_equal(rig.endpoint.connection_count, 0);
    check_silence();
}

static void test_fin_with_data(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "QUIT\r\n", 6),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 7;
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.received_length, 6);
    assert_int_equal(rig.readable, 1);
    assert_int_equal(rig.finished, 1);
}

/* A FIN counts when all before it has come, and its bytes are there first. */
static void test_fin_out_of_order(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq + 10, "klm", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.finished, 0);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abcdefghij", 10),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 14;
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.finished, 1);
    assert_int_equal(rig.received_length, 13);
    assert_memory_equal(rig.received, "abcdefghijklm", 13);
}

static void test_bare_fin_out_of_order(void **state)
{
    (void)state;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq + 3, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.finished, 0);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abc", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 4;
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.finished, 1);
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
    assert_int_equal(rig.finished, 0);
    assert_int_equal(rig.received_length, 8);
    client.seq += 8;
    rig_flush(&rig);
    rig_drain(&rig);
    send_fin();
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "xyz", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.received_length, 8);
    assert_int_equal(rig.finished, 1);
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
    assert_int_equal(rig.finished, 1);
}

/* With the last byte of the window, and nothing read. */
static void test_fin_at_the_edge(void **state)
{
    (void)state;
    rig.keep = true;
    for (uint32_t at = 0; at < TCP_COMMAND_WINDOW - 1024; at += 1024)
        assert_int_equal(client_stream(&client, at, 1024), COUNTER_TCP_IN_ACCEPTED);
    rig_flush(&rig);
    rig_drain(&rig);
    client.seq += TCP_COMMAND_WINDOW - 1024;
    {
        uint8_t payload[1024] = {0};

        assert_int_equal(client_send(&client, FIN_ACK, client.seq, payload, sizeof(payload)),
                         COUNTER_TCP_IN_ACCEPTED);
    }
    client.seq += 1025;
    assert_int_equal(check_answer(TCP_FLAG_ACK)->tcp.window, 0);
    assert_int_equal(rig.finished, 1);
    assert_int_equal(tcp_readable(rig.connection), TCP_COMMAND_WINDOW);
    /* The window is shut, not without end. */
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq + 100, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq + 100, "x", 1),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    tcp_consume(rig.connection, TCP_COMMAND_WINDOW);
    assert_int_equal(tcp_readable(rig.connection), 0);
}

/* We close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT for a minute. */
static void test_we_close_first(void **state)
{
    int64_t start;

    (void)state;
    tcp_close(rig.connection);
    (void)check_answer(FIN_ACK);
    assert_int_equal(rig.connection->state, TCP_STATE_FIN_WAIT_1);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.connection->state, TCP_STATE_FIN_WAIT_2);
    assert_int_equal(rig.closed, 0);
    send_fin();
    check_closed(TCP_CLOSED_NORMAL);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.finished, 0);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
    start = rig.now_ns;
    rig_advance(&rig, TCP_TIME_WAIT_NS - RIG_MS);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
    rig_advance(&rig, RIG_MS + 2 * TICK_NS);
    assert_int_equal(rig.endpoint.time_wait.count, 0);
    assert_int_equal(rig.endpoint.connection_count, 0);
    assert_true(rig.now_ns - start >= TCP_TIME_WAIT_NS);
    check_silence();
    assert_int_equal(rig.closed, 1);
}

/* The FIN and the acknowledgement of ours in one segment. */
static void test_fin_acknowledges_ours(void **state)
{
    (void)state;
    tcp_close(rig.connection);
    (void)check_answer(FIN_ACK);
    send_fin();
    check_closed(TCP_CLOSED_NORMAL);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
}

/* RFC 9293 3.6, figure 13: both at once. */
static void test_simultaneous_close(void **state)
{
    (void)state;
    tcp_close(rig.connection);
    rig_flush(&rig);
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, NULL, 0), COUNTER_TCP_IN_ACCEPTED);
    client.seq++;
    assert_int_equal(rig.connection->state, TCP_STATE_CLOSING);
    assert_int_equal(client_next(&client)->tcp.flags & TCP_FLAG_FIN, TCP_FLAG_FIN);
    (void)check_answer(TCP_FLAG_ACK);
    assert_int_equal(rig.closed, 0);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    check_closed(TCP_CLOSED_NORMAL);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
}

/* Our FIN is lost: again after a second, and so on; R2 ends it. */
static void test_fin_retransmission(void **state)
{
    (void)state;
    tcp_close(rig.connection);
    (void)check_answer(FIN_ACK);
    for (unsigned i = 0; i < TCP_RETRIES_MAX; i++) {
        const struct rig_frame *frame;
        uint32_t seq = rig.connection->send_una;
        int64_t rto = RIG_SECOND << i < TCP_RTO_MAX_NS ? RIG_SECOND << i : TCP_RTO_MAX_NS;

        rig_advance(&rig, rto + 4 * TICK_NS);
        frame = client_next(&client);
        assert_non_null(frame);
        assert_int_equal(frame->tcp.flags & ~TCP_FLAG_PSH, FIN_ACK);
        assert_int_equal(frame->tcp.seq, seq);
        check_silence();
    }
    rig_advance(&rig, TCP_RTO_MAX_NS + RIG_SECOND);
    check_closed(TCP_CLOSED_TIMEOUT);
    assert_int_equal(rig.endpoint.connection_count, 0);
}

/* A peer that never closes is waited for a minute. */
static void test_fin_wait_2_timeout(void **state)
{
    (void)state;
    tcp_close(rig.connection);
    (void)check_answer(FIN_ACK);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, TCP_FIN_WAIT_NS - RIG_SECOND);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "x", 1),
                     COUNTER_TCP_IN_ACCEPTED); /* no reprieve */
    client.seq++;
    assert_int_equal(rig.closed, 0);
    rig_advance(&rig, RIG_SECOND + 2 * TICK_NS);
    check_closed(TCP_CLOSED_TIMEOUT);
}

/* After tcp_close() what arrives is acknowledged and dropped. */
static void test_data_after_close(void **state)
{
    (void)state;
    rig.keep = true;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    client.seq += 100;
    assert_int_equal(client_stream(&client, 200, 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_readable(rig.connection), 100);
    tcp_close(rig.connection);
    assert_int_equal(tcp_readable(rig.connection), 0);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    tcp_consume(rig.connection, 0);
    (void)check_answer(FIN_ACK);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "0123456789", 10),
                         COUNTER_TCP_IN_ACCEPTED);
        client.seq += 10;
        rig_advance(&rig, TCP_DELAYED_ACK_NS + 2 * TICK_NS);
        (void)check_answer(TCP_FLAG_ACK);
    }
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    assert_int_equal(rig.readable, 1);
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
    assert_int_equal(tcp_send(rig.connection, reply, sizeof(reply)), STATUS_OK);
    tcp_close(rig.connection);
    assert_int_equal(tcp_send(rig.connection, reply, 1), STATUS_CLOSED);
    assert_int_equal(tcp_send_space(rig.connection), 0);
    for (bool fin = false; !fin;) {
        const struct rig_frame *frame;

        rig_flush(&rig);
        while ((frame = client_next(&client)) != NULL) {
            assert_int_equal(frame->tcp.seq - client.own, at);
            at += frame->tcp.payload_length;
            fin = (frame->tcp.flags & TCP_FLAG_FIN) != 0;
            assert_int_equal(fin, at == sizeof(reply));
        }
        assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(at, sizeof(reply));
    assert_int_equal(rig.connection->state, TCP_STATE_FIN_WAIT_2);
}

/* A peer that takes our last words a byte at a time does not keep its place for as long as it
 * likes. */
static void test_close_is_bounded(void **state)
{
    static const uint8_t reply[16000] = {7};
    int64_t start = rig.now_ns;

    (void)state;
    client.window = 1;
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send(rig.connection, reply, sizeof(reply)), STATUS_OK);
    tcp_close(rig.connection);
    while (rig.closed == 0) {
        rig_advance(&rig, 10 * RIG_SECOND);
        assert_true(rig.now_ns - start < 1000 * RIG_SECOND);
        while (client_next(&client) != NULL)
            continue;
        if (rig.closed == 0)
            (void)client_send_ack(&client, client.ack);
    }
    check_closed(TCP_CLOSED_TIMEOUT);
    assert_true(rig.now_ns - start >= TCP_CLOSE_NS);
    assert_int_equal(rig.endpoint.connection_count, 0);
}

/* The FIN's acknowledgement alone is missing: data is not sent again. */
static void test_fin_alone_is_retransmitted(void **state)
{
    (void)state;
    assert_int_equal(tcp_send(rig.connection, "221 \r\n", 6), STATUS_OK);
    tcp_close(rig.connection);
    assert_int_equal(check_answer(FIN_ACK)->tcp.payload_length, 6);
    assert_int_equal(client_send_ack(&client, client.own + 6), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, 1100 * RIG_MS);
    client.ack = client.own + 6;
    assert_int_equal(check_answer(FIN_ACK)->tcp.payload_length, 0);
    assert_int_equal(client_send_ack(&client, client.own + 7), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.connection->state, TCP_STATE_FIN_WAIT_2);
}

static void test_abort(void **state)
{
    uint32_t seq = client.ack;

    (void)state;
    rig.keep = true;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    client.seq += 100;
    assert_int_equal(tcp_send(rig.connection, "x", 1), STATUS_OK);
    tcp_abort(rig.connection);
    assert_int_equal(tcp_send(rig.connection, "x", 1), STATUS_CLOSED);
    assert_int_equal(check_answer(TCP_FLAG_RST | TCP_FLAG_ACK)->tcp.seq, seq);
    check_closed(TCP_CLOSED_ABORTED);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_NO_CONNECTION);
}

static void abort_in_callback(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_abort(connection);
}

static void close_in_callback(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_close(connection);
}

/* The application may end it in any callback. */
static void test_end_in_callbacks(void **state)
{
    (void)state;
    rig.on_readable = abort_in_callback;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "abc", 3), COUNTER_TCP_IN_ACCEPTED);
    check_closed(TCP_CLOSED_ABORTED);
    assert_int_equal(rig.finished, 0);
    rig_flush(&rig);
    rig_drain(&rig);
    client_init(&client, &rig, 2);
    client_connect(&client);
    rig.on_readable = close_in_callback;
    rig.on_finished = abort_in_callback;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "abc", 3), COUNTER_TCP_IN_ACCEPTED);
    client.seq += 4;
    assert_int_equal(rig.finished, 0);
    (void)check_answer(FIN_ACK);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.closed, 2);
    assert_int_equal(rig.reason, TCP_CLOSED_NORMAL);
    client_init(&client, &rig, 3);
    client_connect(&client);
    rig.on_readable = NULL;
    assert_int_equal(client_send(&client, FIN_ACK, client.seq, "abc", 3), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.closed, 3);
    assert_int_equal(rig.reason, TCP_CLOSED_ABORTED);
}

static void reach_time_wait(void)
{
    tcp_close(rig.connection);
    rig_flush(&rig);
    (void)client_next(&client);
    send_fin();
    rig_flush(&rig);
    (void)client_next(&client);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
}

/* RFC 1337: a reset does not end TIME-WAIT; a FIN again starts it afresh and is answered. */
static void test_time_wait(void **state)
{
    (void)state;
    reach_time_wait();
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.seq, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    check_silence();
    assert_int_equal(rig.endpoint.time_wait.count, 1);
    rig_advance(&rig, 50 * RIG_SECOND);
    assert_int_equal(client_send(&client, FIN_ACK, client.seq - 1, NULL, 0),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_answer(TCP_FLAG_ACK);
    rig_advance(&rig, 50 * RIG_SECOND);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq - 10, "x", 1),
                     COUNTER_TCP_IN_DUPLICATE);
    (void)check_answer(TCP_FLAG_ACK);
    rig_advance(&rig, 11 * RIG_SECOND);
    assert_int_equal(rig.endpoint.time_wait.count, 0);
}

/* RFC 9293 3.10.7.4, RFC 6191: a newer SYN takes the place over, an older one does not. */
static void test_time_wait_is_taken_over(void **state)
{
    (void)state;
    reach_time_wait();
    client.initial = client.seq - 5;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_DUPLICATE);
    rig_flush(&rig);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_ACK);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
    client.initial += 100;
    client_connect(&client);
    assert_int_equal(rig.opened, 2);
    assert_int_equal(rig.endpoint.time_wait.count, 0);
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_ACCEPTED);
}

/* With timestamps it is they that tell newer from older. */
static void test_rfc_6191_by_timestamp(void **state)
{
    (void)state;
    client_init(&client, &rig, 2);
    client.timestamps = true;
    client_connect(&client);
    reach_time_wait();
    client.initial -= 50000;
    client.clock -= 1;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_DUPLICATE);
    rig_flush(&rig);
    rig_drain(&rig);
    client.clock += 2;
    client_connect(&client);
    assert_int_equal(rig.opened, 3);
}

/* A connection that has gone is not found by its handle, nor is the next one in its place. */
static void test_stale_handles(void **state)
{
    struct connection_handle handle = tcp_handle(rig.connection);
    struct connection_handle none = {0, 0};
    struct connection_handle wild = {12345678, 1};

    (void)state;
    assert_ptr_equal(tcp_find(&rig.endpoint, handle), rig.connection);
    assert_null(tcp_find(&rig.endpoint, none));
    assert_null(tcp_find(&rig.endpoint, wild));
    tcp_abort(rig.connection);
    assert_null(tcp_find(&rig.endpoint, handle));
    rig_flush(&rig);
    assert_null(tcp_find(&rig.endpoint, handle));
    client_init(&client, &rig, 2);
    rig_drain(&rig);
    client_connect(&client);
    assert_int_equal(tcp_handle(rig.connection).index, handle.index);
    assert_null(tcp_find(&rig.endpoint, handle));
    assert_ptr_equal(tcp_find(&rig.endpoint, tcp_handle(rig.connection)), rig.connection);
}

/* The endpoint may go while connections are in every state. */
static void test_destroy_with_connections(void **state)
{
    (void)state;
    reach_time_wait();
    for (uint8_t i = 2; i < 12; i++) {
        client_init(&client, &rig, i);
        client_connect(&client);
        rig.keep = true;
        assert_int_equal(client_stream(&client, 100, 100), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(tcp_send(rig.connection, "x", 1), STATUS_OK);
        if (i % 3 == 0)
            tcp_close(rig.connection);
        if (i % 3 == 1)
            rig_flush(&rig);
    }
    tcp_endpoint_destroy(&rig.endpoint, rig.now_ns);
    assert_int_equal(rig.closed, rig.opened);
    assert_int_equal(rig.store.free_count, RIG_BLOCKS);
    assert_int_equal(rig.endpoint.connection_count, 0);
    rig_forget(&rig);
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

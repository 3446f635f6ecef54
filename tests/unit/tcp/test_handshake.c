/* From SYN to `opened` (RFC 9293 3.5, 3.10.7.1, 3.10.7.2; RFC 7323 2, 3; RFC 2018 2; RFC 4987). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "tests/unit/tcp/connecting.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TICK_NS      (INT64_C(1) << TCP_TICK_SHIFT)
#define FLAG_ECE     0x40u
#define FLAG_CWR     0x80u

static void check_silence(void)
{
    rig_flush(&rig);
    assert_null(rig_next(&rig));
}

/* Every combination of options: each is agreed exactly when it was offered, and then used. */
static void test_options(void **state)
{
    static const int scales[] = {-1, 0, 1, 7, 14, 15, 255};

    (void)state;
    for (unsigned i = 0; i < 8 * COUNT(scales); i++) {
        const struct rig_frame *frame;
        uint32_t shift;

        client_init(&client, &rig, (uint8_t)(1 + i));
        client.mss = (i & 1) != 0 ? RIG_MSS : 0;
        client.sack = (i & 2) != 0;
        client.timestamps = (i & 4) != 0;
        client.scale = scales[i / 8];
        client.window = 300;
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        frame = client_next(&client);
        assert_non_null(frame);
        assert_int_equal(frame->tcp.flags, TCP_FLAG_SYN | TCP_FLAG_ACK);
        assert_int_equal(frame->tcp.ack, client.initial + 1);
        assert_int_equal(frame->tcp.window, TCP_COMMAND_WINDOW);
        assert_true(frame->tcp.has_mss);
        assert_int_equal(frame->tcp.mss, RIG_MSS);
        assert_int_equal(frame->tcp.has_scale, client.scale >= 0);
        assert_int_equal(frame->tcp.scale, client.scale >= 0 ? TCP_RECEIVE_SCALE : 0);
        assert_int_equal(frame->tcp.sack_ok, client.sack);
        assert_int_equal(frame->tcp.has_timestamp, client.timestamps);
        assert_int_equal(frame->tcp.timestamp_echo, client.timestamps ? client.clock : 0);
        assert_int_equal(rig.opened, i);
        assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(rig.opened, i + 1);
        check_silence();
        /* RFC 7323 2.3: a shift above 14 is taken as 14. */
        shift = client.scale < 0 ? 0 : client.scale > 14 ? 14 : (uint32_t)client.scale;
        assert_int_equal(rig.connection->send_window, 300u << shift);
        assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_ACCEPTED);
        client.seq += 10;
        rig_flush(&rig);
        frame = client_next(&client);
        assert_int_equal(frame->tcp.has_timestamp, client.timestamps);
        assert_int_equal(client_edge(&client, frame), client.seq + TCP_COMMAND_WINDOW);
        client_finish(&client);
    }
}

/* Our MSS is that of the port (RFC 9293 3.7.1; RFC 6691). */
static void test_mss_of_the_port(void **state)
{
    static const uint16_t mtus[] = {576, 1280, 1500};

    (void)state;
    for (size_t i = 0; i < COUNT(mtus); i++) {
        rig.ip.interfaces[0].mtu = mtus[i];
        client_init(&client, &rig, (uint8_t)(1 + i));
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(client_next(&client)->tcp.mss, mtus[i] - 40);
    }
    rig.ip.interfaces[0].mtu = RIG_MTU;
}

/* RFC 3168 6.1.1: who asks for ECN is served without it. */
static void test_rfc_3168_not_negotiated(void **state)
{
    struct segment syn = {
        .flags = TCP_FLAG_SYN | FLAG_ECE | FLAG_CWR, .seq = client.initial, .window = 1000};

    (void)state;
    assert_int_equal(client_put(&client, &syn), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_SYN | TCP_FLAG_ACK);
    client.seq = client.first;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK | FLAG_CWR, client.seq, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK | FLAG_ECE | FLAG_CWR, client.seq, "x", 1),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.received_length, 1);
    rig_flush(&rig);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_ACK);
    check_silence();
}

/* RFC 9293 3.10.7.4: a SYN again gets the same answer again. */
static void test_syn_is_repeated(void **state)
{
    uint32_t seq;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    seq = client_next(&client)->tcp.seq;
    for (unsigned i = 0; i < 3; i++) {
        rig_advance(&rig, 10 * RIG_MS);
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_DUPLICATE);
        assert_int_equal(client_next(&client)->tcp.seq, seq);
        check_silence();
    }
    assert_int_equal(rig.endpoint.half_open_count, 1);
    assert_int_equal(client_send_ack(&client, seq + 1), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
}

/* An old or forged SYN for a handshake under way changes nothing: the first one's SYN-ACK is said
 * again, and its final ACK opens the connection. */
static void test_syn_with_another_number(void **state)
{
    uint32_t initial = client.initial;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&client);
    client.initial += 77777;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_CHALLENGED);
    assert_int_equal(client_next(&client)->tcp.ack, initial + 1);
    assert_int_equal(rig.endpoint.half_open_count, 1);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, initial + 1, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
}

/* Who really has begun anew resets what it does not know (RFC 9293 3.10.7.3) and tries again. */
static void test_syn_anew(void **state)
{
    uint32_t initial = client.initial;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&client);
    client.initial += 77777;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_CHALLENGED);
    (void)client_next(&client);
    assert_int_equal(client_send(&client, TCP_FLAG_RST, initial + 1, NULL, 0),
                     COUNTER_TCP_IN_RESET);
    assert_int_equal(rig.endpoint.half_open_count, 0);
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_next(&client)->tcp.ack, client.initial + 1);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
}

/* RFC 6298: 1, 2, 4, 8, 16 s; then it is forgotten, and a late ACK gets a reset. */
static void test_syn_ack_is_repeated(void **state)
{
    int64_t start = rig.now_ns;
    int64_t expected = 0;
    uint32_t seq;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    seq = client_next(&client)->tcp.seq;
    for (unsigned i = 0; i < TCP_SYN_RETRIES_MAX; i++) {
        const struct rig_frame *frame;

        expected += RIG_SECOND << i;
        rig_advance(&rig, start + expected - 20 * RIG_MS - rig.now_ns);
        check_silence();
        rig_advance(&rig, 80 * RIG_MS);
        frame = client_next(&client);
        assert_non_null(frame);
        assert_int_equal(frame->tcp.seq, seq);
        assert_int_equal(frame->tcp.flags, TCP_FLAG_SYN | TCP_FLAG_ACK);
        assert_in_range(frame->sent_ns - start, expected - (i + 1) * TICK_NS,
                        expected + (i + 1) * 2 * TICK_NS);
        check_silence();
    }
    assert_int_equal(rig.endpoint.half_open_count, 1);
    rig_advance(&rig, 33 * RIG_SECOND);
    check_silence();
    assert_int_equal(rig.endpoint.half_open_count, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HALF_OPEN_EXPIRED), 1);
    assert_int_equal(client_send_ack(&client, seq + 1), COUNTER_TCP_IN_NO_CONNECTION);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_RST);
    assert_int_equal(rig.opened, 0);
}

static void test_syn_ack_without_a_buffer(void **state)
{
    (void)state;
    rig.buffers = 0;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    rig.buffers = RIG_UNLIMITED;
    rig_advance(&rig, 1100 * RIG_MS);
    assert_non_null(client_next(&client));
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
}

/* Flags that open nothing: what a listener answers (RFC 9293 3.10.7.1, 3.10.7.2). */
static void test_segments_without_connection(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct segment segment = {.flags = (uint8_t)flags,
                                  .seq = 1000,
                                  .ack = 5555,
                                  .window = 100,
                                  .payload = "abc",
                                  .length = flags % 2 == 0 ? 3 : 0};
        uint32_t length =
            segment.length + ((flags & TCP_FLAG_SYN) != 0) + ((flags & TCP_FLAG_FIN) != 0);
        const struct rig_frame *frame;

        if ((flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST | TCP_FLAG_FIN)) == TCP_FLAG_SYN)
            continue;
        assert_int_equal(client_put(&client, &segment), COUNTER_TCP_IN_NO_CONNECTION);
        frame = client_next(&client);
        if ((flags & TCP_FLAG_RST) != 0) {
            assert_null(frame);
            continue;
        }
        assert_non_null(frame);
        if ((flags & TCP_FLAG_ACK) != 0) {
            assert_int_equal(frame->tcp.flags, TCP_FLAG_RST);
            assert_int_equal(frame->tcp.seq, 5555);
        } else {
            assert_int_equal(frame->tcp.flags, TCP_FLAG_RST | TCP_FLAG_ACK);
            assert_int_equal(frame->tcp.seq, 0);
            assert_int_equal(frame->tcp.ack, 1000 + length);
        }
        check_silence();
    }
    assert_int_equal(rig.endpoint.half_open_count, 0);
}

static void test_no_listener(void **state)
{
    uint8_t frame[RIG_FRAME_BYTES];
    static const struct rig_options elsewhere = {.port = 26};
    struct segment syn = {.flags = TCP_FLAG_SYN, .seq = 10, .window = 100};
    const struct rig_frame *answer;
    uint32_t length;

    (void)state;
    rig_close(&rig);
    rig_open(&rig, &elsewhere);
    length = client_frame(&client, &syn, frame);
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_TCP_IN_NO_LISTENER);
    answer = client_next(&client);
    assert_int_equal(answer->tcp.flags, TCP_FLAG_RST | TCP_FLAG_ACK);
    assert_int_equal(answer->tcp.ack, 11);
    syn.flags = TCP_FLAG_RST;
    assert_int_equal(client_put(&client, &syn), COUNTER_TCP_IN_NO_LISTENER);
    check_silence();
}

/* RFC 9293 3.10.7.4 in SYN-RECEIVED. */
static void test_half_open_segments(void **state)
{
    uint32_t seq;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    seq = client_next(&client)->tcp.seq;
    /* An acknowledgement of something else is reset by its own word, and changes nothing. */
    assert_int_equal(client_send_ack(&client, seq), COUNTER_TCP_IN_BAD_ACK);
    assert_int_equal(client_next(&client)->tcp.seq, seq);
    assert_int_equal(client_send_ack(&client, seq + 2), COUNTER_TCP_IN_BAD_ACK);
    assert_int_equal(client_next(&client)->tcp.seq, seq + 2);
    /* RFC 5961 3.2: only the exact reset ends it. */
    client.ack = seq + 1;
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.first + 1, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.first - 1, NULL, 0),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.first + TCP_COMMAND_WINDOW, "x", 1),
                     COUNTER_TCP_IN_OUT_OF_WINDOW);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_SYN | TCP_FLAG_ACK);
    assert_int_equal(client_send(&client, 0, client.first, "x", 1), COUNTER_TCP_IN_BAD_HEADER);
    assert_int_equal(client_send(&client, TCP_FLAG_SYN | TCP_FLAG_ACK, client.first, NULL, 0),
                     COUNTER_TCP_IN_BAD_HEADER);
    assert_int_equal(rig.endpoint.half_open_count, 1);
    check_silence();
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.first, NULL, 0),
                     COUNTER_TCP_IN_RESET);
    assert_int_equal(rig.endpoint.half_open_count, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_HALF_OPEN_RESET), 1);
    check_silence();
}

/* RFC 7323 3.2: once agreed, the final ACK carries a timestamp too. */
static void test_final_ack_without_timestamp(void **state)
{
    struct segment ack = {.flags = TCP_FLAG_ACK, .window = 100};

    (void)state;
    client.timestamps = true;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&client);
    ack.seq = client.seq;
    ack.ack = client.ack;
    assert_int_equal(client_put(&client, &ack), COUNTER_TCP_IN_BAD_HEADER);
    assert_int_equal(rig.opened, 0);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
}

static void test_data_with_the_final_ack(void **state)
{
    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&client);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK | TCP_FLAG_FIN, client.seq, "QUIT\r\n", 6),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
    assert_int_equal(rig.finished, 1);
    assert_int_equal(rig.received_length, 6);
    assert_memory_equal(rig.received, "QUIT\r\n", 6);
    rig_flush(&rig);
    assert_int_equal(client_next(&client)->tcp.ack, client.seq + 7);
}

static void abort_at_once(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_abort(connection);
}

static void close_at_once(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_close(connection);
}

static void test_refused_by_the_application(void **state)
{
    (void)state;
    rig.on_opened = abort_at_once;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&client);
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abc", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_next(&client)->tcp.flags & TCP_FLAG_RST, TCP_FLAG_RST);
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, TCP_CLOSED_ABORTED);
    assert_int_equal(rig.readable, 0);
    rig.on_opened = close_at_once;
    client_init(&client, &rig, 2);
    client_connect(&client);
    assert_int_equal(client_next(&client)->tcp.flags & TCP_FLAG_FIN, TCP_FLAG_FIN);
}

/* Data on a SYN is legal and waits for its retransmission (RFC 9293 3.10.7.2). */
static void test_data_on_a_syn(void **state)
{
    struct segment syn = {
        .flags = TCP_FLAG_SYN, .seq = client.initial, .window = 100, .payload = "abc", .length = 3};

    (void)state;
    assert_int_equal(client_put(&client, &syn), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(client_next(&client)->tcp.ack, client.initial + 1);
    client.seq++;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq, "abc", 3),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_memory_equal(rig.received, "abc", 3);
}

/* Data offsets and options that do not fit (RFC 9293 3.1). */
static void test_bad_headers(void **state)
{
    uint8_t frame[RIG_FRAME_BYTES];
    struct segment syn = {.flags = TCP_FLAG_SYN, .seq = 1, .window = 100};
    uint32_t length;

    (void)state;
    for (uint32_t offset = 0; offset < 16; offset++) {
        uint16_t checksum;

        if (offset == 5)
            continue;
        length = client_frame(&client, &syn, frame);
        frame[14 + 20 + 12] = (uint8_t)(offset << 4);
        checksum = (uint16_t)(bytes_get16(frame + 50) - ((offset - 5) << 12));
        bytes_put16(frame + 50, checksum);
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_TCP_IN_BAD_HEADER);
    }
    for (uint32_t bytes = 0; bytes < 20; bytes++) {
        (void)client_frame(&client, &syn, frame);
        frame_put_ipv4(frame + 14, client.address, RIG_ADDRESS, FRAME_PROTOCOL_TCP, bytes, false);
        assert_int_equal(rig_input(&rig, frame, 34 + bytes), COUNTER_TCP_IN_BAD_HEADER);
    }
    length = client_frame(&client, &syn, frame);
    frame[14 + 20 + 4] ^= 1;
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_TCP_IN_BAD_CHECKSUM);
    check_silence();
}

/* What came before a malformed option counts, what comes after does not; nothing is read beyond. */
static void test_malformed_options(void **state)
{
    static const struct {
        uint8_t bytes[12];
        bool mss;
        bool sack;
    } cases[] = {
        {{2, 4, 2, 0, 4, 2, 0, 0}, true, true},
        {{2, 4, 2, 0, 4, 0, 4, 2}, true, false},  /* length 0 */
        {{2, 4, 2, 0, 4, 1, 4, 2}, true, false},  /* length 1 */
        {{2, 4, 2, 0, 8, 10, 4, 2}, true, false}, /* beyond the end */
        {{1, 1, 1, 1, 1, 1, 1, 4}, false, false}, /* no length */
        {{0, 2, 4, 2, 0, 4, 2, 0}, false, false}, /* after the end of the list */
        {{2, 3, 9, 4, 2, 0, 0, 0}, false, true},  /* another length than it should have */
        {{4, 3, 9, 2, 4, 2, 0, 0}, true, false},
        {{254, 4, 1, 1, 4, 2, 2, 4}, false, true}, /* unknown; then cut off */
        {{3, 4, 7, 7, 4, 2, 1, 1}, false, true},
        {{34, 2, 4, 2, 2, 4, 2, 0}, true, true}, /* RFC 7413: asks for a Fast Open cookie */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct segment syn = {.flags = TCP_FLAG_SYN,
                              .seq = 1,
                              .window = 100,
                              .options = cases[i].bytes,
                              .option_bytes = 8};
        const struct rig_frame *frame;

        client_init(&client, &rig, (uint8_t)(1 + i));
        assert_int_equal(client_put(&client, &syn), COUNTER_TCP_IN_ACCEPTED);
        frame = client_next(&client);
        assert_int_equal(frame->tcp.sack_ok, cases[i].sack);
        assert_false(frame->tcp.has_scale);
        assert_false(frame->tcp.has_timestamp);
        client.first = client.seq = 2;
        assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(rig.connection->mss, cases[i].mss ? 512 : TCP_MSS_DEFAULT);
    }
}

/* The client's number at the end of the space (RFC 9293 3.4). */
static void test_syn_number_wraps(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        client_init(&client, &rig, (uint8_t)(1 + i));
        client.initial = UINT32_MAX - i;
        client_connect(&client);
        assert_int_equal(rig.opened, i + 1);
        client_finish(&client);
    }
}

/* RFC 6528: numbers differ by peer and grow with time. */
static void test_rfc_6528_initial_numbers(void **state)
{
    uint32_t first;
    uint32_t second;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    first = client_next(&client)->tcp.seq;
    assert_int_equal(client_send(&client, TCP_FLAG_RST, client.first, NULL, 0),
                     COUNTER_TCP_IN_RESET);
    rig_advance(&rig, 4 * RIG_MS);
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    second = client_next(&client)->tcp.seq;
    assert_in_range(second - first, 999, 1001);
    client.port++;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    assert_true(client_next(&client)->tcp.seq - second > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTING_TEST(test_options),
        CONNECTING_TEST(test_mss_of_the_port),
        CONNECTING_TEST(test_rfc_3168_not_negotiated),
        CONNECTING_TEST(test_syn_is_repeated),
        CONNECTING_TEST(test_syn_with_another_number),
        CONNECTING_TEST(test_syn_anew),
        CONNECTING_TEST(test_syn_ack_is_repeated),
        CONNECTING_TEST(test_syn_ack_without_a_buffer),
        CONNECTING_TEST(test_segments_without_connection),
        CONNECTING_TEST(test_no_listener),
        CONNECTING_TEST(test_half_open_segments),
        CONNECTING_TEST(test_final_ack_without_timestamp),
        CONNECTING_TEST(test_data_with_the_final_ack),
        CONNECTING_TEST(test_refused_by_the_application),
        CONNECTING_TEST(test_data_on_a_syn),
        CONNECTING_TEST(test_bad_headers),
        CONNECTING_TEST(test_malformed_options),
        CONNECTING_TEST(test_syn_number_wraps),
        CONNECTING_TEST(test_rfc_6528_initial_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

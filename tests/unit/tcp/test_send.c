/* Sending replies: segmentation, windows, loss (RFC 9293 3.7, 3.8; RFC 5681, 6298, 6582, 6928). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "tests/unit/ip/bed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TICK_NS      (INT64_C(1) << TCP_TICK_SHIFT)

static struct bed bed;
static struct client client;
static uint8_t reply[TCP_SEND_BYTES];

static int set_up_apart(void **state)
{
    bed_open(&bed, NULL);
    client_init(&client, &bed, 1);
    for (uint32_t i = 0; i < sizeof(reply); i++)
        reply[i] = client_byte(i);
    *state = &bed;
    return 0;
}

static int set_up(void **state)
{
    int failed = set_up_apart(state);

    client_connect(&client);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static void send_reply(uint32_t length)
{
    assert_int_equal(tcp_send(bed.connection, reply, length), STATUS_OK);
    bed_flush(&bed);
}

/* The next segment carries [offset, offset + length) of `reply`, which began at client.own. */
static const struct bed_frame *check_segment(uint32_t offset, uint32_t length)
{
    const struct bed_frame *frame = client_next(&client);

    assert_non_null(frame);
    assert_int_equal(frame->tcp.seq - client.own, offset);
    assert_int_equal(frame->tcp.payload_length, length);
    assert_memory_equal(frame->tcp.payload, reply + offset, length);
    return frame;
}

static void check_silence(void)
{
    bed_flush(&bed);
    assert_null(client_next(&client));
}

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

        client_init(&client, &bed, (uint8_t)(1 + i));
        client.mss = cases[i / 2].offered;
        client.timestamps = i % 2 == 1;
        client_connect(&client);
        payload = cases[i / 2].mss - (client.timestamps ? TCP_TIMESTAMP_BYTES : 0);
        send_reply(length);
        while (at < length) {
            uint32_t part = length - at < payload ? length - at : payload;
            const struct bed_frame *frame = check_segment(at, part);

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
    bed_flush(&bed);
    client.ack = client.own + 14600;
    (void)check_segment(14600, 1400);
    check_silence();
}

/* RFC 6298 5.7: after a lost SYN-ACK, one segment, and three seconds. */
static void test_rfc_6298_5_7_after_a_lost_syn_ack(void **state)
{
    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    bed_advance(&bed, 1100 * BED_MS);
    assert_int_equal(bed.queue_count, 2);
    (void)client_next(&client);
    (void)client_next(&client);
    client.own = client.ack;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(5000);
    (void)check_segment(0, 1460);
    check_silence();
    bed_advance(&bed, 2990 * BED_MS);
    check_silence();
    bed_advance(&bed, 20 * BED_MS);
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
    bed_flush(&bed);
    (void)check_segment(1600, 200);
    check_silence();
    client.window = 4000;
    assert_int_equal(client_send_ack(&client, client.own + 1800), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
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
    bed_flush(&bed);
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    bed_drain(&bed);
    client.window = 10;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, client.seq - 1, "bc", 2),
                     COUNTER_TCP_IN_ACCEPTED);
    client.seq += 1;
    bed_flush(&bed);
    bed_drain(&bed);
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
    last_ns = bed.now_ns;
    for (unsigned i = 0; i < 20; i++) {
        const struct bed_frame *frame;

        while (bed.queue_count == 0 && bed.now_ns < last_ns + 2 * wait)
            bed_advance(&bed, 10 * BED_MS);
        frame = check_segment(0, 1);
        assert_in_range(frame->sent_ns - last_ns, wait, wait + 2 * TICK_NS);
        last_ns = frame->sent_ns;
        wait = 2 * wait < TCP_RTO_MAX_NS ? 2 * wait : TCP_RTO_MAX_NS;
        assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
        check_silence();
    }
    assert_int_equal(bed.closed, 0);
    client.window = 65535;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 1460);
    (void)check_segment(2920, 80);
    check_silence();
    /* What was waited for a window does not count as waiting for an answer: all seven
     * retransmissions are still to come. */
    bed_advance(&bed, 100 * BED_SECOND);
    assert_int_equal(bed.closed, 0);
    (void)client_send_ack(&client, client.own + 3000);
    assert_int_equal(tcp_send_space(bed.connection), TCP_SEND_BYTES);
}

/* The probe's byte may be taken. */
static void test_probe_is_accepted(void **state)
{
    (void)state;
    client.window = 0;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(100);
    bed_advance(&bed, 1100 * BED_MS);
    (void)check_segment(0, 1);
    assert_int_equal(client_send_ack(&client, client.own + 1), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    client.window = 1000;
    assert_int_equal(client_send_ack(&client, client.own + 1), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
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
    bed_advance(&bed, 1100 * BED_MS);
    (void)check_segment(0, 1);
    client.window = 8000;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    bed_advance(&bed, 1100 * BED_MS);
    (void)check_segment(0, 1460);
}

/* Closed, and the peer never opens its window: R2 ends it. */
static void test_zero_window_for_ever_after_close(void **state)
{
    (void)state;
    client.window = 0;
    assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
    send_reply(100);
    tcp_close(bed.connection);
    for (unsigned i = 0; i < 300 && bed.closed == 0; i++) {
        bed_advance(&bed, BED_SECOND);
        if (client_next(&client) != NULL)
            (void)client_send_ack(&client, client.own);
    }
    assert_int_equal(bed.closed, 1);
    assert_int_equal(bed.reason, TCP_CLOSED_TIMEOUT);
}

/* RFC 6298 5: the first second, doubled each time up to a minute; RFC 9293 3.8.3: the end after R2,
 * which is at least 100 s. */
static void test_rfc_6298_back_off_and_r2(void **state)
{
    int64_t start = bed.now_ns;
    int64_t expected = 0;

    (void)state;
    send_reply(100);
    (void)check_segment(0, 100);
    for (unsigned i = 0; i < TCP_RETRIES_MAX; i++) {
        const struct bed_frame *frame;
        int64_t rto = BED_SECOND << i < TCP_RTO_MAX_NS ? BED_SECOND << i : TCP_RTO_MAX_NS;

        expected += rto;
        bed_advance(&bed, start + expected - 2 * BED_MS - bed.now_ns);
        check_silence();
        bed_advance(&bed, 100 * BED_MS);
        frame = check_segment(0, 100);
        assert_in_range(frame->sent_ns - start, expected, expected + (i + 1) * 2 * TICK_NS);
        check_silence();
    }
    assert_int_equal(bed_counter(&bed, COUNTER_TCP_RETRANSMITS), TCP_RETRIES_MAX);
    assert_true(expected >= 100 * BED_SECOND);
    assert_int_equal(bed.closed, 0);
    bed_advance(&bed, TCP_RTO_MAX_NS + BED_SECOND);
    assert_int_equal(bed.closed, 1);
    assert_int_equal(bed.reason, TCP_CLOSED_TIMEOUT);
    check_silence();
}

/* RFC 5681 3.1: after a time-out one segment, then it grows again; everything arrives. */
static void test_rfc_5681_slow_start_after_timeout(void **state)
{
    uint32_t at = 0;

    (void)state;
    send_reply(7300);
    bed_drain(&bed);
    client.ack = client.own;
    bed_advance(&bed, 1100 * BED_MS);
    for (unsigned burst = 1; at < 7300; burst *= 2) {
        for (unsigned i = 0; i < burst && at < 7300; i++, at += 1460)
            (void)check_segment(at, 1460);
        check_silence();
        if (at == 7300)
            break;
        for (uint32_t acked = at - 1460 * burst + 1460; acked <= at; acked += 1460)
            assert_int_equal(client_send_ack(&client, client.own + acked), COUNTER_TCP_IN_ACCEPTED);
        bed_flush(&bed);
    }
    assert_int_equal(client_send_ack(&client, client.own + 7300), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(tcp_send_space(bed.connection), TCP_SEND_BYTES);
}

static void duplicate_acks(unsigned count, uint32_t offset)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(client_send_ack(&client, client.own + offset), COUNTER_TCP_IN_ACCEPTED);
        bed_flush(&bed);
    }
}

/* RFC 5681 3.2: the third duplicate repairs at once; RFC 6582: a partial ACK repairs the next. */
static void test_rfc_5681_fast_retransmit(void **state)
{
    (void)state;
    send_reply(7300);
    bed_drain(&bed);
    duplicate_acks(2, 0);
    check_silence();
    duplicate_acks(1, 0);
    client.ack = client.own;
    (void)check_segment(0, 1460);
    check_silence();
    assert_int_equal(bed_counter(&bed, COUNTER_TCP_RETRANSMITS), 1);
    /* Segments 0 and 2 were lost. */
    assert_int_equal(client_send_ack(&client, client.own + 2920), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
    (void)check_segment(2920, 1460);
    check_silence();
    assert_int_equal(client_send_ack(&client, client.own + 7300), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    assert_int_equal(bed_counter(&bed, COUNTER_TCP_RETRANSMITS), 2);
    bed_advance(&bed, 5 * BED_SECOND);
    check_silence();
}

/* RFC 5681 2: what carries data, changes the window or has nothing to wait for is no duplicate. */
static void test_rfc_5681_what_is_no_duplicate(void **state)
{
    (void)state;
    duplicate_acks(5, 0);
    check_silence();
    send_reply(2920);
    bed_drain(&bed);
    for (unsigned i = 0; i < 5; i++) {
        client.ack = client.own;
        assert_int_equal(client_stream(&client, 10 * i, 10), COUNTER_TCP_IN_ACCEPTED);
        client.seq += 10;
        client.window = (uint16_t)(60000 + i);
        assert_int_equal(client_send_ack(&client, client.own), COUNTER_TCP_IN_ACCEPTED);
        bed_flush(&bed);
    }
    assert_int_equal(bed_counter(&bed, COUNTER_TCP_RETRANSMITS), 0);
}

/* RFC 6298 3 (Karn): what was sent twice is not timed; what was not, is. */
static void test_rfc_6298_karn(void **state)
{
    (void)state;
    /* Two seconds there and back, but only after a retransmission: no sample; the back-off stays.
     */
    send_reply(100);
    bed_advance(&bed, 1100 * BED_MS);
    bed_drain(&bed);
    assert_int_equal(client_send_ack(&client, client.own + 100), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.connection->srtt_ns, 0);
    assert_int_equal(bed.connection->rto_ns, 2 * BED_SECOND);
    /* The next one is timed: 500 ms; RTO = 500 + 4 * 250. */
    assert_int_equal(tcp_send(bed.connection, reply, 100), STATUS_OK);
    bed_flush(&bed);
    bed_advance(&bed, 500 * BED_MS);
    assert_int_equal(client_send_ack(&client, client.own + 200), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.connection->srtt_ns, 500 * BED_MS);
    assert_int_equal(bed.connection->rto_ns, 1500 * BED_MS);
    /* And again: 500 ms; the variance falls, the minimum of a second holds in the end. */
    for (uint32_t i = 3; i < 40; i++) {
        assert_int_equal(tcp_send(bed.connection, reply, 100), STATUS_OK);
        bed_flush(&bed);
        bed_advance(&bed, 500 * BED_MS);
        assert_int_equal(client_send_ack(&client, client.own + 100 * i), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(bed.connection->srtt_ns, 500 * BED_MS);
    assert_int_equal(bed.connection->rto_ns, TCP_RTO_MIN_NS);
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
    bed_advance(&bed, 300 * BED_MS);
    client.echo = echo;
    assert_int_equal(client_send_ack(&client, client.own + 100), COUNTER_TCP_IN_ACCEPTED);
    assert_in_range(bed.connection->srtt_ns, 299 * BED_MS, 301 * BED_MS);
    assert_int_equal(tcp_send(bed.connection, reply, 100), STATUS_OK);
    bed_flush(&bed);
    client.echo = echo + 100000000;
    assert_int_equal(client_send_ack(&client, client.own + 200), COUNTER_TCP_IN_ACCEPTED);
    assert_in_range(bed.connection->srtt_ns, 299 * BED_MS, 301 * BED_MS);
}

/* tcp.h: a whole reply or nothing; `writable` when there is room again. */
static void test_send_full_then_writable(void **state)
{
    (void)state;
    assert_int_equal(tcp_send(bed.connection, reply, TCP_SEND_BYTES - 10), STATUS_OK);
    assert_int_equal(tcp_send_space(bed.connection), 10);
    assert_int_equal(tcp_send(bed.connection, reply, 11), STATUS_NO_SPACE);
    assert_int_equal(tcp_send(bed.connection, reply + TCP_SEND_BYTES - 10, 10), STATUS_OK);
    assert_int_equal(tcp_send(bed.connection, reply, 1), STATUS_NO_SPACE);
    bed_flush(&bed);
    while (client_next(&client) != NULL)
        continue;
    assert_int_equal(bed.writable, 0);
    assert_int_equal(client_send_ack(&client, client.own + 14600), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.writable, 1);
    assert_int_equal(tcp_send(bed.connection, reply, 14600), STATUS_OK);
    bed_flush(&bed);
    assert_int_equal(bed.writable, 1);
    /* The circle holds what was put in. */
    while (tcp_send_space(bed.connection) < TCP_SEND_BYTES) {
        const struct bed_frame *frame = client_next(&client);

        assert_non_null(frame);
        for (uint32_t i = 0; i < frame->tcp.payload_length; i++)
            assert_int_equal(frame->tcp.payload[i],
                             reply[(frame->tcp.seq - client.own + i) % TCP_SEND_BYTES]);
        (void)client_send_ack(&client, client.ack);
        bed_flush(&bed);
    }
    assert_int_equal(client.ack - client.own, TCP_SEND_BYTES + 14600);
    assert_int_equal(bed.store.free_count, BED_BLOCKS);
}

static void test_send_without_a_block(void **state)
{
    uint32_t taken[BED_BLOCKS + 1];
    uint32_t count = 0;

    (void)state;
    while ((taken[count] = block_take(&bed.store, BLOCK_FOR_REPLY)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(tcp_send(bed.connection, reply, 1), STATUS_NO_SPACE);
    while (count > 0)
        block_give(&bed.store, taken[--count]);
    bed_advance(&bed, TCP_WINDOW_RETRY_NS + 2 * TICK_NS);
    assert_int_equal(bed.writable, 1);
    send_reply(1);
    (void)check_segment(0, 1);
}

/* No packet buffer is as good as lost on the wire, and all of it gets there in the end. */
static void test_no_buffers(void **state)
{
    uint32_t at = 0;

    (void)state;
    bed.buffers = 0;
    send_reply(10000);
    bed_advance(&bed, 300 * BED_MS);
    check_silence();
    bed.buffers = 3;
    bed_advance(&bed, 50 * BED_MS);
    for (; at < 3 * 1460; at += 1460)
        (void)check_segment(at, 1460);
    check_silence();
    bed.buffers = BED_UNLIMITED;
    while (tcp_send_space(bed.connection) < TCP_SEND_BYTES) {
        (void)client_send_ack(&client, client.ack);
        bed_advance(&bed, 1 * BED_SECOND);
        while (client_next(&client) != NULL)
            continue;
        assert_true(bed.now_ns < INT64_C(2000) * BED_SECOND);
    }
    assert_int_equal(client.ack - client.own, 10000);
}

static void test_no_buffer_for_an_acknowledgement(void **state)
{
    (void)state;
    bed.buffers = 0;
    assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
    bed_advance(&bed, 100 * BED_MS);
    bed.buffers = BED_UNLIMITED;
    bed_advance(&bed, 20 * BED_MS);
    assert_int_equal(client_next(&client)->tcp.ack, client.first + 100);
    check_silence();
}

/* RFC 9293 3.10.7.4: a peer that has had everything takes no older number, so that an
 * acknowledgement must not carry one while we send again; nor one beyond the peer's window. */
static void test_empty_segments_stand_at_the_end(void **state)
{
    const struct bed_frame *frame;

    (void)state;
    send_reply(2920);
    (void)check_segment(0, 1460);
    (void)check_segment(1460, 1460);
    bed_advance(&bed, 1100 * BED_MS);
    (void)check_segment(0, 1460);
    client.ack = client.own;
    assert_int_equal(client_stream(&client, 0, 10), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
    frame = client_next(&client);
    assert_int_equal(frame->tcp.payload_length, 0);
    assert_int_equal(frame->tcp.seq - client.own, 2920);
    client.seq += 10;
    client.window = 100;
    client.ack = client.own;
    assert_int_equal(client_stream(&client, 10, 10), COUNTER_TCP_IN_ACCEPTED);
    bed_flush(&bed);
    frame = client_next(&client);
    assert_int_equal(frame->tcp.seq - client.own, 1460); /* SND.NXT, as it is being sent again */
    tcp_abort(bed.connection);
    assert_int_equal(client_next(&client)->tcp.seq - client.own, 1460);
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
    bed_drain(&bed);
    /* Lost: the segments at 0 and 4380. */
    bytes_put32(options + 4, client.own + 1460);
    bytes_put32(options + 8, client.own + 4380);
    bytes_put32(options + 12, client.own + 5840);
    bytes_put32(options + 16, client.own + 8760);
    sack.seq = client.seq;
    sack.ack = client.own;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(client_put(&client, &sack), COUNTER_TCP_IN_ACCEPTED);
        bed_flush(&bed);
    }
    client.ack = client.own;
    (void)check_segment(0, 1460);
    client.ack = client.own + 4380;
    (void)check_segment(4380, 1460);
    check_silence();
    assert_int_equal(client_send_ack(&client, client.own + 8760), COUNTER_TCP_IN_ACCEPTED);
    check_silence();
    assert_int_equal(bed_counter(&bed, COUNTER_TCP_RETRANSMITS), 2);
}

/* RFC 9293 3.4: our own numbers cross 2^32, with loss on both sides of it. */
static void test_sequence_wraps(void **state)
{
    static const uint32_t befores[] = {1, 2, 1460, 1461, 5000, 9999};

    (void)state;
    for (size_t i = 0; i < COUNT(befores); i++) {
        uint32_t initial;

        client_init(&client, &bed, (uint8_t)(2 + i));
        /* RFC 6528: our initial number follows the clock, so a look at it says how long to wait. */
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        initial = client_next(&client)->tcp.seq;
        bed_advance(&bed, 100 * BED_SECOND);
        initial += (uint32_t)(100 * BED_SECOND / 4000);
        bed.now_ns += (int64_t)(0u - befores[i] - initial) * 4000;
        (void)tcp_timers(&bed.endpoint, bed.now_ns, 1000);
        client_connect(&client);
        assert_int_equal(client.own, 0u - befores[i] + 1);
        send_reply(10000);
        bed_drain(&bed);
        duplicate_acks(3, 0);
        client.ack = client.own;
        (void)check_segment(0, 1460);
        assert_int_equal(client_send_ack(&client, client.own + 2920), COUNTER_TCP_IN_ACCEPTED);
        client.ack = client.own + 2920;
        bed_advance(&bed, 4 * BED_SECOND);
        (void)check_segment(2920, 1460);
        bed_drain(&bed);
        assert_int_equal(client_send_ack(&client, client.own + 10001), COUNTER_TCP_IN_BAD_ACK);
        assert_int_equal(client_send_ack(&client, client.own + 10000), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(tcp_send_space(bed.connection), TCP_SEND_BYTES);
        bed_flush(&bed);
        bed_drain(&bed);
        client_finish(&client);
    }
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_APART(name) cmocka_unit_test_setup_teardown(name, set_up_apart, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_APART(test_rfc_9293_3_7_1_segmentation),
        TEST(test_rfc_6928_initial_window),
        TEST_APART(test_rfc_6298_5_7_after_a_lost_syn_ack),
        TEST_APART(test_senders_window_is_respected),
        TEST(test_old_window_is_ignored),
        TEST(test_rfc_9293_3_8_6_1_zero_window_probes),
        TEST(test_probe_is_accepted),
        TEST(test_window_closes_in_flight),
        TEST(test_zero_window_for_ever_after_close),
        TEST(test_rfc_6298_back_off_and_r2),
        TEST(test_rfc_5681_slow_start_after_timeout),
        TEST(test_rfc_5681_fast_retransmit),
        TEST(test_rfc_5681_what_is_no_duplicate),
        TEST(test_rfc_6298_karn),
        TEST_APART(test_rfc_7323_4_round_trip_by_timestamps),
        TEST(test_send_full_then_writable),
        TEST(test_send_without_a_block),
        TEST(test_no_buffers),
        TEST(test_no_buffer_for_an_acknowledgement),
        TEST(test_empty_segments_stand_at_the_end),
        TEST_APART(test_rfc_6675_holes_alone_are_repaired),
        TEST_APART(test_sequence_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A SYN that comes again, and what is not repeated while cookies are being sent (RFC 4987). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/rig.h"

#define HALF_OPEN 16u

static struct rig rig;
static struct client client;

static int set_up(void **state)
{
    static const struct rig_options options = {.connections = 40, .half_open = HALF_OPEN};

    rig_open(&rig, &options);
    client_init(&client, &rig, 1);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* Strangers until a SYN is answered by a cookie. */
static void fill_half_open(struct rig *in)
{
    struct client stranger;
    uint64_t before = rig_counter(in, COUNTER_SYN_COOKIES_SENT);

    for (unsigned i = 0; rig_counter(in, COUNTER_SYN_COOKIES_SENT) < before + 8 * HALF_OPEN; i++) {
        client_init(&stranger, in, (uint8_t)(100 + i % 100));
        stranger.port = (uint16_t)(1000 + i);
        assert_int_equal(client_syn(&stranger), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(in->endpoint.half_open_count, HALF_OPEN);
    rig_drain(in);
}

/* A sender whose SYN was not answered may take its options for the cause and leave them out. */
static void test_syn_repeated_without_options(void **state)
{
    const struct rig_frame *frame;
    uint32_t seq;

    (void)state;
    for (unsigned cookies = 0; cookies < 2; cookies++) {
        client_init(&client, &rig, (uint8_t)(10 + cookies));
        if (cookies != 0)
            fill_half_open(&rig);
        client.sack = true;
        client.timestamps = true;
        client.scale = 7;
        client.window = 300;
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        frame = client_next(&client);
        seq = frame->tcp.seq;
        assert_true(frame->tcp.has_timestamp && frame->tcp.sack_ok && frame->tcp.has_scale);
        client.sack = false;
        client.timestamps = false;
        client.scale = -1;
        client.mss = 0;
        assert_int_equal(client_syn(&client),
                         cookies != 0 ? COUNTER_TCP_IN_ACCEPTED : COUNTER_TCP_IN_DUPLICATE);
        frame = client_next(&client);
        assert_true(!frame->tcp.has_timestamp && !frame->tcp.sack_ok && !frame->tcp.has_scale);
        assert_true(cookies != 0 || frame->tcp.seq == seq);
        client.seq = client.first;
        assert_int_equal(client_send_ack(&client, frame->tcp.seq + 1), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(rig.opened, cookies + 1);
        assert_int_equal(rig.connection->send_window, 300);
        assert_int_equal(rig.connection->mss, TCP_MSS_DEFAULT);
        /* The first one, come late, does not bring them back. */
        client.timestamps = true;
        assert_int_not_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        assert_false(rig.connection->timestamps);
        rig_drain(&rig);
    }
}

/* What fills the table is not repeated to while cookies are being sent: most of it has never asked.
 * Who has asked is answered again when it asks again, and may complete as before. */
static void test_no_repeats_in_a_flood(void **state)
{
    const struct rig_frame *frame;
    struct client flood;
    uint64_t sent;

    (void)state;
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    frame = client_next(&client);
    fill_half_open(&rig);
    client_init(&flood, &rig, 200);
    for (unsigned second = 0; second < 20; second++) {
        flood.port++;
        assert_int_equal(client_syn(&flood), COUNTER_TCP_IN_ACCEPTED); /* a cookie */
        sent = rig.sent;
        rig_advance(&rig, RIG_SECOND);
        assert_int_equal(rig.sent, sent);
    }
    assert_true(rig_counter(&rig, COUNTER_SYN_ACKS_WITHHELD) >= HALF_OPEN);
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_DUPLICATE);
    rig_drain(&rig);
    client.seq = client.first;
    assert_int_equal(client_send_ack(&client, frame->tcp.seq + 1), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
    /* The flood is over: who is left is repeated to, as ever. */
    rig_advance(&rig, 30 * RIG_SECOND);
    assert_true(rig.sent > sent + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_syn_repeated_without_options),
        TEST(test_no_repeats_in_a_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

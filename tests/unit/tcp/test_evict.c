/* Who has to go when blocks of commands or places for connections are scarce, and who has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/ip/bed.h"

#define BLOCKS      256u
#define SHARE       (BLOCKS / TCP_COMMAND_SHARE)
#define CONNECTIONS 1024u
#define HELD_NS     (2 * (int64_t)TCP_EVICT_HOLDING_MS * BED_MS)

static struct bed bed;
static struct client clients[CONNECTIONS];
static struct tcp_connection *connections[CONNECTIONS];

static int set_up(void **state)
{
    static const struct bed_options options = {
        .blocks = BLOCKS, .connections = CONNECTIONS, .connections_a_prefix = CONNECTIONS};

    bed_open(&bed, &options);
    bed.keep = true;
    *state = &bed;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(tcp_sound(&bed.endpoint, NULL));
    bed_close(&bed);
    return 0;
}

/* As SMTP has it, with a deadline. */
static void connect_from(unsigned number, unsigned net, unsigned host)
{
    struct client *client = &clients[number];

    client_init(client, &bed, (uint8_t)host);
    client->address[2] = (uint8_t)net;
    client->port = (uint16_t)(2000 + number);
    client_connect(client);
    connections[number] = bed.connection;
    tcp_set_deadline(bed.connection, bed.now_ns + 300 * BED_SECOND);
}

/* From an address of its own, so that no client's share is reached. */
static void connect_number(unsigned number)
{
    connect_from(number, 10 + number / 4, 1 + number % 4);
}

static enum counter send_part(unsigned number)
{
    struct client *client = &clients[number];
    enum counter outcome = client_send(client, TCP_FLAG_ACK, client->seq, "EHLO", 4);

    client->seq += outcome == COUNTER_TCP_IN_ACCEPTED ? 4 : 0;
    bed_flush(&bed);
    bed_drain(&bed);
    return outcome;
}

/* The first connections hold the whole share, side by side among many that hold nothing. */
static void fill_share(void)
{
    for (unsigned i = 0; i < CONNECTIONS / 2; i++)
        connect_number(i);
    for (unsigned i = 0; i < SHARE; i++)
        assert_int_equal(send_part(i), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.endpoint.command_slots, SHARE);
    assert_int_equal(bed.endpoint.holders.count, SHARE);
}

/* Wherever in the table the holders lie, each newcomer finds the one that has held longest. */
static void test_oldest_goes(void **state)
{
    (void)state;
    fill_share();
    bed_advance(&bed, HELD_NS);
    bed_drain(&bed);
    for (unsigned i = 0; i < SHARE; i++) {
        assert_int_equal(send_part(SHARE + i), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(connections[i]->state, TCP_STATE_FREE);
        assert_int_equal(bed.closed, i + 1);
    }
    assert_int_equal(bed_counter(&bed, COUNTER_CLOSED_EVICTED), SHARE);
    assert_int_equal(bed.endpoint.command_slots, SHARE);
}

/* Evictions have thinned the holders out: one, anywhere, is found. */
static void test_last_one_is_found(void **state)
{
    (void)state;
    fill_share();
    for (unsigned i = 0; i < SHARE; i++) {
        if (i != SHARE / 2)
            tcp_consume(connections[i], 4);
    }
    assert_int_equal(bed.endpoint.holders.count, 1);
    bed_advance(&bed, HELD_NS);
    bed_drain(&bed);
    assert_true(tcp_evict_holder(&bed.endpoint, NULL));
    assert_int_equal(connections[SHARE / 2]->state, TCP_STATE_FREE);
    assert_false(tcp_evict_holder(&bed.endpoint, NULL));
}

/* Nobody goes for its own next block, and nobody who holds one for a moment only. */
static void test_who_is_spared(void **state)
{
    (void)state;
    fill_share();
    assert_int_equal(send_part(SHARE), COUNTER_TCP_IN_NO_ROOM);
    bed_advance(&bed, HELD_NS);
    bed_drain(&bed);
    assert_true(tcp_evict_holder(&bed.endpoint, connections[0]));
    assert_int_equal(connections[0]->state, TCP_STATE_ESTABLISHED);
    assert_int_equal(connections[1]->state, TCP_STATE_FREE);
}

/* One that is dying has had its last words: its block is there at once, and nobody else goes. */
static void test_dying_goes_first(void **state)
{
    (void)state;
    fill_share();
    tcp_abort(connections[0]);
    assert_int_equal(send_part(SHARE), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(bed.closed, 1);
    assert_int_equal(bed.reason, TCP_CLOSED_ABORTED);
}

/* What is pipelined behind a final dot waits for us. It does not count as commands', however much
 * it is, and keeps nobody's command out. */
static void test_pipelined_does_not_count(void **state)
{
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < CONNECTIONS / 2; i++) {
        enum counter outcome;

        connect_number(i);
        tcp_set_deadline(connections[i], 0);
        outcome = send_part(i);
        assert_true(outcome == COUNTER_TCP_IN_ACCEPTED || outcome == COUNTER_TCP_IN_NO_ROOM);
        taken += outcome == COUNTER_TCP_IN_ACCEPTED;
    }
    assert_int_equal(taken, BLOCKS / 2 + 1); /* while there is plenty */
    assert_int_equal(bed.endpoint.command_slots, 0);
    for (unsigned i = CONNECTIONS / 2; i < CONNECTIONS / 2 + SHARE; i++) {
        connect_number(i);
        assert_int_equal(send_part(i), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(bed.endpoint.command_slots, SHARE);
    bed_advance(&bed, HELD_NS);
    bed_drain(&bed);
    connect_number(CONNECTIONS / 2 + SHARE);
    assert_int_equal(send_part(CONNECTIONS / 2 + SHARE), COUNTER_TCP_IN_ACCEPTED);
    /* Its own kind went, not one of those that wait for us. */
    assert_int_equal(connections[CONNECTIONS / 2]->state, TCP_STATE_FREE);
    assert_int_equal(bed.closed, 1);
}

/* One address takes its share of what waits, no more, however much is free. */
static void test_pipelined_by_one_client(void **state)
{
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 2 * BLOCKS / TCP_CLIENT_SHARE; i++) {
        connect_from(i, 9, 7);
        tcp_set_deadline(connections[i], 0);
        taken += send_part(i) == COUNTER_TCP_IN_ACCEPTED;
    }
    assert_int_equal(taken, BLOCKS / TCP_CLIENT_SHARE);
}

/* When the answer has come we wait for the rest, and from that moment on. */
static void test_answered_begins_anew(void **state)
{
    (void)state;
    connect_number(0);
    tcp_set_deadline(connections[0], 0);
    assert_int_equal(send_part(0), COUNTER_TCP_IN_ACCEPTED);
    bed_advance(&bed, 100 * BED_SECOND);
    bed_drain(&bed);
    assert_false(tcp_evict_holder(&bed.endpoint, NULL));
    tcp_set_deadline(connections[0], bed.now_ns + 300 * BED_SECOND);
    assert_int_equal(bed.endpoint.command_slots, 1);
    assert_false(tcp_evict_holder(&bed.endpoint, NULL));
    /* A deadline that moves is no new beginning. */
    bed_advance(&bed, HELD_NS);
    tcp_set_deadline(connections[0], bed.now_ns + 300 * BED_SECOND);
    assert_true(tcp_evict_holder(&bed.endpoint, NULL));
    bed_drain(&bed);
}

/* A deadline that has passed is none; when the application sets another, nothing has changed. */
static bool set_again;

static void expired(struct bed *where, struct tcp_connection *connection, int64_t now_ns)
{
    (void)where;
    if (set_again)
        tcp_set_deadline(connection, now_ns + BED_SECOND);
}

static void test_expired(void **state)
{
    (void)state;
    bed.on_expired = expired;
    connect_number(0);
    tcp_set_deadline(connections[0], bed.now_ns + BED_SECOND);
    assert_int_equal(send_part(0), COUNTER_TCP_IN_ACCEPTED);
    set_again = true;
    bed_advance(&bed, BED_SECOND + 50 * BED_MS);
    assert_int_equal(bed.expired, 1);
    assert_true(tcp_holder_oldest(&bed.endpoint, NULL) == connections[0]);
    assert_true(bed.now_ns / BED_MS - connections[0]->held_ms >= 1000);
    set_again = false;
    bed_advance(&bed, BED_SECOND + 50 * BED_MS);
    assert_int_equal(bed.expired, 2);
    assert_null(tcp_holder_oldest(&bed.endpoint, NULL));
    assert_int_equal(bed.endpoint.command_slots, 0);
    bed_drain(&bed);
}

/* A full table: all have just said something, but for one, wherever it is. A place is found for the
 * next who comes, and it is the silent one's. */
static void test_silent_one_goes(void **state)
{
    (void)state;
    bed.keep = false;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        connect_from(i, 10 + i / 8, 1 + i % 8);
    for (unsigned silent = 100; silent < CONNECTIONS; silent += CONNECTIONS / 5) {
        struct client newcomer;

        bed_advance(&bed, 9 * BED_SECOND);
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            if (i != silent && connections[i] != NULL)
                assert_int_equal(send_part(i), COUNTER_TCP_IN_ACCEPTED);
        }
        bed_advance(&bed, 3 * BED_SECOND);
        client_init(&newcomer, &bed, 1);
        newcomer.address[2] = 200;
        newcomer.port = (uint16_t)(2000 + silent);
        bed.connection = NULL;
        client_connect(&newcomer);
        assert_non_null(bed.connection);
        assert_int_equal(bed_counter(&bed, COUNTER_CLOSED_EVICTED), bed.closed);
        assert_true(bed.connection == connections[silent]); /* its place */
        tcp_set_deadline(bed.connection, 0);                /* this one is spared from now on */
        connections[silent] = NULL;
    }
}

/* Who waits for our answer is not silent, and those who are make room first come, first gone. */
static void test_idlest_goes_first(void **state)
{
    struct client newcomer;

    (void)state;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        connect_from(i, 10 + i / 8, 1 + i % 8);
        if (i % 100 != 7)
            tcp_set_deadline(connections[i], 0);
        if (i % 100 == 7)
            bed_advance(&bed, BED_SECOND);
    }
    bed_advance(&bed, 12 * BED_SECOND);
    for (unsigned i = 7; i < CONNECTIONS; i += 100) {
        client_init(&newcomer, &bed, 1);
        newcomer.address[2] = 200;
        newcomer.port = (uint16_t)(2000 + i);
        client_connect(&newcomer);
        assert_true(bed.connection == connections[i]);
    }
    bed_drain(&bed);
    client_init(&newcomer, &bed, 2);
    newcomer.address[2] = 200;
    assert_int_equal(client_syn(&newcomer), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&newcomer);
    assert_int_equal(client_send_ack(&newcomer, newcomer.ack), COUNTER_TCP_IN_REFUSED);
    bed_drain(&bed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_oldest_goes),
        TEST(test_last_one_is_found),
        TEST(test_who_is_spared),
        TEST(test_dying_goes_first),
        TEST(test_pipelined_does_not_count),
        TEST(test_pipelined_by_one_client),
        TEST(test_answered_begins_anew),
        TEST(test_expired),
        TEST(test_silent_one_goes),
        TEST(test_idlest_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

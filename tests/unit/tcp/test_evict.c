/* Who has to go when blocks of commands or places for connections are scarce, and who has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/ip/rig.h"

#define BLOCKS      256u
#define SHARE       (BLOCKS / TCP_COMMAND_SHARE)
#define PART        (BLOCKS / 8 * 3 / 16)
#define CONNECTIONS 1024u
#define HELD_NS     (2 * (int64_t)TCP_EVICT_HOLDING_MS * RIG_MS)

static struct rig rig;
static struct client clients[CONNECTIONS];
static struct tcp_connection *connections[CONNECTIONS];

static int set_up(void **state)
{
    static const struct rig_options options = {
        .blocks = BLOCKS, .connections = CONNECTIONS, .connections_a_prefix = CONNECTIONS};

    rig_open(&rig, &options);
    rig.keep = true;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(tcp_sound(&rig.endpoint, NULL));
    rig_close(&rig);
    return 0;
}

/* As SMTP has it, with a deadline. */
static void connect_from(unsigned number, unsigned net, unsigned host)
{
    struct client *client = &clients[number];

    client_init(client, &rig, (uint8_t)host);
    client->address[2] = (uint8_t)net;
    client->port = (uint16_t)(2000 + number);
    client_connect(client);
    connections[number] = rig.connection;
    tcp_set_deadline(rig.connection, rig.now_ns + 300 * RIG_SECOND);
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
    rig_flush(&rig);
    rig_drain(&rig);
    return outcome;
}

/* The first connections hold the whole share, side by side among many that hold nothing. */
static void fill_share(void)
{
    for (unsigned i = 0; i < CONNECTIONS / 2; i++)
        connect_number(i);
    for (unsigned i = 0; i < SHARE; i++)
        assert_int_equal(send_part(i), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.endpoint.command_slots, SHARE);
    assert_int_equal(rig.endpoint.holders.count, SHARE);
}

/* Wherever in the table the holders lie, each newcomer finds the one that has held longest. */
static void test_oldest_goes(void **state)
{
    (void)state;
    fill_share();
    rig_advance(&rig, HELD_NS);
    rig_drain(&rig);
    for (unsigned i = 0; i < SHARE; i++) {
        assert_int_equal(send_part(SHARE + i), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(connections[i]->state, TCP_STATE_FREE);
        assert_int_equal(rig.closed, i + 1);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_CLOSED_EVICTED), SHARE);
    assert_int_equal(rig.endpoint.command_slots, SHARE);
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
    assert_int_equal(rig.endpoint.holders.count, 1);
    rig_advance(&rig, HELD_NS);
    rig_drain(&rig);
    assert_true(tcp_evict_holder(&rig.endpoint, NULL));
    assert_int_equal(connections[SHARE / 2]->state, TCP_STATE_FREE);
    assert_false(tcp_evict_holder(&rig.endpoint, NULL));
}

/* Nobody goes for its own next block, and nobody who holds one for a moment only. */
static void test_who_is_spared(void **state)
{
    (void)state;
    fill_share();
    assert_int_equal(send_part(SHARE), COUNTER_TCP_IN_NO_ROOM);
    rig_advance(&rig, HELD_NS);
    rig_drain(&rig);
    assert_true(tcp_evict_holder(&rig.endpoint, connections[0]));
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
    assert_int_equal(rig.closed, 1);
    assert_int_equal(rig.reason, TCP_CLOSED_ABORTED);
}

/* What is pipelined behind a final dot waits for us. It takes half of the part for commands at
 * most, and keeps nobody's command out. */
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
    assert_int_equal(taken, PART / 2);
    assert_int_equal(rig.endpoint.command_slots, 0);
    for (unsigned i = CONNECTIONS / 2; i < CONNECTIONS / 2 + SHARE; i++) {
        connect_number(i);
        assert_int_equal(send_part(i), COUNTER_TCP_IN_ACCEPTED);
    }
    assert_int_equal(rig.endpoint.command_slots, SHARE);
    rig_advance(&rig, HELD_NS);
    rig_drain(&rig);
    connect_number(CONNECTIONS / 2 + SHARE);
    assert_int_equal(send_part(CONNECTIONS / 2 + SHARE), COUNTER_TCP_IN_ACCEPTED);
    /* Its own kind went, not one of those that wait for us. */
    assert_int_equal(connections[CONNECTIONS / 2]->state, TCP_STATE_FREE);
    assert_int_equal(rig.closed, 1);
}

/* What was lent commands while there was plenty comes back when there is not: who has held it
 * longest goes, until the rest is their part, and what was granted for data is there. */
static void test_lent_comes_back(void **state)
{
    struct store *store = &rig.store;
    uint32_t data[BLOCKS];
    uint32_t count = 0;

    (void)state;
    fill_share();
    assert_true(store->beside_count > store->kept);
    rig_advance(&rig, HELD_NS);
    rig_drain(&rig);
    assert_int_equal(rig.closed, 0); /* nobody needs it */
    while ((data[count] = block_take(store, BLOCK_FOR_DATA)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(count, BLOCKS - SHARE);
    rig_advance(&rig, HELD_NS);
    rig_drain(&rig);
    assert_int_equal(rig.closed, SHARE - store->kept);
    assert_int_equal(connections[0]->state, TCP_STATE_FREE);
    assert_int_equal(connections[SHARE - 1]->state, TCP_STATE_ESTABLISHED);
    while ((data[count] = block_take(store, BLOCK_FOR_DATA)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(count, store->admission.capacity);
    while (count > 0)
        block_give(store, data[--count]);
}

/* Nor does one address that has very many of these, however much is free. */
static void test_pipelined_by_one_client(void **state)
{
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 2 * BLOCKS / TCP_CLIENT_SHARE; i++) {
        connect_from(i, 9, 7);
        tcp_set_deadline(connections[i], 0);
        taken += send_part(i) == COUNTER_TCP_IN_ACCEPTED;
    }
    assert_int_equal(taken, PART / 2);
}

/* When the answer has come we wait for the rest, and from that moment on. */
static void test_answered_begins_anew(void **state)
{
    (void)state;
    connect_number(0);
    tcp_set_deadline(connections[0], 0);
    assert_int_equal(send_part(0), COUNTER_TCP_IN_ACCEPTED);
    rig_advance(&rig, 100 * RIG_SECOND);
    rig_drain(&rig);
    assert_false(tcp_evict_holder(&rig.endpoint, NULL));
    tcp_set_deadline(connections[0], rig.now_ns + 300 * RIG_SECOND);
    assert_int_equal(rig.endpoint.command_slots, 1);
    assert_false(tcp_evict_holder(&rig.endpoint, NULL));
    /* A deadline that moves is no new beginning. */
    rig_advance(&rig, HELD_NS);
    tcp_set_deadline(connections[0], rig.now_ns + 300 * RIG_SECOND);
    assert_true(tcp_evict_holder(&rig.endpoint, NULL));
    rig_drain(&rig);
}

/* A deadline that has passed is none; when the application sets another, nothing has changed. */
static bool set_again;

static void expired(struct rig *where, struct tcp_connection *connection, int64_t now_ns)
{
    (void)where;
    if (set_again)
        tcp_set_deadline(connection, now_ns + RIG_SECOND);
}

static void test_expired(void **state)
{
    (void)state;
    rig.on_expired = expired;
    connect_number(0);
    tcp_set_deadline(connections[0], rig.now_ns + RIG_SECOND);
    assert_int_equal(send_part(0), COUNTER_TCP_IN_ACCEPTED);
    set_again = true;
    rig_advance(&rig, RIG_SECOND + 50 * RIG_MS);
    assert_int_equal(rig.expired, 1);
    assert_true(tcp_holder_oldest(&rig.endpoint, NULL) == connections[0]);
    assert_true(rig.now_ns / RIG_MS - connections[0]->held_ms >= 1000);
    set_again = false;
    rig_advance(&rig, RIG_SECOND + 50 * RIG_MS);
    assert_int_equal(rig.expired, 2);
    assert_null(tcp_holder_oldest(&rig.endpoint, NULL));
    assert_int_equal(rig.endpoint.command_slots, 0);
    rig_drain(&rig);
}

/* A full table: all have just said something, but for one, wherever it is. A place is found for the
 * next who comes, and it is the silent one's. */
static void test_silent_one_goes(void **state)
{
    (void)state;
    rig.keep = false;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        connect_from(i, 10 + i / 8, 1 + i % 8);
    for (unsigned silent = 100; silent < CONNECTIONS; silent += CONNECTIONS / 5) {
        struct client newcomer;

        rig_advance(&rig, 9 * RIG_SECOND);
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            if (i != silent && connections[i] != NULL)
                assert_int_equal(send_part(i), COUNTER_TCP_IN_ACCEPTED);
        }
        rig_advance(&rig, 3 * RIG_SECOND);
        client_init(&newcomer, &rig, 1);
        newcomer.address[2] = 200;
        newcomer.port = (uint16_t)(2000 + silent);
        rig.connection = NULL;
        client_connect(&newcomer);
        assert_non_null(rig.connection);
        assert_int_equal(rig_counter(&rig, COUNTER_CLOSED_EVICTED), rig.closed);
        assert_true(rig.connection == connections[silent]); /* its place */
        tcp_set_deadline(rig.connection, 0);                /* this one is spared from now on */
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
            rig_advance(&rig, RIG_SECOND);
    }
    rig_advance(&rig, 12 * RIG_SECOND);
    for (unsigned i = 7; i < CONNECTIONS; i += 100) {
        client_init(&newcomer, &rig, 1);
        newcomer.address[2] = 200;
        newcomer.port = (uint16_t)(2000 + i);
        client_connect(&newcomer);
        assert_true(rig.connection == connections[i]);
    }
    rig_drain(&rig);
    client_init(&newcomer, &rig, 2);
    newcomer.address[2] = 200;
    assert_int_equal(client_syn(&newcomer), COUNTER_TCP_IN_ACCEPTED);
    (void)client_next(&newcomer);
    assert_int_equal(client_send_ack(&newcomer, newcomer.ack), COUNTER_TCP_IN_REFUSED);
    rig_drain(&rig);
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
        TEST(test_lent_comes_back),
        TEST(test_pipelined_by_one_client),
        TEST(test_answered_begins_anew),
        TEST(test_expired),
        TEST(test_silent_one_goes),
        TEST(test_idlest_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

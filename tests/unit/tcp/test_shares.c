/* What one client may hold of the memory that all share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ip/rig.h"

#define BLOCKS    256u
#define SHARE     (BLOCKS / TCP_CLIENT_SHARE)
#define PLENTY    (BLOCKS / TCP_COMMAND_SHARE / 2)
#define REPLIES   (BLOCKS / 8 * 2 / 16)
#define GREETINGS (BLOCKS / 8 * 3 / 16)
#define CLIENTS   60u

static struct rig rig;
static struct client clients[CLIENTS];

static int set_up(void **state)
{
    static const struct rig_options options = {.blocks = BLOCKS, .connections = 256};

    rig_open(&rig, &options);
    rig.keep = true; /* what comes stays where it is, like unfinished commands */
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

/* Connection `number` of the host 198.18.`net`.7. */
static void connect_from(struct client *client, uint8_t net, unsigned number)
{
    client_init(client, &rig, 7);
    client->address[2] = net;
    client->port = (uint16_t)(2000 + number);
    client_connect(client);
    tcp_set_deadline(rig.connection, rig.now_ns + 300 * RIG_SECOND);
}

static enum counter send_line(struct client *client)
{
    enum counter outcome = client_send(client, TCP_FLAG_ACK, client->seq, "RSET\r\n", 6);

    rig_flush(&rig);
    rig_drain(&rig);
    return outcome;
}

/* One address with many connections takes its share and what is plenty; who comes from elsewhere
 * finds room, and nobody loses a connection. */
static void test_commands_of_one_address(void **state)
{
    unsigned taken = 0;
    struct client other;

    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        enum counter outcome;

        connect_from(&clients[i], 1, i);
        outcome = send_line(&clients[i]);
        assert_true(outcome == COUNTER_TCP_IN_ACCEPTED || outcome == COUNTER_TCP_IN_NO_ROOM);
        taken += outcome == COUNTER_TCP_IN_ACCEPTED;
    }
    assert_int_equal(taken, PLENTY);
    for (unsigned i = 0; i < SHARE; i++) {
        connect_from(&other, 2, i);
        assert_int_equal(send_line(&other), COUNTER_TCP_IN_ACCEPTED);
    }
    connect_from(&other, 2, SHARE);
    assert_int_equal(send_line(&other), COUNTER_TCP_IN_NO_ROOM); /* its share, too, is one */
    assert_int_equal(rig.closed, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_CLOSED_EVICTED), 0);
}

/* The windows of one address's mails: as much as there is while half is free, then its share. Mail
 * from elsewhere still finds the two blocks it needs to begin. */
static void test_windows_of_one_address(void **state)
{
    struct client other;
    uint32_t held = 0;

    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        connect_from(&clients[i], 1, i);
        (void)tcp_expect(rig.connection, TCP_EXPECT_DATA);
        held += rig.connection->slot_count;
    }
    assert_in_range(held, BLOCKS / 2, BLOCKS / 2 + 6);
    connect_from(&other, 2, 0);
    assert_true(tcp_expect(rig.connection, TCP_EXPECT_DATA));
    assert_int_equal(rig.connection->slot_count, 65536 / MESSAGE_BLOCK_BYTES);
}

static unsigned greeted;

static uint8_t greeting[2 * PIECE_BYTES] = "220 here\r\n";
static uint32_t greeting_bytes;

static void greet(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    greeted += tcp_send(connection, greeting, greeting_bytes) == STATUS_OK;
}

static struct client connect_without_windows(void)
{
    struct client last;

    rig.on_opened = greet;
    rig.on_writable = greet;
    greeted = 0;
    for (unsigned i = 0; i < 200; i++) {
        client_init(&last, &rig, (uint8_t)(1 + i % 4));
        last.address[2] = (uint8_t)(10 + i / 4);
        last.window = 0;
        client_connect(&last);
    }
    assert_int_equal(rig.opened, 200);
    return last;
}

/* Greetings that nobody takes: sixteen of them lie in a block, and half of the blocks for them is
 * for those that do take theirs. */
static void test_small_replies_share_blocks(void **state)
{
    (void)state;
    greeting_bytes = 10;
    (void)connect_without_windows();
    assert_int_equal(greeted, GREETINGS / 2 * PIECE_OF_BLOCK);
    assert_int_equal(BLOCKS - rig.store.free_count, GREETINGS / 2);
    assert_true(rig_counter(&rig, COUNTER_REPLIES_WITHHELD) >= 200 - greeted);
    connect_from(&clients[0], 3, 0);
    assert_int_equal(greeted, GREETINGS / 2 * PIECE_OF_BLOCK + 1);
}

/* Who offers no window is sent nothing, and holds nothing once memory is short: others are greeted,
 * and so is it when its window opens. */
static void test_no_window_holds_nothing(void **state)
{
    struct client last;

    (void)state;
    greeting_bytes = sizeof(greeting);
    last = connect_without_windows();
    assert_int_equal(greeted, REPLIES / 2);
    assert_true(rig_counter(&rig, COUNTER_REPLIES_WITHHELD) >= 200 - greeted);
    connect_from(&clients[0], 3, 0);
    assert_int_equal(greeted, REPLIES / 2 + 1);
    last.window = 8000;
    assert_int_equal(client_send_ack(&last, last.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(greeted, REPLIES / 2 + 2);
    rig_drain(&rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commands_of_one_address),
        TEST(test_windows_of_one_address),
        TEST(test_small_replies_share_blocks),
        TEST(test_no_window_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

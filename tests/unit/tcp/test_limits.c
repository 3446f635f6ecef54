/* Who may connect when many want to: cookies, and limits of clients and connections (RFC 4987). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "tests/unit/tcp/connecting.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 4987: when the table is full, cookies; whoever answers one is served like everybody. */
static void test_rfc_4987_cookies(void **state)
{
    struct client others[38];
    unsigned cookies;

    (void)state;
    for (unsigned i = 0; i < COUNT(others); i++) {
        struct client *other = &others[i];

        client_init(other, &rig, (uint8_t)(1 + i));
        other->mss = (uint16_t)(i % 3 == 0 ? 1460 : i % 3 == 1 ? 1000 : 536);
        other->timestamps = i % 2 == 0;
        other->sack = i % 4 < 2;
        other->scale = i % 5 == 0 ? -1 : (int)(i % 15);
        assert_int_equal(client_syn(other), COUNTER_TCP_IN_ACCEPTED);
        assert_non_null(client_next(other));
    }
    cookies = (unsigned)rig_counter(&rig, COUNTER_SYN_COOKIES_SENT);
    assert_in_range(rig.endpoint.half_open_count, 1, CONNECTING_HALF_OPEN);
    assert_int_equal(cookies + rig.endpoint.half_open_count, COUNT(others));
    rig_advance(&rig, 100 * RIG_MS);
    for (unsigned i = 0; i < COUNT(others); i++) {
        struct client *other = &others[i];
        uint32_t good = (uint32_t)rig_counter(&rig, COUNTER_SYN_COOKIES_GOOD);
        bool by_cookie;

        assert_int_equal(client_send_ack(other, other->ack), COUNTER_TCP_IN_ACCEPTED);
        assert_int_equal(rig.opened, i + 1);
        by_cookie = rig_counter(&rig, COUNTER_SYN_COOKIES_GOOD) != good;
        assert_int_equal(rig.connection->timestamps, other->timestamps);
        assert_int_equal(rig.connection->sack, other->sack && (!by_cookie || other->timestamps));
        assert_int_equal(rig.connection->scaling,
                         other->scale >= 0 && (!by_cookie || other->timestamps));
        if (rig.connection->scaling)
            assert_int_equal(rig.connection->send_scale, other->scale);
        assert_true(rig.connection->mss <= other->mss && rig.connection->mss >= 536);
        other->scale = rig.connection->scaling ? other->scale : -1;
        assert_int_equal(client_send(other, TCP_FLAG_ACK, other->seq, "x", 1),
                         COUNTER_TCP_IN_ACCEPTED);
        other->seq++;
        rig_flush(&rig);
        assert_int_equal(client_edge(other, client_next(other)), other->seq + TCP_COMMAND_WINDOW);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_SYN_COOKIES_GOOD), cookies);
}

static uint32_t fill_the_table(void)
{
    for (unsigned i = 0; rig_counter(&rig, COUNTER_SYN_COOKIES_SENT) == 0; i++) {
        client_init(&client, &rig, (uint8_t)(1 + i));
        assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
        assert_non_null(client_next(&client));
    }
    return client.ack;
}

static void check_refused_cookie(uint32_t seq, uint32_t ack)
{
    assert_int_equal(client_send(&client, TCP_FLAG_ACK, seq, NULL, 0),
                     COUNTER_TCP_IN_NO_CONNECTION);
    assert_int_equal(client_next(&client)->tcp.seq, ack);
    assert_int_equal(rig.opened, 0);
}

/* A cookie is good for this peer, this number and its time, and not otherwise. */
static void test_rfc_4987_bad_cookies(void **state)
{
    uint32_t cookie;

    (void)state;
    cookie = fill_the_table();
    for (unsigned bit = 0; bit < 32; bit++) {
        if (bit >= 24 && bit < 27)
            continue; /* the MSS: lying there only hurts oneself */
        client.ack = cookie - 1;
        client.ack ^= 1u << bit;
        client.ack++;
        check_refused_cookie(client.seq, client.ack);
    }
    client.ack = cookie;
    check_refused_cookie(client.seq + 1, cookie);
    check_refused_cookie(client.seq - 1, cookie);
    client.port++;
    check_refused_cookie(client.seq, cookie);
    client.port--;
    assert_int_equal(client_send(&client, TCP_FLAG_ACK | TCP_FLAG_SYN, client.seq, NULL, 0),
                     COUNTER_TCP_IN_NO_CONNECTION);
    rig_drain(&rig);
    /* Good for one to two periods, and no longer. */
    rig_advance(&rig, 2 * TCP_COOKIE_PERIOD_NS);
    rig_drain(&rig);
    check_refused_cookie(client.seq, cookie);
}

static void test_rfc_4987_cookie_of_the_last_period(void **state)
{
    (void)state;
    (void)fill_the_table();
    rig_advance(&rig, TCP_COOKIE_PERIOD_NS - RIG_SECOND);
    rig_drain(&rig);
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.opened, 1);
}

/* limits.connections_per_client: one more is reset; one less makes room. */
static void test_limit_a_client(void **state)
{
    struct client clients[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        client_init(&clients[i], &rig, 1);
        clients[i].port = (uint16_t)(40000 + i);
    }
    for (unsigned i = 0; i < 3; i++)
        client_connect(&clients[i]);
    assert_int_equal(client_syn(&clients[3]), COUNTER_TCP_IN_REFUSED);
    assert_int_equal(client_next(&clients[3])->tcp.flags, TCP_FLAG_RST | TCP_FLAG_ACK);
    assert_int_equal(rig_counter(&rig, COUNTER_CONNECTIONS_REFUSED), 1);
    client_init(&client, &rig, 2); /* others are served */
    client_connect(&client);
    tcp_close(rig.connection);
    rig_flush(&rig);
    (void)client_next(&client);
    /* A half-open one may come too late as well. */
    rig.connection = NULL;
    assert_int_equal(client_send(&clients[0], TCP_FLAG_RST, clients[0].seq, NULL, 0),
                     COUNTER_TCP_IN_RESET);
    client_connect(&clients[3]);
    assert_int_equal(rig.opened, 5);
}

static void test_limit_reached_while_half_open(void **state)
{
    struct client clients[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        client_init(&clients[i], &rig, 1);
        clients[i].port = (uint16_t)(40000 + i);
        assert_int_equal(client_syn(&clients[i]), COUNTER_TCP_IN_ACCEPTED);
        assert_non_null(client_next(&clients[i]));
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(client_send_ack(&clients[i], clients[i].ack),
                         i < 3 ? COUNTER_TCP_IN_ACCEPTED : COUNTER_TCP_IN_REFUSED);
    assert_int_equal(client_next(&clients[3])->tcp.flags, TCP_FLAG_RST);
    assert_int_equal(rig.opened, 3);
}

/* limits.connections: the next is reset; a connection in TIME-WAIT makes room. */
static void test_limit_of_connections(void **state)
{
    struct client first;

    (void)state;
    client_init(&first, &rig, 1);
    client_connect(&first);
    for (unsigned i = 1; i < 40; i++) {
        client_init(&client, &rig, (uint8_t)(1 + i));
        client_connect(&client);
    }
    client_init(&client, &rig, 100);
    assert_int_equal(client_syn(&client), COUNTER_TCP_IN_ACCEPTED);
    assert_non_null(client_next(&client));
    assert_int_equal(client_send_ack(&client, client.ack), COUNTER_TCP_IN_REFUSED);
    assert_int_equal(client_next(&client)->tcp.flags, TCP_FLAG_RST);
    assert_int_equal(rig.endpoint.connection_count, 40);
    tcp_close(rig.connection);
    rig_flush(&rig);
    client_init(&first, &rig, 40);
    first.seq = first.first = first.initial + 1;
    first.ack = rig.connection->send_max;
    rig_drain(&rig);
    assert_int_equal(client_send(&first, TCP_FLAG_ACK | TCP_FLAG_FIN, first.seq, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.endpoint.time_wait.count, 1);
    rig_flush(&rig);
    rig_drain(&rig);
    client_init(&client, &rig, 101);
    client_connect(&client);
    assert_int_equal(rig.endpoint.time_wait.count, 0);
    assert_int_equal(rig.endpoint.connection_count, 40);
}

/* Our own digits are those of inet_ntop(). */
static void test_peer_text(void **state)
{
    static const uint8_t addresses[][4] = {
        {1, 2, 3, 4}, {9, 10, 11, 0}, {99, 100, 101, 0}, {223, 255, 199, 200}, {198, 0, 1, 109}};

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        char text[46];
        char expected[46];

        client_init(&client, &rig, 1);
        memcpy(client.address, addresses[i], 4);
        client_connect(&client);
        tcp_peer_text(rig.connection, text);
        assert_string_equal(text, inet_ntop(AF_INET, addresses[i], expected, sizeof(expected)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTING_TEST(test_rfc_4987_cookies),
        CONNECTING_TEST(test_rfc_4987_bad_cookies),
        CONNECTING_TEST(test_rfc_4987_cookie_of_the_last_period),
        CONNECTING_TEST(test_limit_a_client),
        CONNECTING_TEST(test_limit_reached_while_half_open),
        CONNECTING_TEST(test_limit_of_connections),
        CONNECTING_TEST(test_peer_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

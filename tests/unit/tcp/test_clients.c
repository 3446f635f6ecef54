/* How many connections a client may have and how fast it may make them (tcp/clients.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "dataplane/tcp/clients.h"
#include "platform/clock.h"

#define CONNECTIONS 8u
#define SECOND_NS   CLOCK_NS_PER_SECOND

static struct tcp_clients clients;

static void open_clients(uint32_t an_address, uint32_t a_prefix, uint32_t rate)
{
    struct tcp_client_limits limits = {.connections = {an_address, a_prefix}, .rate = rate};
    struct siphash_key secret = {{1, 2}};

    assert_true(tcp_clients_create(&clients, CONNECTIONS, &limits, &secret));
}

static int close_clients(void **state)
{
    (void)state;
    tcp_clients_destroy(&clients);
    return 0;
}

static const uint8_t *address(const char *text)
{
    static uint8_t bytes[16];

    memset(bytes, 0, sizeof(bytes));
    if (strchr(text, ':') != NULL) {
        assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
    } else {
        bytes[10] = bytes[11] = 0xff;
        assert_int_equal(inet_pton(AF_INET, text, bytes + 12), 1);
    }
    return bytes;
}

static enum tcp_client_answer enter(const char *text, struct tcp_client_place *place,
                                    int64_t now_ns)
{
    return tcp_clients_enter(&clients, address(text), place, now_ns);
}

static void test_limit_of_an_address(void **state)
{
    struct tcp_client_place places[3];

    (void)state;
    open_clients(2, 100, 0);
    assert_int_equal(enter("192.0.2.1", &places[0], 1), TCP_CLIENT_WELCOME);
    assert_int_equal(enter("192.0.2.1", &places[1], 1), TCP_CLIENT_WELCOME);
    assert_int_equal(tcp_clients_ask(&clients, address("192.0.2.1"), 1), TCP_CLIENT_FULL);
    assert_int_equal(enter("192.0.2.1", &places[2], 1), TCP_CLIENT_FULL);
    assert_int_equal(enter("192.0.2.2", &places[2], 1), TCP_CLIENT_WELCOME);
    tcp_clients_leave(&clients, &places[0]);
    assert_int_equal(tcp_clients_ask(&clients, address("192.0.2.1"), 1), TCP_CLIENT_WELCOME);
}

static void test_limit_of_a_neighbourhood(void **state)
{
    static const struct {
        const char *first, *second, *same, *other;
    } cases[] = {
        {"192.0.2.1", "192.0.2.2", "192.0.2.255", "192.0.3.1"},
        {"2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:ffff::1", "2001:db8:2:1::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tcp_client_place places[4];

        open_clients(100, 2, 0);
        assert_int_equal(enter(cases[i].first, &places[0], 1), TCP_CLIENT_WELCOME);
        assert_int_equal(enter(cases[i].second, &places[1], 1), TCP_CLIENT_WELCOME);
        assert_int_equal(tcp_clients_ask(&clients, address(cases[i].same), 1), TCP_CLIENT_FULL);
        assert_int_equal(enter(cases[i].same, &places[2], 1), TCP_CLIENT_FULL);
        assert_int_equal(enter(cases[i].other, &places[2], 1), TCP_CLIENT_WELCOME);
        tcp_clients_leave(&clients, &places[1]);
        assert_int_equal(enter(cases[i].same, &places[3], 1), TCP_CLIENT_WELCOME);
        if (i + 1 < sizeof(cases) / sizeof(cases[0]))
            tcp_clients_destroy(&clients);
    }
}

/* One host owns all of a /64: it is one client, whatever it calls itself. */
static void test_ipv6_counts_by_64(void **state)
{
    struct tcp_client_place places[3];

    (void)state;
    open_clients(2, 100, 0);
    assert_int_equal(enter("2001:db8::1", &places[0], 1), TCP_CLIENT_WELCOME);
    assert_int_equal(enter("2001:db8::ffff:1", &places[1], 1), TCP_CLIENT_WELCOME);
    assert_int_equal(enter("2001:db8::2", &places[2], 1), TCP_CLIENT_FULL);
    assert_int_equal(enter("2001:db8:0:1::2", &places[2], 1), TCP_CLIENT_WELCOME);
}

/* Ten a second: a burst of ten, then one each tenth of a second, however often it asks. */
static void test_rate(void **state)
{
    struct tcp_client_place place;
    unsigned welcome = 0;

    (void)state;
    open_clients(100, 100, 10);
    for (int64_t now_ns = SECOND_NS; now_ns < 4 * SECOND_NS; now_ns += SECOND_NS / 100) {
        if (tcp_clients_ask(&clients, address("192.0.2.1"), now_ns) != TCP_CLIENT_WELCOME)
            continue;
        welcome++;
        assert_int_equal(enter("192.0.2.1", &place, now_ns), TCP_CLIENT_WELCOME);
        tcp_clients_leave(&clients, &place); /* coming and going does not reset it */
    }
    assert_in_range(welcome, 38, 41);
    assert_int_equal(tcp_clients_ask(&clients, address("192.0.2.2"), 4 * SECOND_NS),
                     TCP_CLIENT_WELCOME);
}

/* Handshakes that were under way together may overdraw the bucket, but only by a second's worth. */
static void test_rate_overdrawn(void **state)
{
    struct tcp_client_place places[CONNECTIONS];

    (void)state;
    open_clients(100, 100, 2);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        assert_int_equal(enter("192.0.2.1", &places[i], SECOND_NS), TCP_CLIENT_WELCOME);
    assert_int_equal(tcp_clients_ask(&clients, address("192.0.2.1"), SECOND_NS), TCP_CLIENT_FAST);
    assert_int_equal(tcp_clients_ask(&clients, address("192.0.2.1"), 2 * SECOND_NS),
                     TCP_CLIENT_FAST);
    assert_int_equal(tcp_clients_ask(&clients, address("192.0.2.1"), 3 * SECOND_NS),
                     TCP_CLIENT_WELCOME);
}

/* Far more clients than there are entries: those with connections keep theirs, the others are
 * forgotten oldest first, and the counts stay right. Compared with a plain array. */
static void many_clients(uint8_t bytes[16], unsigned at)
{
    struct tcp_client_place places[CONNECTIONS];
    uint32_t owner[CONNECTIONS];
    unsigned open = 0;
    uint32_t seed = 7;

    open_clients(2, CONNECTIONS, 0);
    for (unsigned round = 0; round < 200000; round++) {
        uint32_t host;
        unsigned held = 0;

        seed = seed * 1664525 + 1013904223;
        if (open > 0 && (open == CONNECTIONS || seed >> 31)) {
            unsigned leaving = (seed >> 8) % open;

            tcp_clients_leave(&clients, &places[leaving]);
            places[leaving] = places[--open];
            owner[leaving] = owner[open];
            continue;
        }
        /* Mostly strangers, now and then one of a few that come back. */
        host = seed >> 28 == 0 ? (seed >> 8) % 4 : seed >> 2;
        memcpy(bytes + at, &host, sizeof(host));
        for (unsigned i = 0; i < open; i++)
            held += owner[i] == host;
        assert_int_equal(tcp_clients_enter(&clients, bytes, &places[open], round),
                         held < 2 ? TCP_CLIENT_WELCOME : TCP_CLIENT_FULL);
        if (held < 2)
            owner[open++] = host;
    }
    while (open > 0)
        tcp_clients_leave(&clients, &places[--open]);
}

static void test_many_clients(void **state)
{
    uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff};
    uint8_t ipv6[16] = {[7] = 1};
    uint8_t low[16] = {0}; /* looks like IPv4's, as a number */

    (void)state;
    many_clients(ipv4, 12);
    tcp_clients_destroy(&clients);
    many_clients(ipv6, 0);
    tcp_clients_destroy(&clients);
    many_clients(low, 4);
}

#define HOUR_NS (3600 * SECOND_NS)

/* So many faults that are none too many, one after the other. */
static unsigned faults(const struct tcp_client_place *place, uint32_t an_hour, int64_t now_ns)
{
    unsigned count = 0;

    while (count < 1000 && tcp_clients_fault(&clients, place, an_hour, now_ns))
        count++;
    return count;
}

/* All at once, in one connection or in several; later one for each tenth of the hour. */
static void test_faults_of_an_address(void **state)
{
    struct tcp_client_place place;

    (void)state;
    open_clients(2, 100, 0);
    assert_int_equal(enter("192.0.2.1", &place, 1), TCP_CLIENT_WELCOME);
    assert_int_equal(faults(&place, 0, 1), 1000); /* no limit, and nothing is counted */
    assert_false(tcp_clients_faulty(&clients, &place, 10, 1));
    assert_int_equal(faults(&place, 10, 1), 10);
    assert_true(tcp_clients_faulty(&clients, &place, 10, 1));
    assert_false(tcp_clients_faulty(&clients, &place, 0, 1));
    tcp_clients_leave(&clients, &place);
    assert_int_equal(enter("192.0.2.1", &place, 2), TCP_CLIENT_WELCOME);
    assert_true(tcp_clients_faulty(&clients, &place, 10, 2));
    assert_true(tcp_clients_faulty(&clients, &place, 10, HOUR_NS / 10));
    assert_false(tcp_clients_faulty(&clients, &place, 10, HOUR_NS / 10 + 1));
    assert_int_equal(faults(&place, 10, HOUR_NS / 10 + 1), 1);
    assert_int_equal(faults(&place, 10, 3 * HOUR_NS), 10);
}

/* Four times as many around it: beyond them no fault is none too many, but who makes none is not
 * held to it. */
static void test_faults_of_a_neighbourhood(void **state)
{
    static const char *const near[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4",
                                       "192.0.2.5"};
    struct tcp_client_place place;

    (void)state;
    open_clients(2, 100, 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(enter(near[i], &place, 1), TCP_CLIENT_WELCOME);
        assert_int_equal(faults(&place, 10, 1), i < 4 ? 10 : 0);
        assert_int_equal(tcp_clients_faulty(&clients, &place, 10, 1), i < 4);
        tcp_clients_leave(&clients, &place);
    }
    assert_int_equal(enter("192.0.3.1", &place, 1), TCP_CLIENT_WELCOME);
    assert_int_equal(faults(&place, 10, 1), 10);
}

/* Another client in the place of one that was forgotten has done nothing. */
static void test_faults_are_forgotten_with_the_client(void **state)
{
    uint8_t stranger[16] = {[10] = 0xff, [11] = 0xff};
    struct tcp_client_place place;

    (void)state;
    open_clients(2, 100, 0);
    assert_int_equal(enter("192.0.2.1", &place, 1), TCP_CLIENT_WELCOME);
    assert_int_equal(faults(&place, 10, 1), 10);
    tcp_clients_leave(&clients, &place);
    for (uint32_t i = 1; i < 2 * TCP_CLIENTS_REMEMBERED; i++) {
        memcpy(stranger + 12, &i, sizeof(i));
        assert_int_equal(tcp_clients_enter(&clients, stranger, &place, 1), TCP_CLIENT_WELCOME);
        assert_false(tcp_clients_faulty(&clients, &place, 10, 1));
        tcp_clients_leave(&clients, &place);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_clients)
    const struct CMUnitTest tests[] = {
        TEST(test_limit_of_an_address),
        TEST(test_limit_of_a_neighbourhood),
        TEST(test_ipv6_counts_by_64),
        TEST(test_rate),
        TEST(test_rate_overdrawn),
        TEST(test_many_clients),
        TEST(test_faults_of_an_address),
        TEST(test_faults_of_a_neighbourhood),
        TEST(test_faults_are_forgotten_with_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

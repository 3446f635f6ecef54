/* A route whose server is away, in a time of the test's own: five days pass in a moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/rig.h"

#define DAY_NS (24 * 3600 * CLOCK_NS_PER_SECOND)

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

static void test_back_off_doubles_to_its_most(void **state)
{
    struct server server;
    int64_t now_ns = 1000;
    int64_t wait_ns = SERVER_RETRY_MIN_NS;

    (void)state;
    server_init(&server, "mail.example", 25);
    assert_true(server_usable(&server, now_ns));
    assert_false(server_try(&server));
    assert_true(server_failed(&server, false, now_ns));
    /* What was under way when it went down says nothing new. */
    assert_false(server_failed(&server, false, now_ns));
    for (unsigned i = 0; i < 20; i++) {
        assert_false(server_usable(&server, now_ns + wait_ns - 1));
        assert_true(server_usable(&server, now_ns + wait_ns));
        now_ns += wait_ns;
        assert_true(server_try(&server));
        assert_false(server_usable(&server, now_ns)); /* one at a time */
        assert_false(server_failed(&server, true, now_ns));
        wait_ns = wait_ns * 2 < SERVER_RETRY_MAX_NS ? wait_ns * 2 : SERVER_RETRY_MAX_NS;
    }
    assert_true(server_found(&server, now_ns));
    assert_true(server_usable(&server, now_ns));
    assert_int_equal(server.failures, 0);
    /* Away again at once: it goes on where it was. Away after a while: it begins anew. */
    assert_true(server_failed(&server, false, now_ns + SERVER_RETRY_MAX_NS - 1));
    assert_int_equal(server.retry_ns, now_ns + 2 * SERVER_RETRY_MAX_NS - 1);
    assert_int_equal(server.failures, 22);
    assert_true(server_found(&server, now_ns));
    assert_false(server_found(&server, now_ns + SERVER_RETRY_MAX_NS));
    now_ns += SERVER_RETRY_MAX_NS;
    assert_true(server_failed(&server, false, now_ns));
    assert_int_equal(server.retry_ns, now_ns + SERVER_RETRY_MIN_NS);
    assert_int_equal(server.failures, 1);
}

/* Lets what the kernel has to say (refused, accepted) be heard, while time stands still. */
static void settle(struct rig *rig)
{
    const struct server *server = &rig->relay->routes->servers[0];

    for (unsigned i = 0; i < 2000 && server->being_tried; i++)
        (void)event_base_loop(rig->loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    for (unsigned i = 0; i < 20; i++)
        (void)event_base_loop(rig->loop.base, EVLOOP_NONBLOCK);
    assert_false(server->being_tried);
}

/* The route looks for its server by itself, at the times of its back-off; mail that comes meanwhile
 * is answered at once and costs the server nothing. */
static void test_five_days_away(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    const struct server *server;
    unsigned attempts = 0;
    int64_t end_ns;

    (void)state;
    rig_open(&rig);
    rig_serve(&rig, "{}", 0);
    rig_stop_server(&rig);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_UNREACHABLE);
    server = &rig.relay->routes->servers[0];
    assert_true(server->down);
    rig_stop_time(&rig);
    end_ns = rig.time_ns + 5 * DAY_NS;
    while (rig.time_ns < end_ns) {
        unsigned before = server->failures;

        rig_pass(&rig, server->retry_ns - rig.time_ns);
        settle(&rig);
        assert_int_equal(server->failures, before + 1);
        attempts++;
        if (attempts % 1000 == 0) {
            const struct relay_result *result = rig_send(&rig, &mail);

            assert_int_equal(result->outcome, RELAY_UNREACHABLE);
            assert_int_equal(result->code, 451);
            assert_non_null(strstr(result->text, "is down"));
            assert_int_equal(server->failures, before + 1);
        }
    }
    /* 1, 2, 4 .. 32 s, then one a minute. */
    assert_in_range(attempts, 5 * 24 * 60, 5 * 24 * 60 + 7);
    rig.time_ns = 0;
    rig_serve(&rig, "{}", rig.port);
    rig_stop_time(&rig);
    rig_pass(&rig, 2 * SERVER_RETRY_MAX_NS + 5 * DAY_NS);
    rig.time_ns = 0;
    for (unsigned i = 0; i < 100 && server->down; i++)
        rig_run(&rig, 50);
    assert_false(server->down);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    rig_close(&rig);
}

/* One that nobody listens at. */
static uint16_t free_port(struct rig *rig)
{
    rig_serve(rig, "[[]]", 0);
    rig_stop_server(rig);
    return rig->port;
}

/* The relay anew, with what rig->servers says. */
static void use_servers(struct rig *rig)
{
    uint16_t port = rig->port;

    relay_free(rig->relay, loop_now_ns(&rig->loop));
    rig->port = rig->servers[0].port; /* which rig_relay() takes */
    rig_relay(rig);
    rig->port = port;
}

static void assert_delivered_by(struct rig *rig, const struct rig_mail *mail, unsigned server)
{
    const struct relay_result *result = rig_send(rig, mail);
    char name[64];

    (void)snprintf(name, sizeof(name), "127.0.0.1[127.0.0.1]:%u", rig->servers[server].port);
    assert_int_equal(result->code, 250);
    assert_string_equal(result->relay, name);
}

struct news {
    unsigned downs;
    unsigned ups;
};

static void hear(void *context, const char *customer, bool down)
{
    struct news *news = context;

    assert_string_equal(customer, "acme");
    news->downs += down;
    news->ups += !down;
}

/* One word when all servers have gone, one when one is back; and whoever comes to listen meanwhile
 * hears at once how things are. */
static void test_news(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct news news = {0};

    (void)state;
    rig_open(&rig);
    rig_serve(&rig, "{}", 0);
    relay_hear(rig.relay, hear, &news);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    rig_stop_server(&rig);
    rig_run(&rig, 50);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_UNREACHABLE);
    rig_run(&rig, 20);
    assert_int_equal(news.downs, 1);
    relay_hear(rig.relay, NULL, NULL);
    relay_hear(rig.relay, hear, &news);
    assert_int_equal(news.downs, 2);
    rig_serve(&rig, "{}", rig.port);
    for (unsigned i = 0; i < 400 && news.ups == 0; i++)
        rig_run(&rig, 20);
    assert_int_equal(news.ups, 1);
    assert_int_equal(news.downs, 2);
    rig_close(&rig);
}

/* The second server stands in for the first, for this very message and for those behind it, until
 * the first is back. */
static void test_failover(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    const struct route *route;
    uint16_t first_port;
    pid_t second;

    (void)state;
    rig_open(&rig);
    rig.customer.route.server_count = 2;
    first_port = free_port(&rig);
    rig_serve(&rig, "{}", 0);
    second = rig.server;
    rig.servers[0].port = first_port;
    rig.servers[1].port = rig.port;
    use_servers(&rig);
    route = rig.relay->routes;
    for (unsigned i = 0; i < 3; i++)
        assert_delivered_by(&rig, &mail, 1);
    assert_true(route->servers[0].down);
    assert_false(route->servers[1].down);
    assert_false(route_down(route));
    assert_int_equal(route->counts.unreachable, 0);
    /* The first comes back, and is found by looking for it. */
    rig_serve(&rig, "{}", first_port);
    for (unsigned i = 0; i < 400 && route->servers[0].down; i++)
        rig_run(&rig, 20);
    assert_false(route->servers[0].down);
    rig_run(&rig, 100);
    assert_delivered_by(&rig, &mail, 0);
    /* Both away: 451 at once, from then on. */
    rig_stop_server(&rig);
    rig.server = second;
    rig_stop_server(&rig);
    rig_run(&rig, 50);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_UNREACHABLE);
    assert_true(route_down(route));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_off_doubles_to_its_most),
        cmocka_unit_test(test_five_days_away),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

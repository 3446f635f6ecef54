/* Routes in trouble, in a time of the test's own: servers that come and go, names that are not
 * found, servers that are slow and not down; and what another customer's senders see of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/office.h"

#define SECOND_NS CLOCK_NS_PER_SECOND
#define SETTLE    40u

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

struct world {
    struct rig rig;
    struct office offices[2];
    struct config_customer customers[2]; /* acme, and other */
    struct config_server servers[2][CONFIG_SERVERS_MAX];
    bool silent; /* no name is found, nor its want */
    unsigned downs;
    unsigned ups;
    char last[RELAY_NAME_BYTES]; /* who was heard of last */
};

/* Something is under way that ends without time passing. */
static bool restless(const struct world *world, const struct dialogue *dialogue)
{
    switch (dialogue->state) {
    case DIALOGUE_CONNECTING:
        return !world->silent;
    case DIALOGUE_GREETING:
    case DIALOGUE_EHLO:
    case DIALOGUE_HELO:
        return !world->offices[dialogue->server].mute;
    case DIALOGUE_ANSWER:
        return world->offices[dialogue->server].delay_ns == 0;
    case DIALOGUE_IDLE:
    case DIALOGUE_CLOSED:
        return false;
    default:
        return true;
    }
}

static bool at_rest(const struct world *world)
{
    for (const struct route *r = world->rig.relay->routes; r != NULL; r = r->next) {
        for (const struct dialogue *d = r->dialogues; d != NULL; d = d->next) {
            if (restless(world, d))
                return false;
        }
    }
    return true;
}

/* Lets the kernel carry what there is to carry, while the test's time stands still, until nothing
 * is under way and `*value` (if any) is `wanted`. */
static void settle_until(struct world *world, const unsigned *value, unsigned wanted)
{
    int64_t end_ns = clock_monotonic_ns() + 20 * SECOND_NS;

    for (unsigned i = 0; i < SETTLE; i++)
        (void)event_base_loop(world->rig.loop.base, EVLOOP_NONBLOCK);
    while ((!at_rest(world) || (value != NULL && *value != wanted)) &&
           clock_monotonic_ns() < end_ns)
        (void)event_base_loop(world->rig.loop.base, EVLOOP_NONBLOCK);
    assert_true(at_rest(world));
    assert_true(value == NULL || *value == wanted);
}

static void settle(struct world *world)
{
    settle_until(world, NULL, 0);
}

static void let_pass(struct world *world, int64_t ns)
{
    rig_pass(&world->rig, ns);
    settle(world);
}

static void hear(void *context, const char *customer, bool down)
{
    struct world *world = context;

    world->downs += down;
    world->ups += !down;
    (void)snprintf(world->last, sizeof(world->last), "%s", customer);
}

/* Two offices; the customer "acme" is served by the first `acme_servers` of them, "other" by the
 * second. */
static void world_open(struct world *world, unsigned acme_servers)
{
    struct rig *rig = &world->rig;

    memset(world, 0, sizeof(*world));
    rig_open(rig);
    for (unsigned i = 0; i < 2; i++) {
        office_open(&world->offices[i], rig);
        world->customers[i] = rig->customer;
        world->customers[i].route.servers = world->servers[i];
        world->customers[i].route.connections = 2;
        (void)snprintf(world->customers[i].name, sizeof(world->customers[i].name), "%s",
                       i == 0 ? "acme" : "other");
    }
    for (unsigned i = 0; i < acme_servers; i++)
        world->servers[0][i] =
            (struct config_server){.host = "127.0.0.1", .port = world->offices[i].port};
    world->servers[1][0] =
        (struct config_server){.host = "127.0.0.1", .port = world->offices[1].port};
    world->customers[0].route.server_count = acme_servers;
    config_unindex(&rig->config);
    rig->config.customers = world->customers;
    rig->config.customer_count = 2;
    assert_int_equal(config_index(&rig->config), STATUS_OK);
}

static void world_start(struct world *world)
{
    struct rig *rig = &world->rig;

    assert_int_equal(
        relay_create(&rig->relay, &rig->loop, rig->resolver, &rig->config, RIG_CONNECTIONS),
        STATUS_OK);
    relay_hear(rig->relay, hear, world);
    rig_stop_time(rig);
}

static void world_close(struct world *world)
{
    relay_free(world->rig.relay, world->rig.time_ns);
    world->rig.relay = NULL;
    for (unsigned i = 0; i < 2; i++)
        office_close(&world->offices[i]);
    rig_close(&world->rig);
}

static const struct route *route_of(const struct world *world, const char *customer)
{
    const struct route *route = world->rig.relay->routes;

    while (strcmp(route->customer, customer) != 0)
        route = route->next;
    return route;
}

static struct message *submit(struct world *world, const char *customer)
{
    struct rig_mail mail = {.customer = customer, .body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;
    struct message *message = rig_message(&world->rig, &mail, &job);

    rig_submit(&world->rig, &job);
    return message;
}

/* One message that is answered while time stands still. */
static const struct relay_result *deliver(struct world *world, const char *customer)
{
    struct rig *rig = &world->rig;
    struct message *message;

    rig->answered = 0;
    message = submit(world, customer);
    settle_until(world, &rig->answered, 1);
    message_give(&rig->store, message);
    return &rig->results[0];
}

/* A server that is there for four seconds and away for three, for an hour, with a mail a second:
 * it is looked for ever less often, and so are the workers told. One that has stayed for a while
 * begins anew. */
static void test_flapping(void **state)
{
    static struct world world;
    const struct server *server;
    unsigned delivered = 0;

    (void)state;
    world_open(&world, 1);
    world_start(&world);
    server = &route_of(&world, "acme")->servers[0];
    for (unsigned second = 0; second < 3600; second++) {
        if (second % 7 == 4)
            office_close(&world.offices[0]);
        if (second % 7 == 0 && second > 0)
            office_open(&world.offices[0], &world.rig);
        settle(&world);
        delivered += deliver(&world, "acme")->code == 250;
        assert_int_equal(deliver(&world, "other")->code, 250);
        let_pass(&world, SECOND_NS);
    }
    assert_int_equal(delivered, world.offices[0].taken);
    assert_in_range(delivered, 4, 4 * 3600 / 7);
    assert_in_range(world.downs, 2, 60 + 7);
    assert_in_range(world.downs - world.ups, 0, 1);
    (void)printf("in an hour of flapping: %u times down, %u mails delivered\n", world.downs,
                 delivered);
    /* Back for good: no longer than the longest wait, and then all is as at first. */
    office_close(&world.offices[0]);
    office_open(&world.offices[0], &world.rig);
    for (unsigned second = 0; second < 62 && server->down; second++)
        let_pass(&world, SECOND_NS);
    assert_false(server->down);
    let_pass(&world, SERVER_RETRY_MAX_NS);
    office_close(&world.offices[0]);
    settle(&world);
    assert_int_equal(deliver(&world, "acme")->outcome, RELAY_UNREACHABLE);
    assert_int_equal(server->retry_ns - world.rig.time_ns, SERVER_RETRY_MIN_NS);
    world_close(&world);
}

/* With a second server nobody notices that the first comes and goes. */
static void test_one_of_two_flaps(void **state)
{
    static struct world world;

    (void)state;
    world_open(&world, 2);
    world_start(&world);
    for (unsigned second = 0; second < 600; second++) {
        if (second % 20 == 10)
            office_close(&world.offices[0]);
        if (second % 20 == 0 && second > 0)
            office_open(&world.offices[0], &world.rig);
        settle(&world);
        assert_int_equal(deliver(&world, "acme")->code, 250);
        let_pass(&world, SECOND_NS);
    }
    assert_int_equal(world.downs, 0);
    assert_int_equal(world.offices[0].taken + world.offices[1].taken, 600);
    assert_true(world.offices[0].taken > 0 && world.offices[1].taken > 0);
    world_close(&world);
}

/* A server that takes connections and greets nobody is down after command_timeout, and each attempt
 * costs it one connection. */
static void test_mute(void **state)
{
    static struct world world;
    struct message *message;
    unsigned connections;

    (void)state;
    world_open(&world, 1);
    world_start(&world);
    world.offices[0].mute = true;
    message = submit(&world, "acme");
    settle(&world);
    assert_int_equal(world.rig.answered, 0);
    let_pass(&world, world.customers[0].route.command_timeout_ns);
    assert_int_equal(world.rig.answered, 1);
    assert_int_equal(world.rig.results[0].outcome, RELAY_UNREACHABLE);
    message_give(&world.rig.store, message);
    assert_int_equal(world.downs, 1);
    connections = world.offices[0].connections;
    for (unsigned second = 0; second < 600; second++) {
        assert_int_equal(deliver(&world, "acme")->outcome, RELAY_UNREACHABLE);
        assert_int_equal(deliver(&world, "other")->code, 250);
        let_pass(&world, SECOND_NS);
    }
    assert_in_range(world.offices[0].connections - connections, 9, 17);
    assert_int_equal(world.downs, 1);
    world.offices[0].mute = false;
    for (unsigned second = 0; second < 70; second++)
        let_pass(&world, SECOND_NS);
    assert_int_equal(world.ups, 1);
    assert_int_equal(deliver(&world, "acme")->code, 250);
    world_close(&world);
}

static void names_fail(bool silent)
{
    static struct world world;
    struct names_office names;
    struct message *message;
    char path[128];

    world_open(&world, 1);
    names_office_open(&names, &world.rig, path, sizeof(path));
    assert_int_equal(resolver_open(&world.rig.resolver, &world.rig.loop, path), STATUS_OK);
    (void)snprintf(world.servers[0][0].host, sizeof(world.servers[0][0].host), "mail.acme.test");
    world_start(&world);
    assert_int_equal(deliver(&world, "acme")->code, 250);
    assert_true(names.queries > 0);
    names.failing = !silent;
    names.silent = silent;
    world.silent = silent;
    /* A connection that is there needs no name. */
    assert_int_equal(deliver(&world, "acme")->code, 250);
    let_pass(&world, world.customers[0].route.idle_timeout_ns);
    assert_int_equal(route_of(&world, "acme")->connection_count, 0);
    world.rig.answered = 0;
    message = submit(&world, "acme");
    settle_until(&world, &world.rig.answered, silent ? 0 : 1);
    assert_int_equal(deliver(&world, "other")->code, 250);
    world.rig.answered = !silent;
    let_pass(&world, world.customers[0].route.connect_timeout_ns);
    assert_int_equal(world.rig.answered, 1);
    message_give(&world.rig.store, message);
    assert_int_equal(world.downs, 1);
    assert_string_equal(world.last, "acme");
    for (unsigned second = 0; second < 20; second++) {
        assert_int_equal(deliver(&world, "acme")->outcome, RELAY_UNREACHABLE);
        let_pass(&world, SECOND_NS);
    }
    names.failing = false;
    names.silent = false;
    world.silent = false;
    for (unsigned second = 0; second < 70; second++)
        let_pass(&world, SECOND_NS);
    assert_int_equal(world.ups, 1);
    assert_int_equal(deliver(&world, "acme")->code, 250);
    names_office_close(&names);
    world_close(&world);
}

static void test_names_are_unknown(void **state)
{
    (void)state;
    names_fail(false);
}

static void test_name_server_is_silent(void **state)
{
    (void)state;
    names_fail(true);
}

/* A server that takes thirty seconds for each message is slow, not down. Who finds no connection in
 * time hears so, and nobody else does. */
static void test_slow_is_not_down(void **state)
{
    enum { MAILS = 55, WAITING = RIG_MESSAGES * 3 / 4, UNDER_WAY = 2 };
    static struct world world;
    struct rig *rig = &world.rig;
    struct message *messages[MAILS];

    (void)state;
    world_open(&world, 1);
    world.customers[0].route.data_timeout_ns = 60 * SECOND_NS;
    world_start(&world);
    world.offices[0].delay_ns = 30 * SECOND_NS;
    for (unsigned i = 0; i < MAILS; i++)
        messages[i] = submit(&world, "acme");
    settle_until(&world, &world.offices[0].waiting, UNDER_WAY);
    assert_int_equal(rig->answered, MAILS - WAITING - UNDER_WAY);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(deliver(&world, "other")->code, 250);
    rig->answered = 0;
    let_pass(&world, world.customers[0].route.connect_timeout_ns);
    assert_int_equal(rig->answered, WAITING);
    for (unsigned i = 0; i < WAITING; i++) {
        assert_int_equal(rig->results[i].outcome, RELAY_UNREACHABLE);
        assert_int_equal(rig->results[i].code, 451);
    }
    rig->answered = 0;
    let_pass(&world, 30 * SECOND_NS);
    settle_until(&world, &rig->answered, UNDER_WAY);
    assert_int_equal(rig->results[0].code, 250);
    assert_int_equal(rig->results[1].code, 250);
    for (unsigned i = 0; i < MAILS; i++)
        message_give(&rig->store, messages[i]);
    assert_int_equal(world.downs, 0);
    assert_false(route_of(&world, "acme")->servers[0].down);
    assert_int_equal(route_of(&world, "other")->counts.delivered, 20);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flapping),
        cmocka_unit_test(test_one_of_two_flaps),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_names_are_unknown),
        cmocka_unit_test(test_name_server_is_silent),
        cmocka_unit_test(test_slow_is_not_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The relay against servers that refuse, break off, hang and lie. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/harness.h"

#define GREETED "[\"send\", \"220 hello\\r\\n\"], [\"line\", 1], [\"send\", \"250 hello\\r\\n\"], "
#define ENVELOPED                                                          \
    GREETED "[\"line\", 1], [\"send\", \"250 ok\\r\\n\"], [\"line\", 1], " \
            "[\"send\", \"250 ok\\r\\n\"], [\"line\", 1], "
#define ASKED ENVELOPED "[\"send\", \"354 go on\\r\\n\"], "
#define TAKEN ASKED "[\"data\"], "

/* Without the zero. */
static void place(void *to, const char *text)
{
    for (char *at = to; *text != '\0'; at++, text++)
        *at = *text;
}

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

#define PATIENCE_MS 15000 /* where nothing should have to wait for it */

static void set_timeouts(struct harness *harness, int64_t ms)
{
    struct config_route *route = &harness->customer.route;

    route->connect_timeout_ns = ms * CLOCK_NS_PER_MS;
    route->command_timeout_ns = ms * CLOCK_NS_PER_MS;
    route->data_timeout_ns = ms * CLOCK_NS_PER_MS;
}

static void assert_outcome(const char *json, enum relay_outcome outcome, unsigned code,
                           const char *text)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    const struct relay_result *result;

    harness_open(&harness);
    set_timeouts(&harness, PATIENCE_MS);
    harness_serve(&harness, json, 0);
    result = harness_send(&harness, &mail);
    if (strstr(result->text, text) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", json, text, result->text);
    assert_int_equal(result->outcome, outcome);
    assert_int_equal(result->code, code);
    assert_int_equal(relay_in_flight(harness.relay), 0);
    harness_close(&harness);
}

/* Until the dialogue is there, with so many answers to MAIL and RCPTs. */
static void run_until(struct harness *harness, enum dialogue_state state, unsigned answered)
{
    const struct dialogue *dialogue = NULL;

    for (unsigned i = 0; i < PATIENCE_MS; i++) {
        dialogue = harness->relay->routes->dialogues;
        if (dialogue != NULL && dialogue->state == state &&
            (state != DIALOGUE_ENVELOPE || dialogue->envelope.answered == answered))
            return;
        harness_run(harness, 1);
    }
    fail_msg("the dialogue never came to state %d", (int)state);
}

/* The server says nothing more from there on; the time it has is the test's. */
static void assert_hangs(const char *json, enum dialogue_state state, unsigned answered,
                         enum relay_outcome outcome, const char *text)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;

    harness_open(&harness);
    set_timeouts(&harness, 300);
    harness_serve(&harness, json, 0);
    harness_stop_time(&harness);
    (void)harness_message(&harness, &mail, &job);
    harness_submit(&harness, &job);
    run_until(&harness, state, answered);
    harness_pass(&harness, 299 * CLOCK_NS_PER_MS);
    assert_int_equal(harness.answered, 0);
    harness_pass(&harness, CLOCK_NS_PER_MS);
    assert_int_equal(harness.answered, 1);
    assert_int_equal(harness.results[0].outcome, outcome);
    assert_int_equal(harness.results[0].code, 451);
    assert_non_null(strstr(harness.results[0].text, text));
    harness_close(&harness);
}

static void test_closed_at_each_stage(void **state)
{
    (void)state;
    assert_outcome("[[]]", RELAY_UNREACHABLE, 451, "closed");
    assert_outcome("[[" GREETED "[\"reset\"]]]", RELAY_BROKEN, 451, "4.4.2 ");
    assert_outcome("[[" GREETED "[\"line\", 1]]]", RELAY_BROKEN, 451, "closed");
    assert_outcome("[[" ENVELOPED "[\"reset\"]]]", RELAY_BROKEN, 451, "4.4.2 ");
    assert_outcome("[[" ASKED "[\"read\", 20]]]", RELAY_BROKEN, 451, "4.4.2 ");
    assert_outcome("[[" TAKEN "[\"read\", 0]]]", RELAY_BROKEN, 451, "closed");
}

static void test_hangs_at_each_stage(void **state)
{
    (void)state;
    assert_hangs("[[[\"hang\"]]]", DIALOGUE_GREETING, 0, RELAY_UNREACHABLE, "greeting");
    assert_hangs("[[[\"send\", \"220 hello\\r\\n\"], [\"hang\"]]]", DIALOGUE_EHLO, 0,
                 RELAY_UNREACHABLE, "EHLO");
    assert_hangs("[[" GREETED "[\"hang\"]]]", DIALOGUE_ENVELOPE, 0, RELAY_BROKEN, "MAIL");
    assert_hangs("[[" GREETED "[\"line\", 1], [\"send\", \"250 ok\\r\\n\"], [\"hang\"]]]",
                 DIALOGUE_ENVELOPE, 1, RELAY_BROKEN, "RCPT");
    assert_hangs("[[" ENVELOPED "[\"hang\"]]]", DIALOGUE_DATA, 0, RELAY_BROKEN, "DATA");
    assert_hangs("[[" TAKEN "[\"hang\"]]]", DIALOGUE_ANSWER, 0, RELAY_BROKEN, "end of data");
}

static void test_refused_at_the_door(void **state)
{
    (void)state;
    assert_outcome("[[[\"send\", \"554 5.7.1 go away\\r\\n\"], [\"hang\"]]]", RELAY_UNREACHABLE,
                   451, "554 5.7.1 go away");
    assert_outcome("[[[\"send\", \"421 busy\\r\\n\"]]]", RELAY_UNREACHABLE, 451, "421 busy");
    /* EHLO unknown: HELO, and everything goes on. */
    assert_outcome("[[[\"send\", \"220 old\\r\\n\"], [\"line\", 1], "
                   "[\"send\", \"502 what\\r\\n\"], [\"line\", 1], [\"send\", \"250 hi\\r\\n\"], "
                   "[\"line\", 1], [\"send\", \"250 ok\\r\\n\"], [\"line\", 1], "
                   "[\"send\", \"250 ok\\r\\n\"], [\"line\", 1], [\"send\", \"354 go\\r\\n\"], "
                   "[\"data\"], [\"send\", \"250 taken\\r\\n\"]]]",
                   RELAY_ANSWERED, 250, "taken");
    assert_outcome("[[" ENVELOPED "[\"send\", \"421 4.3.2 going\\r\\n\"]]]", RELAY_ANSWERED, 451,
                   "4.3.2 going");
}

static void test_nonsense(void **state)
{
    (void)state;
    assert_outcome("[[[\"send\", \"HTTP/1.1 400 Bad Request\\r\\n\"], [\"hang\"]]]", RELAY_BROKEN,
                   451, "not SMTP");
    assert_outcome("[[" TAKEN "[\"send\", \"\\u0000\\u0000\\r\\n\"], [\"hang\"]]]", RELAY_BROKEN,
                   451, "not SMTP");
    assert_outcome("[[" TAKEN "[\"send\", \"354 more\\r\\n\"], [\"hang\"]]]", RELAY_BROKEN, 451,
                   "unexpected");
    assert_outcome("[[" TAKEN "[\"send\", \"221 bye\\r\\n\"]]]", RELAY_BROKEN, 451, "unexpected");
    assert_outcome("[[" TAKEN "[\"send\", \"220 new greeting\\r\\n\"], [\"hang\"]]]", RELAY_BROKEN,
                   451, "unexpected");
    assert_outcome("[[" TAKEN "[\"send\", \"150 hm\\r\\n\"], [\"hang\"]]]", RELAY_BROKEN, 451,
                   "not SMTP");
    assert_outcome("[[" ENVELOPED "[\"send\", \"250 not 354\\r\\n\"], [\"hang\"]]]", RELAY_BROKEN,
                   451, "unexpected");
    assert_outcome("[[" TAKEN "[\"drip\", \"250-2.0.0 slow\\r\\n250 2.0.0 but sure\\r\\n\"]]]",
                   RELAY_ANSWERED, 250, "2.0.0 slow\n2.0.0 but sure");
    assert_outcome("[[" TAKEN "[\"send\", \"550 5.7.1 a\\u0000b\\r\\n\"]]]", RELAY_ANSWERED, 550,
                   "5.7.1 a?b");
}

static void test_endless_line(void **state)
{
    char *json = malloc(100000);
    int length;

    (void)state;
    assert_non_null(json);
    length = snprintf(json, 100000, "[[" TAKEN "[\"send\", \"250 ");
    memset(json + length, 'a', 70000);
    (void)snprintf(json + length + 70000, 100, "\"], [\"hang\"]]]");
    assert_outcome(json, RELAY_BROKEN, 451, "not SMTP");
    free(json);
}

/* A reply nobody asked for must not be taken for the answer to what is said next. */
static void test_out_of_turn(void **state)
{
    (void)state;
    assert_outcome("[[" GREETED "[\"line\", 1], [\"send\", \"250 ok\\r\\n\"], [\"line\", 1], "
                   "[\"send\", \"250 ok\\r\\n354 early\\r\\n250 taken\\r\\n\"], [\"hang\"]]]",
                   RELAY_BROKEN, 451, "out of turn");
    assert_outcome("[[" ENVELOPED "[\"send\", \"354 go\\r\\n250 taken\\r\\n\"], [\"hang\"]]]",
                   RELAY_BROKEN, 451, "out of turn");
    assert_outcome("[[" ENVELOPED "[\"send\", \"354 go\\r\\n552 5.3.4 too much\\r\\n\"], "
                   "[\"hang\"]]]",
                   RELAY_ANSWERED, 552, "5.3.4 too much");
}

/* What a server wants of us is no reason to bounce mail. */
static void test_about_us(void **state)
{
    static const unsigned codes[] = {502, 503, 504, 521, 530, 534, 535, 538};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char json[512];
        char text[64];

        (void)snprintf(text, sizeof(text), "4.3.5 Recipient's server is not set up");
        (void)snprintf(json, sizeof(json),
                       "[[" GREETED "[\"line\", 1], [\"send\", \"%u 5.7.0 no\\r\\n\"], "
                       "[\"hang\"]]]",
                       codes[i]);
        assert_outcome(json, RELAY_ANSWERED, 451, text);
        (void)snprintf(json, sizeof(json),
                       "[[" TAKEN "[\"send\", \"%u 5.7.0 no\\r\\n\"], [\"hang\"]]]", codes[i]);
        assert_outcome(json, RELAY_ANSWERED, 451, text);
        assert_outcome(json, RELAY_ANSWERED, 451, "5.7.0 no");
    }
}

static void test_nobody_there(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    harness_open(&harness);
    harness_serve(&harness, "[[]]", 0);
    harness_stop_server(&harness);
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_UNREACHABLE);
    assert_non_null(strstr(harness.results[0].text, "refused"));
    harness_close(&harness);
}

/* The pool's connection died while it idled: nobody notices. */
static void test_dead_idle_connection_costs_nothing(void **state)
{
    static const char *const ends[] = {"[\"line\", 1]", "[\"line\", 1], [\"reset\"]",
                                       "[\"line\", 1], [\"send\", \"421 idle\\r\\n\"]",
                                       "[\"hang\"]"};

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct harness harness;
        struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
        struct relay_job job;
        char json[2048];

        (void)snprintf(json, sizeof(json),
                       "[[" TAKEN "[\"send\", \"250 first\\r\\n\"], %s], "
                       "[" TAKEN "[\"send\", \"250 second\\r\\n\"]]]",
                       ends[i]);
        harness_open(&harness);
        set_timeouts(&harness, PATIENCE_MS);
        harness_serve(&harness, json, 0);
        assert_string_equal(harness_send(&harness, &mail)->text, "first");
        harness_stop_time(&harness);
        (void)harness_message(&harness, &mail, &job);
        harness_submit(&harness, &job);
        if (i == sizeof(ends) / sizeof(ends[0]) - 1) {
            run_until(&harness, DIALOGUE_ENVELOPE, 0);
            harness_pass(&harness, PATIENCE_MS * CLOCK_NS_PER_MS);
        }
        harness_wait(&harness, 2);
        assert_string_equal(harness.results[1].text, "second");
        assert_int_equal(harness_connections(&harness), 2);
        harness_assert_message(&harness, 1, simple, sizeof(simple) - 1);
        harness_close(&harness);
    }
}

static void test_retries_once_only(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    harness_open(&harness);
    set_timeouts(&harness, PATIENCE_MS);
    harness_serve(&harness,
                  "[[" TAKEN "[\"send\", \"250 first\\r\\n\"], [\"line\", 1]], "
                  "[" GREETED "[\"line\", 1]]]",
                  0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_BROKEN);
    assert_int_equal(harness_connections(&harness), 2);
    harness_close(&harness);
}

static void test_waits_no_longer_than_connect_timeout(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    harness_open(&harness);
    set_timeouts(&harness, 200);
    harness.customer.route.data_timeout_ns = 600 * CLOCK_NS_PER_MS;
    harness.customer.route.connections = 1;
    harness_serve(&harness, "[[" TAKEN "[\"hang\"]]]", 0);
    harness_stop_time(&harness);
    for (unsigned i = 0; i < 3; i++) {
        struct relay_job job;

        (void)harness_message(&harness, &mail, &job);
        harness_submit(&harness, &job);
    }
    run_until(&harness, DIALOGUE_ANSWER, 0);
    harness_pass(&harness, 199 * CLOCK_NS_PER_MS);
    assert_int_equal(harness.answered, 0);
    harness_pass(&harness, CLOCK_NS_PER_MS);
    assert_int_equal(harness.answered, 2);
    assert_int_equal(harness.results[0].outcome, RELAY_UNREACHABLE);
    assert_int_equal(harness.results[1].outcome, RELAY_UNREACHABLE);
    harness_pass(&harness, 400 * CLOCK_NS_PER_MS);
    assert_int_equal(harness.answered, 3);
    assert_int_equal(harness.results[2].outcome, RELAY_BROKEN);
    assert_int_equal(harness_connections(&harness), 1);
    harness_close(&harness);
}

/* Three quarters of the places for messages may wait for one server; the next is answered at once.
 */
static void test_waiting_is_bounded(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    unsigned most = HARNESS_MESSAGES - HARNESS_MESSAGES / 4;

    (void)state;
    harness_open(&harness);
    set_timeouts(&harness, 200);
    harness.customer.route.data_timeout_ns = 600 * CLOCK_NS_PER_MS;
    harness.customer.route.connections = 1;
    harness_serve(&harness, "[[" TAKEN "[\"hang\"]]]", 0);
    for (unsigned i = 0; i < most + 2; i++) {
        struct relay_job job;

        (void)harness_message(&harness, &mail, &job);
        harness_submit(&harness, &job);
    }
    assert_int_equal(harness.answered, 1);
    assert_int_equal(harness.results[0].outcome, RELAY_UNREACHABLE);
    assert_int_equal(harness.results[0].code, 451);
    assert_non_null(strstr(harness.results[0].text, "too many messages"));
    harness_wait(&harness, most + 2);
    harness_close(&harness);
}

/* A message that is taken away while it is being sent is never ended as if it were whole. */
static void test_withdrawn_message_is_not_ended(void **state)
{
    size_t length = 4 * 1024 * 1024;
    char *body = malloc(length);
    struct harness harness;
    struct harness_mail mail = {.body = body, .length = length};
    struct message *message;
    struct relay_job job;
    size_t unused;

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < length; i++)
        body[i] = (char)(i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : 'a');
    place(body + length - 3, "a\r\n");
    if (body[length - 4] == '\r')
        body[length - 4] = 'a';
    harness_open(&harness);
    harness_serve(&harness,
                  "[[" ASKED "[\"read\", 10000], [\"line\", 1], [\"line\", 100000], [\"data\"], "
                  "[\"send\", \"250 taken\\r\\n\"]]]",
                  0);
    message = harness_message(&harness, &mail, &job);
    harness_submit(&harness, &job);
    while (harness.answered == 0 && (harness.relay->routes->dialogues == NULL ||
                                     harness.relay->routes->dialogues->state != DIALOGUE_BODY))
        (void)event_base_loop(harness.loop.base, EVLOOP_ONCE);
    message_give(&harness.store, message);
    harness_wait(&harness, 1);
    assert_int_equal(harness.results[0].outcome, RELAY_REFUSED);
    harness_run(&harness, 50);
    assert_null(harness_file(&harness, "message.0", &unused));
    harness_close(&harness);
    free(body);
}

static void test_abort_answers_nothing(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;

    (void)state;
    harness_open(&harness);
    harness.customer.route.connections = 1;
    harness_serve(&harness, "[[" TAKEN "[\"hang\"]]]", 0);
    for (unsigned i = 0; i < 2; i++) {
        (void)harness_message(&harness, &mail, &job);
        harness_submit(&harness, &job);
    }
    harness_run(&harness, 100);
    assert_int_equal(relay_in_flight(harness.relay), 2);
    relay_abort(harness.relay, &harness.owner, loop_now_ns(&harness.loop));
    assert_int_equal(relay_in_flight(harness.relay), 0);
    harness_run(&harness, 50);
    assert_int_equal(harness.answered, 0);
    harness_close(&harness);
}

/* As many routes as customers: made, kept over a reload, renamed, in no more than a moment each. */
static void test_many_customers(void **state)
{
    enum { COUNT = 50000 };
    struct config_customer *customers = calloc(COUNT, sizeof(*customers));
    struct harness harness;
    unsigned routes = 0;

    (void)state;
    assert_non_null(customers);
    harness_open(&harness);
    for (unsigned i = 0; i < COUNT; i++) {
        customers[i] = harness.customer;
        (void)snprintf(customers[i].name, sizeof(customers[i].name), "customer%u", i);
    }
    config_unindex(&harness.config);
    harness.config.customers = customers;
    harness.config.customer_count = COUNT;
    assert_int_equal(config_index(&harness.config), STATUS_OK);
    assert_int_equal(relay_create(&harness.relay, &harness.loop, NULL, &harness.config, 10),
                     STATUS_OK);
    assert_int_equal(relay_reload(harness.relay, &harness.config, loop_now_ns(&harness.loop)),
                     STATUS_OK);
    for (const struct route *r = harness.relay->routes; r != NULL; r = r->next)
        routes++;
    assert_int_equal(routes, COUNT);
    assert_true(harness.relay->by_customer.probe_max < 64);
    /* One goes, another comes. */
    config_unindex(&harness.config);
    (void)snprintf(customers[7].name, sizeof(customers[7].name), "seven");
    assert_int_equal(config_index(&harness.config), STATUS_OK);
    assert_int_equal(relay_reload(harness.relay, &harness.config, loop_now_ns(&harness.loop)),
                     STATUS_OK);
    assert_string_equal(harness.relay->routes->customer, "seven");
    routes = 0;
    for (const struct route *r = harness.relay->routes; r != NULL; r = r->next) {
        assert_string_not_equal(r->customer, "customer7");
        routes++;
    }
    assert_int_equal(routes, COUNT);
    harness_close(&harness);
    free(customers);
}

static void test_drain_and_reload(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;

    (void)state;
    harness_open(&harness);
    harness_serve(&harness, "[[" TAKEN "[\"send\", \"250 taken\\r\\n\"], [\"hang\"]]]", 0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    /* Nothing changed: connection and counts stay. */
    assert_int_equal(relay_reload(harness.relay, &harness.config, loop_now_ns(&harness.loop)),
                     STATUS_OK);
    assert_int_equal(harness.relay->routes->counts.delivered, 1);
    assert_int_equal(harness.relay->routes->connection_count, 1);
    /* Changed while under way: what is under way ends, the old route goes. */
    (void)harness_message(&harness, &mail, &job);
    harness_submit(&harness, &job);
    harness.customer.route.connections = 2;
    assert_int_equal(relay_reload(harness.relay, &harness.config, loop_now_ns(&harness.loop)),
                     STATUS_OK);
    assert_non_null(harness.relay->retired);
    assert_int_equal(harness.relay->routes->connection_count, 0);
    assert_int_equal(relay_in_flight(harness.relay), 1);
    relay_drain(harness.relay, loop_now_ns(&harness.loop));
    harness_wait(&harness, 1);
    assert_int_equal(harness_send(&harness, &mail)->code, 421);
    assert_int_equal(harness.results[1].outcome, RELAY_REFUSED);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_at_each_stage),
        cmocka_unit_test(test_hangs_at_each_stage),
        cmocka_unit_test(test_refused_at_the_door),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_out_of_turn),
        cmocka_unit_test(test_about_us),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_dead_idle_connection_costs_nothing),
        cmocka_unit_test(test_retries_once_only),
        cmocka_unit_test(test_waits_no_longer_than_connect_timeout),
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_withdrawn_message_is_not_ended),
        cmocka_unit_test(test_abort_answers_nothing),
        cmocka_unit_test(test_many_customers),
        cmocka_unit_test(test_drain_and_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The relay against servers that refuse, break off, hang and lie. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/rig.h"

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

static void set_timeouts(struct rig *rig, int64_t ms)
{
    struct config_route *route = &rig->customer.route;

    route->connect_timeout_ns = ms * CLOCK_NS_PER_MS;
    route->command_timeout_ns = ms * CLOCK_NS_PER_MS;
    route->data_timeout_ns = ms * CLOCK_NS_PER_MS;
}

static void assert_outcome(const char *json, enum relay_outcome outcome, unsigned code,
                           const char *text)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    const struct relay_result *result;

    rig_open(&rig);
    set_timeouts(&rig, PATIENCE_MS);
    rig_serve(&rig, json, 0);
    result = rig_send(&rig, &mail);
    if (strstr(result->text, text) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", json, text, result->text);
    assert_int_equal(result->outcome, outcome);
    assert_int_equal(result->code, code);
    assert_int_equal(relay_in_flight(rig.relay), 0);
    rig_close(&rig);
}

/* Until the dialogue is there, with so many answers to MAIL and RCPTs. */
static void run_until(struct rig *rig, enum dialogue_state state, unsigned answered)
{
    const struct dialogue *dialogue = NULL;

    for (unsigned i = 0; i < PATIENCE_MS; i++) {
        dialogue = rig->relay->routes->dialogues;
        if (dialogue != NULL && dialogue->state == state &&
            (state != DIALOGUE_ENVELOPE || dialogue->envelope.answered == answered))
            return;
        rig_run(rig, 1);
    }
    fail_msg("the dialogue never came to state %d", (int)state);
}

/* The server says nothing more from there on; the time it has is the test's. */
static void assert_hangs(const char *json, enum dialogue_state state, unsigned answered,
                         enum relay_outcome outcome, const char *text)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;

    rig_open(&rig);
    set_timeouts(&rig, 300);
    rig_serve(&rig, json, 0);
    rig_stop_time(&rig);
    (void)rig_message(&rig, &mail, &job);
    rig_submit(&rig, &job);
    run_until(&rig, state, answered);
    rig_pass(&rig, 299 * CLOCK_NS_PER_MS);
    assert_int_equal(rig.answered, 0);
    rig_pass(&rig, CLOCK_NS_PER_MS);
    assert_int_equal(rig.answered, 1);
    assert_int_equal(rig.results[0].outcome, outcome);
    assert_int_equal(rig.results[0].code, 451);
    assert_non_null(strstr(rig.results[0].text, text));
    rig_close(&rig);
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
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    rig_open(&rig);
    rig_serve(&rig, "[[]]", 0);
    rig_stop_server(&rig);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_UNREACHABLE);
    assert_non_null(strstr(rig.results[0].text, "refused"));
    rig_close(&rig);
}

/* The pool's connection died while it idled: nobody notices. */
static void test_dead_idle_connection_costs_nothing(void **state)
{
    static const char *const ends[] = {"[\"line\", 1]", "[\"line\", 1], [\"reset\"]",
                                       "[\"line\", 1], [\"send\", \"421 idle\\r\\n\"]",
                                       "[\"hang\"]"};

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct rig rig;
        struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
        struct relay_job job;
        char json[2048];

        (void)snprintf(json, sizeof(json),
                       "[[" TAKEN "[\"send\", \"250 first\\r\\n\"], %s], "
                       "[" TAKEN "[\"send\", \"250 second\\r\\n\"]]]",
                       ends[i]);
        rig_open(&rig);
        set_timeouts(&rig, PATIENCE_MS);
        rig_serve(&rig, json, 0);
        assert_string_equal(rig_send(&rig, &mail)->text, "first");
        rig_stop_time(&rig);
        (void)rig_message(&rig, &mail, &job);
        rig_submit(&rig, &job);
        if (i == sizeof(ends) / sizeof(ends[0]) - 1) {
            run_until(&rig, DIALOGUE_ENVELOPE, 0);
            rig_pass(&rig, PATIENCE_MS * CLOCK_NS_PER_MS);
        }
        rig_wait(&rig, 2);
        assert_string_equal(rig.results[1].text, "second");
        assert_int_equal(rig_connections(&rig), 2);
        rig_assert_message(&rig, 1, simple, sizeof(simple) - 1);
        rig_close(&rig);
    }
}

static void test_retries_once_only(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    rig_open(&rig);
    set_timeouts(&rig, PATIENCE_MS);
    rig_serve(&rig,
              "[[" TAKEN "[\"send\", \"250 first\\r\\n\"], [\"line\", 1]], "
              "[" GREETED "[\"line\", 1]]]",
              0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_BROKEN);
    assert_int_equal(rig_connections(&rig), 2);
    rig_close(&rig);
}

static void test_waits_no_longer_than_connect_timeout(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    rig_open(&rig);
    set_timeouts(&rig, 200);
    rig.customer.route.data_timeout_ns = 600 * CLOCK_NS_PER_MS;
    rig.customer.route.connections = 1;
    rig_serve(&rig, "[[" TAKEN "[\"hang\"]]]", 0);
    rig_stop_time(&rig);
    for (unsigned i = 0; i < 3; i++) {
        struct relay_job job;

        (void)rig_message(&rig, &mail, &job);
        rig_submit(&rig, &job);
    }
    run_until(&rig, DIALOGUE_ANSWER, 0);
    rig_pass(&rig, 199 * CLOCK_NS_PER_MS);
    assert_int_equal(rig.answered, 0);
    rig_pass(&rig, CLOCK_NS_PER_MS);
    assert_int_equal(rig.answered, 2);
    assert_int_equal(rig.results[0].outcome, RELAY_UNREACHABLE);
    assert_int_equal(rig.results[1].outcome, RELAY_UNREACHABLE);
    rig_pass(&rig, 400 * CLOCK_NS_PER_MS);
    assert_int_equal(rig.answered, 3);
    assert_int_equal(rig.results[2].outcome, RELAY_BROKEN);
    assert_int_equal(rig_connections(&rig), 1);
    rig_close(&rig);
}

/* Three quarters of the places for messages may wait for one server; the next is answered at once.
 */
static void test_waiting_is_bounded(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    unsigned most = RIG_MESSAGES - RIG_MESSAGES / 4;

    (void)state;
    rig_open(&rig);
    set_timeouts(&rig, 200);
    rig.customer.route.data_timeout_ns = 600 * CLOCK_NS_PER_MS;
    rig.customer.route.connections = 1;
    rig_serve(&rig, "[[" TAKEN "[\"hang\"]]]", 0);
    for (unsigned i = 0; i < most + 2; i++) {
        struct relay_job job;

        (void)rig_message(&rig, &mail, &job);
        rig_submit(&rig, &job);
    }
    assert_int_equal(rig.answered, 1);
    assert_int_equal(rig.results[0].outcome, RELAY_UNREACHABLE);
    assert_int_equal(rig.results[0].code, 451);
    assert_non_null(strstr(rig.results[0].text, "too many messages"));
    rig_wait(&rig, most + 2);
    rig_close(&rig);
}

/* A message that is taken away while it is being sent is never ended as if it were whole. */
static void test_withdrawn_message_is_not_ended(void **state)
{
    size_t length = 4 * 1024 * 1024;
    char *body = malloc(length);
    struct rig rig;
    struct rig_mail mail = {.body = body, .length = length};
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
    rig_open(&rig);
    rig_serve(&rig,
              "[[" ASKED "[\"read\", 10000], [\"line\", 1], [\"line\", 100000], [\"data\"], "
              "[\"send\", \"250 taken\\r\\n\"]]]",
              0);
    message = rig_message(&rig, &mail, &job);
    rig_submit(&rig, &job);
    while (rig.answered == 0 && (rig.relay->routes->dialogues == NULL ||
                                 rig.relay->routes->dialogues->state != DIALOGUE_BODY))
        (void)event_base_loop(rig.loop.base, EVLOOP_ONCE);
    message_give(&rig.store, message);
    rig_wait(&rig, 1);
    assert_int_equal(rig.results[0].outcome, RELAY_REFUSED);
    rig_run(&rig, 50);
    assert_null(rig_file(&rig, "message.0", &unused));
    rig_close(&rig);
    free(body);
}

static void test_abort_answers_nothing(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;

    (void)state;
    rig_open(&rig);
    rig.customer.route.connections = 1;
    rig_serve(&rig, "[[" TAKEN "[\"hang\"]]]", 0);
    for (unsigned i = 0; i < 2; i++) {
        (void)rig_message(&rig, &mail, &job);
        rig_submit(&rig, &job);
    }
    rig_run(&rig, 100);
    assert_int_equal(relay_in_flight(rig.relay), 2);
    relay_abort(rig.relay, &rig.owner, loop_now_ns(&rig.loop));
    assert_int_equal(relay_in_flight(rig.relay), 0);
    rig_run(&rig, 50);
    assert_int_equal(rig.answered, 0);
    rig_close(&rig);
}

/* As many routes as customers: made, kept over a reload, renamed, in no more than a moment each. */
static void test_many_customers(void **state)
{
    enum { COUNT = 50000 };
    struct config_customer *customers = calloc(COUNT, sizeof(*customers));
    struct rig rig;
    unsigned routes = 0;

    (void)state;
    assert_non_null(customers);
    rig_open(&rig);
    for (unsigned i = 0; i < COUNT; i++) {
        customers[i] = rig.customer;
        (void)snprintf(customers[i].name, sizeof(customers[i].name), "customer%u", i);
    }
    config_unindex(&rig.config);
    rig.config.customers = customers;
    rig.config.customer_count = COUNT;
    assert_int_equal(config_index(&rig.config), STATUS_OK);
    assert_int_equal(relay_create(&rig.relay, &rig.loop, NULL, &rig.config, 10), STATUS_OK);
    assert_int_equal(relay_reload(rig.relay, &rig.config, loop_now_ns(&rig.loop)), STATUS_OK);
    for (const struct route *r = rig.relay->routes; r != NULL; r = r->next)
        routes++;
    assert_int_equal(routes, COUNT);
    assert_true(rig.relay->by_customer.probe_max < 64);
    /* One goes, another comes. */
    config_unindex(&rig.config);
    (void)snprintf(customers[7].name, sizeof(customers[7].name), "seven");
    assert_int_equal(config_index(&rig.config), STATUS_OK);
    assert_int_equal(relay_reload(rig.relay, &rig.config, loop_now_ns(&rig.loop)), STATUS_OK);
    assert_string_equal(rig.relay->routes->customer, "seven");
    routes = 0;
    for (const struct route *r = rig.relay->routes; r != NULL; r = r->next) {
        assert_string_not_equal(r->customer, "customer7");
        routes++;
    }
    assert_int_equal(routes, COUNT);
    rig_close(&rig);
    free(customers);
}

static void test_drain_and_reload(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct relay_job job;

    (void)state;
    rig_open(&rig);
    rig_serve(&rig, "[[" TAKEN "[\"send\", \"250 taken\\r\\n\"], [\"hang\"]]]", 0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    /* Nothing changed: connection and counts stay. */
    assert_int_equal(relay_reload(rig.relay, &rig.config, loop_now_ns(&rig.loop)), STATUS_OK);
    assert_int_equal(rig.relay->routes->counts.delivered, 1);
    assert_int_equal(rig.relay->routes->connection_count, 1);
    /* Changed while under way: what is under way ends, the old route goes. */
    (void)rig_message(&rig, &mail, &job);
    rig_submit(&rig, &job);
    rig.customer.route.connections = 2;
    assert_int_equal(relay_reload(rig.relay, &rig.config, loop_now_ns(&rig.loop)), STATUS_OK);
    assert_non_null(rig.relay->retired);
    assert_int_equal(rig.relay->routes->connection_count, 0);
    assert_int_equal(relay_in_flight(rig.relay), 1);
    relay_drain(rig.relay, loop_now_ns(&rig.loop));
    rig_wait(&rig, 1);
    assert_int_equal(rig_send(&rig, &mail)->code, 421);
    assert_int_equal(rig.results[1].outcome, RELAY_REFUSED);
    rig_close(&rig);
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

/* The relay against a real SMTP server (aiosmtpd): what arrives, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/harness.h"

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

/* Nothing here is about time: a busy machine may take what it needs. */
static void open_patiently(struct harness *harness)
{
    struct config_route *route = &harness->customer.route;

    harness_open(harness);
    route->connect_timeout_ns = 18 * CLOCK_NS_PER_SECOND;
    route->command_timeout_ns = 18 * CLOCK_NS_PER_SECOND;
    route->data_timeout_ns = 18 * CLOCK_NS_PER_SECOND;
}

/* Everything a body may hold that a relay could spoil. */
static char *nasty_body(size_t length)
{
    static const char head[] = "Subject: dots\r\n\r\n.\r\n..\r\n.leading\r\n...three\r\n\r\n.\r\n";
    char *body = malloc(length);
    unsigned state = 12345;

    assert_non_null(body);
    for (size_t i = 0; i < length; i++) {
        state = state * 1103515245 + 12345;
        body[i] = (char)(state >> 16);
        if (body[i] == '\r' || body[i] == '\n')
            body[i] = '.';
        if (state >> 26 == 1 && i + 3 < length) {
            body[i] = '\r';
            body[++i] = '\n';
            body[++i] = '.';
        }
    }
    memcpy(body, head, sizeof(head) - 1);
    body[sizeof(head) - 1] = 'x';
    body[length - 3] = 'x';
    body[length - 2] = '\r';
    body[length - 1] = '\n';
    return body;
}

static void assert_delivers(const char *json, size_t length, size_t piece)
{
    struct harness harness;
    char *body = nasty_body(length);
    struct harness_mail mail = {
        .body = body, .length = length, .piece = piece, .flags = MESSAGE_FLAG_8BITMIME};
    const struct relay_result *result;
    char expected[64];

    open_patiently(&harness);
    harness_serve(&harness, json, 0);
    result = harness_send(&harness, &mail);
    assert_string_equal(result->text, "2.0.0 Ok: queued as 4711");
    assert_int_equal(result->outcome, RELAY_ANSWERED);
    assert_int_equal(result->code, 250);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1[127.0.0.1]:%u", harness.port);
    assert_string_equal(result->relay, expected);
    harness_assert_message(&harness, 0, body, length);
    harness_close(&harness);
    free(body);
}

static void test_body_is_byte_identical(void **state)
{
    (void)state;
    assert_delivers("{}", 300, 0);
    assert_delivers("{\"offers\": [\"PIPELINING\"]}", 300, 1);
    assert_delivers("{\"offers\": [\"PIPELINING\"]}", 1024 * 1024, 0);
    assert_delivers("{\"without\": [\"8BITMIME\", \"SIZE\"]}", 200000, 1461);
}

static void test_large_body_by_reference(void **state)
{
    size_t length = 8 * 1024 * 1024;
    char *body = malloc(length);
    struct harness harness;
    struct harness_mail mail = {.body = body, .length = length};

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < length; i++)
        body[i] = (char)(i % 977 == 975 ? '\r' : i % 977 == 976 ? '\n' : 'a' + i % 23);
    body[length - 2] = '\r';
    body[length - 1] = '\n';
    open_patiently(&harness);
    harness_serve(&harness, "{}", 0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    harness_assert_message(&harness, 0, body, length);
    harness_close(&harness);
    free(body);
}

static void test_envelope_and_options(void **state)
{
    static const char *const recipients[] = {"a@acme.example", "b@acme.example", "c@acme.example"};
    struct harness harness;
    struct harness_mail mail = {.sender = "",
                                .recipients = recipients,
                                .recipient_count = 3,
                                .body = simple,
                                .length = sizeof(simple) - 1,
                                .flags = MESSAGE_FLAG_8BITMIME};
    char expected[512];
    size_t length;
    char *envelope;

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness, "{\"offers\": [\"PIPELINING\"]}", 0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    envelope = harness_file(&harness, "message.0.json", &length);
    (void)snprintf(expected, sizeof(expected),
                   "{\"from\": \"<>\", \"to\": [\"a@acme.example\", \"b@acme.example\", "
                   "\"c@acme.example\"], \"options\": [\"SIZE=%zu\", \"BODY=8BITMIME\"], "
                   "\"helo\": \"mx.example\"}",
                   strlen(HARNESS_TRACE HARNESS_FIELDS) + sizeof(simple) - 1);
    assert_string_equal(envelope, expected);
    free(envelope);
    harness_close(&harness);
}

static void test_unscanned_is_told(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple,
                                .length = sizeof(simple) - 1,
                                .verdict = "unscannable(encrypted)",
                                .job_verdict = VERDICT_UNSCANNABLE};
    size_t length;
    char *bytes;

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness, "{}", 0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    bytes = harness_file(&harness, "message.0", &length);
    assert_non_null(strstr(bytes, "\r\nX-Virus-Status: Unscanned (encrypted)\r\nSubject:"));
    free(bytes);
    /* A verdict that does not fit its job is not relayed. */
    mail.job_verdict = VERDICT_CLEAN;
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_REFUSED);
    mail.job_verdict = VERDICT_INFECTED;
    mail.verdict = "infected(X)";
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_REFUSED);
    assert_int_equal(harness_connections(&harness), 1);
    harness_close(&harness);
}

static void assert_refusal(const char *json, unsigned code, const char *text)
{
    static const char *const recipients[] = {"a@acme.example", "b@acme.example", "c@acme.example",
                                             "d@acme.example"};
    struct harness harness;
    struct harness_mail mail = {.recipients = recipients,
                                .recipient_count = 4,
                                .body = simple,
                                .length = sizeof(simple) - 1};
    const struct relay_result *result;

    open_patiently(&harness);
    harness_serve(&harness, json, 0);
    for (unsigned i = 0; i < 2; i++) {
        result = harness_send(&harness, &mail);
        assert_int_equal(result->outcome, RELAY_ANSWERED);
        assert_int_equal(result->code, code);
        assert_string_equal(result->text, text);
        harness_run(&harness, 50); /* RSET is answered */
    }
    /* The refusal left the connection clean. */
    assert_int_equal(harness_connections(&harness), 1);
    harness_close(&harness);
}

static void test_refusals(void **state)
{
    (void)state;
    for (unsigned pipelining = 0; pipelining < 2; pipelining++) {
        static const struct {
            const char *setting;
            unsigned code;
            const char *text;
        } cases[] = {
            {"\"mail\": \"450 4.7.1 Later\"", 450, "4.7.1 Later"},
            {"\"mail\": \"550 5.7.1 Not from you\"", 550, "5.7.1 Not from you"},
            {"\"rcpt\": {\"b@acme.example\": \"450 4.2.1 Busy\"}", 450,
             "4.2.1 <b@acme.example>: Busy"},
            {"\"rcpt\": {\"b@acme.example\": \"450 4.2.1 Busy\", "
             "\"c@acme.example\": \"550 5.1.1 Unknown\", \"d@acme.example\": \"551 No\"}",
             550, "5.1.1 <c@acme.example>: Unknown"},
            {"\"rcpt\": {\"a@acme.example\": \"550 Nobody\"}", 550, "<a@acme.example>: Nobody"},
            {"\"data\": \"451 4.3.0 Not now\"", 451, "4.3.0 Not now"},
            {"\"data\": \"554 5.3.0 Never\"", 554, "5.3.0 Never"},
            {"\"final\": \"452 4.3.1 Disk full\"", 452, "4.3.1 Disk full"},
            {"\"final\": \"554-5.7.1 Spam\\r\\n554 5.7.1 Go away\"", 554,
             "5.7.1 Spam\n5.7.1 Go away"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            char json[512];

            (void)snprintf(json, sizeof(json), "{\"offers\": [%s], %s}",
                           pipelining ? "\"PIPELINING\"" : "", cases[i].setting);
            assert_refusal(json, cases[i].code, cases[i].text);
        }
    }
}

static void test_refused_recipient_delivers_nothing(void **state)
{
    static const char *const recipients[] = {"good@acme.example", "bad@acme.example"};
    struct harness harness;
    struct harness_mail mail = {.recipients = recipients,
                                .recipient_count = 2,
                                .body = simple,
                                .length = sizeof(simple) - 1};
    size_t length;

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness,
                  "{\"offers\": [\"PIPELINING\"], \"rcpt\": {\"bad@acme.example\": \"550 No\"}}",
                  0);
    assert_int_equal(harness_send(&harness, &mail)->code, 550);
    assert_null(harness_file(&harness, "message.0", &length));
    harness_run(&harness, 50);
    /* The next one over the same connection goes to the good one alone. */
    mail.recipient_count = 1;
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    assert_int_equal(harness_connections(&harness), 1);
    harness_close(&harness);
}

static void test_many_recipients(void **state)
{
    enum { COUNT = 500 };
    static char names[COUNT][64];
    const char *recipients[COUNT];
    struct harness harness;
    struct harness_mail mail = {.recipients = recipients,
                                .recipient_count = COUNT,
                                .body = simple,
                                .length = sizeof(simple) - 1};
    size_t length;
    char *envelope;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "somebody-with-a-name-%u@acme.example", i);
        recipients[i] = names[i];
    }
    open_patiently(&harness);
    harness_serve(&harness, "{\"offers\": [\"PIPELINING\"]}", 0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    envelope = harness_file(&harness, "message.0.json", &length);
    for (unsigned i = 0; i < COUNT; i++)
        assert_non_null(strstr(envelope, names[i]));
    free(envelope);
    harness_close(&harness);
}

static void test_connections_are_reused(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness, "{}", 0);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(harness_send(&harness, &mail)->code, 250);
    assert_int_equal(harness_connections(&harness), 1);
    assert_true(harness.results[0].connect_us > 0);
    assert_int_equal(harness.results[1].connect_us, 0);
    for (unsigned i = 20; i < 101; i++)
        assert_int_equal(harness_send(&harness, &mail)->code, 250);
    assert_int_equal(harness_connections(&harness), 2);
    harness_assert_message(&harness, 100, simple, sizeof(simple) - 1);
    harness_close(&harness);
}

static void test_many_at_once_stay_within_connections(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness, "{}", 0);
    for (unsigned i = 0; i < 50; i++) {
        struct relay_job job;

        (void)harness_message(&harness, &mail, &job);
        harness_submit(&harness, &job);
    }
    assert_int_equal(relay_in_flight(harness.relay), 50);
    harness_wait(&harness, 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(harness.results[i].code, 250);
    assert_int_equal(relay_in_flight(harness.relay), 0);
    assert_int_equal(harness_connections(&harness), 4);
    harness_close(&harness);
}

static void test_server_restart(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    const struct relay_result *result;

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness, "{}", 0);
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    harness_stop_server(&harness);
    result = harness_send(&harness, &mail);
    assert_int_equal(result->outcome, RELAY_UNREACHABLE);
    assert_int_equal(result->code, 451);
    assert_int_equal(strncmp(result->text, "4.4.1 ", 6), 0);
    assert_true(route_down(harness.relay->routes));
    harness_serve(&harness, "{}", harness.port);
    for (unsigned i = 0; i < 400 && route_down(harness.relay->routes); i++)
        harness_run(&harness, 50); /* until it is looked for again */
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    assert_false(route_down(harness.relay->routes));
    assert_int_equal(harness.relay->routes->counts.delivered, 2);
    assert_int_equal(harness.relay->routes->counts.unreachable, 1);
    harness_close(&harness);
}

static void test_unknown_customer_and_stale_message(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.customer = "nobody", .body = simple, .length = sizeof(simple) - 1};
    struct message *message;
    struct relay_job job;

    (void)state;
    open_patiently(&harness);
    harness_serve(&harness, "{}", 0);
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_REFUSED);
    assert_int_equal(harness.results[0].code, 451);
    mail.customer = NULL;
    message = harness_message(&harness, &mail, &job);
    message_give(&harness.store, message);
    harness_submit(&harness, &job);
    harness_wait(&harness, 2);
    assert_int_equal(harness.results[1].outcome, RELAY_REFUSED);
    /* An address that would end its own command. */
    mail.sender = "a@b>\r\nRSET\r\nMAIL FROM:<c@d";
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_REFUSED);
    /* A message that a lax server would see the end of too early. */
    mail.sender = NULL;
    mail.body = "Subject: x\r\n\r\nx\n.\nMAIL FROM:<a@b>\r\n";
    mail.length = strlen(mail.body);
    assert_int_equal(harness_send(&harness, &mail)->outcome, RELAY_REFUSED);
    harness_run(&harness, 20);
    {
        size_t length;

        assert_null(harness_file(&harness, "message.0", &length));
    }
    harness_close(&harness);
}

static void test_name_is_resolved(void **state)
{
    struct harness harness;
    struct harness_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    char expected[64];

    (void)state;
    open_patiently(&harness);
    assert_int_equal(resolver_open(&harness.resolver, &harness.loop, RESOLVER_CONFIGURATION),
                     STATUS_OK);
    (void)snprintf(harness.servers[0].host, sizeof(harness.servers[0].host), "localhost");
    harness_serve(&harness, "{}", 0);
    /* ::1 is refused, 127.0.0.1 is tried next (or first). */
    assert_int_equal(harness_send(&harness, &mail)->code, 250);
    (void)snprintf(expected, sizeof(expected), "localhost[127.0.0.1]:%u", harness.port);
    assert_string_equal(harness.results[0].relay, expected);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_is_byte_identical),
        cmocka_unit_test(test_large_body_by_reference),
        cmocka_unit_test(test_envelope_and_options),
        cmocka_unit_test(test_unscanned_is_told),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_recipient_delivers_nothing),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_connections_are_reused),
        cmocka_unit_test(test_many_at_once_stay_within_connections),
        cmocka_unit_test(test_server_restart),
        cmocka_unit_test(test_unknown_customer_and_stale_message),
        cmocka_unit_test(test_name_is_resolved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

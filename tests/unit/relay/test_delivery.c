/* The relay against a real SMTP server (aiosmtpd): what arrives, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/rig.h"

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

/* Nothing here is about time: a busy machine may take what it needs. */
static void open_patiently(struct rig *rig)
{
    struct config_route *route = &rig->customer.route;

    rig_open(rig);
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
    struct rig rig;
    char *body = nasty_body(length);
    struct rig_mail mail = {
        .body = body, .length = length, .piece = piece, .flags = MESSAGE_FLAG_8BITMIME};
    const struct relay_result *result;
    char expected[64];

    open_patiently(&rig);
    rig_serve(&rig, json, 0);
    result = rig_send(&rig, &mail);
    assert_string_equal(result->text, "2.0.0 Ok: queued as 4711");
    assert_int_equal(result->outcome, RELAY_ANSWERED);
    assert_int_equal(result->code, 250);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1[127.0.0.1]:%u", rig.port);
    assert_string_equal(result->relay, expected);
    rig_assert_message(&rig, 0, body, length);
    rig_close(&rig);
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
    struct rig rig;
    struct rig_mail mail = {.body = body, .length = length};

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < length; i++)
        body[i] = (char)(i % 977 == 975 ? '\r' : i % 977 == 976 ? '\n' : 'a' + i % 23);
    body[length - 2] = '\r';
    body[length - 1] = '\n';
    open_patiently(&rig);
    rig_serve(&rig, "{}", 0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    rig_assert_message(&rig, 0, body, length);
    rig_close(&rig);
    free(body);
}

static void test_envelope_and_options(void **state)
{
    static const char *const recipients[] = {"a@acme.example", "b@acme.example", "c@acme.example"};
    struct rig rig;
    struct rig_mail mail = {.sender = "",
                            .recipients = recipients,
                            .recipient_count = 3,
                            .body = simple,
                            .length = sizeof(simple) - 1,
                            .flags = MESSAGE_FLAG_8BITMIME};
    char expected[512];
    size_t length;
    char *envelope;

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{\"offers\": [\"PIPELINING\"]}", 0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    envelope = rig_file(&rig, "message.0.json", &length);
    (void)snprintf(expected, sizeof(expected),
                   "{\"from\": \"<>\", \"to\": [\"a@acme.example\", \"b@acme.example\", "
                   "\"c@acme.example\"], \"options\": [\"SIZE=%zu\", \"BODY=8BITMIME\"], "
                   "\"helo\": \"mx.example\"}",
                   strlen(RIG_TRACE RIG_FIELDS) + sizeof(simple) - 1);
    assert_string_equal(envelope, expected);
    free(envelope);
    rig_close(&rig);
}

static void test_unscanned_is_told(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple,
                            .length = sizeof(simple) - 1,
                            .verdict = "unscannable(encrypted)",
                            .job_verdict = VERDICT_UNSCANNABLE};
    size_t length;
    char *bytes;

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{}", 0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    bytes = rig_file(&rig, "message.0", &length);
    assert_non_null(strstr(bytes, "\r\nX-Virus-Status: Unscanned (encrypted)\r\nSubject:"));
    free(bytes);
    /* A verdict that does not fit its job is not relayed. */
    mail.job_verdict = VERDICT_CLEAN;
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_REFUSED);
    mail.job_verdict = VERDICT_INFECTED;
    mail.verdict = "infected(X)";
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_REFUSED);
    assert_int_equal(rig_connections(&rig), 1);
    rig_close(&rig);
}

static void assert_refusal(const char *json, unsigned code, const char *text)
{
    static const char *const recipients[] = {"a@acme.example", "b@acme.example", "c@acme.example",
                                             "d@acme.example"};
    struct rig rig;
    struct rig_mail mail = {.recipients = recipients,
                            .recipient_count = 4,
                            .body = simple,
                            .length = sizeof(simple) - 1};
    const struct relay_result *result;

    open_patiently(&rig);
    rig_serve(&rig, json, 0);
    for (unsigned i = 0; i < 2; i++) {
        result = rig_send(&rig, &mail);
        assert_int_equal(result->outcome, RELAY_ANSWERED);
        assert_int_equal(result->code, code);
        assert_string_equal(result->text, text);
        rig_run(&rig, 50); /* RSET is answered */
    }
    /* The refusal left the connection clean. */
    assert_int_equal(rig_connections(&rig), 1);
    rig_close(&rig);
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
    struct rig rig;
    struct rig_mail mail = {.recipients = recipients,
                            .recipient_count = 2,
                            .body = simple,
                            .length = sizeof(simple) - 1};
    size_t length;

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{\"offers\": [\"PIPELINING\"], \"rcpt\": {\"bad@acme.example\": \"550 No\"}}",
              0);
    assert_int_equal(rig_send(&rig, &mail)->code, 550);
    assert_null(rig_file(&rig, "message.0", &length));
    rig_run(&rig, 50);
    /* The next one over the same connection goes to the good one alone. */
    mail.recipient_count = 1;
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    assert_int_equal(rig_connections(&rig), 1);
    rig_close(&rig);
}

static void test_many_recipients(void **state)
{
    enum { COUNT = 500 };
    static char names[COUNT][64];
    const char *recipients[COUNT];
    struct rig rig;
    struct rig_mail mail = {.recipients = recipients,
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
    open_patiently(&rig);
    rig_serve(&rig, "{\"offers\": [\"PIPELINING\"]}", 0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    envelope = rig_file(&rig, "message.0.json", &length);
    for (unsigned i = 0; i < COUNT; i++)
        assert_non_null(strstr(envelope, names[i]));
    free(envelope);
    rig_close(&rig);
}

static void test_connections_are_reused(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{}", 0);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(rig_send(&rig, &mail)->code, 250);
    assert_int_equal(rig_connections(&rig), 1);
    assert_true(rig.results[0].connect_us > 0);
    assert_int_equal(rig.results[1].connect_us, 0);
    for (unsigned i = 20; i < 101; i++)
        assert_int_equal(rig_send(&rig, &mail)->code, 250);
    assert_int_equal(rig_connections(&rig), 2);
    rig_assert_message(&rig, 100, simple, sizeof(simple) - 1);
    rig_close(&rig);
}

static void test_many_at_once_stay_within_connections(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{}", 0);
    for (unsigned i = 0; i < 50; i++) {
        struct relay_job job;

        (void)rig_message(&rig, &mail, &job);
        rig_submit(&rig, &job);
    }
    assert_int_equal(relay_in_flight(rig.relay), 50);
    rig_wait(&rig, 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(rig.results[i].code, 250);
    assert_int_equal(relay_in_flight(rig.relay), 0);
    assert_int_equal(rig_connections(&rig), 4);
    rig_close(&rig);
}

static void test_server_restart(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    const struct relay_result *result;

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{}", 0);
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    rig_stop_server(&rig);
    result = rig_send(&rig, &mail);
    assert_int_equal(result->outcome, RELAY_UNREACHABLE);
    assert_int_equal(result->code, 451);
    assert_int_equal(strncmp(result->text, "4.4.1 ", 6), 0);
    assert_true(route_down(rig.relay->routes));
    rig_serve(&rig, "{}", rig.port);
    for (unsigned i = 0; i < 400 && route_down(rig.relay->routes); i++)
        rig_run(&rig, 50); /* until it is looked for again */
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    assert_false(route_down(rig.relay->routes));
    assert_int_equal(rig.relay->routes->counts.delivered, 2);
    assert_int_equal(rig.relay->routes->counts.unreachable, 1);
    rig_close(&rig);
}

static void test_unknown_customer_and_stale_message(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.customer = "nobody", .body = simple, .length = sizeof(simple) - 1};
    struct message *message;
    struct relay_job job;

    (void)state;
    open_patiently(&rig);
    rig_serve(&rig, "{}", 0);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_REFUSED);
    assert_int_equal(rig.results[0].code, 451);
    mail.customer = NULL;
    message = rig_message(&rig, &mail, &job);
    message_give(&rig.store, message);
    rig_submit(&rig, &job);
    rig_wait(&rig, 2);
    assert_int_equal(rig.results[1].outcome, RELAY_REFUSED);
    /* An address that would end its own command. */
    mail.sender = "a@b>\r\nRSET\r\nMAIL FROM:<c@d";
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_REFUSED);
    /* A message that a lax server would see the end of too early. */
    mail.sender = NULL;
    mail.body = "Subject: x\r\n\r\nx\n.\nMAIL FROM:<a@b>\r\n";
    mail.length = strlen(mail.body);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_REFUSED);
    rig_run(&rig, 20);
    {
        size_t length;

        assert_null(rig_file(&rig, "message.0", &length));
    }
    rig_close(&rig);
}

static void test_name_is_resolved(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    char expected[64];

    (void)state;
    open_patiently(&rig);
    assert_int_equal(resolver_open(&rig.resolver, &rig.loop, RESOLVER_CONFIGURATION), STATUS_OK);
    (void)snprintf(rig.servers[0].host, sizeof(rig.servers[0].host), "localhost");
    rig_serve(&rig, "{}", 0);
    /* ::1 is refused, 127.0.0.1 is tried next (or first). */
    assert_int_equal(rig_send(&rig, &mail)->code, 250);
    (void)snprintf(expected, sizeof(expected), "localhost[127.0.0.1]:%u", rig.port);
    assert_string_equal(rig.results[0].relay, expected);
    rig_close(&rig);
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

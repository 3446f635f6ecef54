/* What stands in the log: each recipient of a message, once; mail's lines whatever is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/handover/appliance.h"

#define RECIPIENTS 1000u

static struct ring *mail_log(struct appliance *appliance)
{
    return &appliance->workers[0].log_consumer.mail;
}

/* The nth, of `bytes` bytes. */
static const char *recipient(unsigned number, size_t bytes)
{
    static const char domain[] = "@deliver.example";
    static char address[257];

    (void)snprintf(address, sizeof(address), "%u", number);
    memset(address + strlen(address), 'x', bytes - strlen(address));
    memcpy(address + bytes - strlen(domain), domain, sizeof(domain));
    return address;
}

static struct tcp_connection *named(struct appliance *appliance, unsigned count, size_t bytes)
{
    struct tcp_connection *sender = sender_open(&appliance->workers[0].endpoint);
    char command[300];

    appliance->config.limits.recipients = RECIPIENTS;
    sender_say(sender, "MAIL FROM:<a@b.example>\r\n");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(command, sizeof(command), "RCPT TO:<%s>\r\n", recipient(i, bytes));
        sender_say(sender, command);
        assert_non_null(strstr(sender_heard(sender), "250 2.1.5 "));
    }
    return sender;
}

/* One line of the message, and behind it the recipients that it does not name. */
static void expect_recipients(struct appliance *appliance, unsigned count, size_t bytes,
                              const char *status)
{
    struct log_record first;
    struct log_record record;
    unsigned seen = 1;

    assert_int_equal(ring_pop(mail_log(appliance), &first), STATUS_OK);
    assert_int_equal(first.kind, LOG_MESSAGE);
    assert_int_equal(first.recipients, count);
    assert_string_equal(first.to, recipient(0, bytes));
    assert_non_null(strstr(first.status, status));
    while (ring_pop(mail_log(appliance), &record) == STATUS_OK) {
        const char *at = record.more;

        assert_int_equal(record.kind, LOG_RECIPIENTS);
        assert_string_equal(record.id, first.id);
        assert_int_equal(record.outcome, first.outcome);
        assert_int_equal(record.wall_ns, first.wall_ns);
        assert_string_equal(record.status, first.status);
        assert_true(record.recipients > 0);
        for (unsigned i = 0; i < record.recipients; i++, at += strlen(at) + 1) {
            assert_true(at + strlen(at) < record.more + sizeof(record.more));
            assert_string_equal(at, recipient(seen++, bytes));
        }
    }
    assert_int_equal(seen, count);
    assert_int_equal(appliance_count(appliance, COUNTER_LOG_LOST), 0);
    appliance->workers[0].concluded++;
}

static void test_all_recipients(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 6, 7, 50, RECIPIENTS};
    static const size_t lengths[] = {20, 80};
    struct appliance *appliance = *state;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
            struct tcp_connection *sender = named(appliance, counts[i], lengths[j]);

            sender_say(sender, "RSET\r\n");
            expect_recipients(appliance, counts[i], lengths[j], "250 2.0.0 Ok");
            sender_close(sender);
        }
    }
}

/* A message that nobody could scan: said of each recipient. */
static void test_status_for_each(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = named(appliance, 3, 30);

    sender_say(sender, "DATA\r\nA: b\r\n\r\nc\r\n.\r\n");
    appliance_advance(appliance, 2 * VERDICT_LIMIT_NS);
    (void)sender_heard(sender);
    expect_recipients(appliance, 3, 30, "Cannot scan now: no engine");
}

/* Refusals past the room for them; then mail. */
static void test_mail_beside_refusals(void **state)
{
    struct appliance *appliance = *state;
    const struct smtp_service *service = &appliance->workers[0].smtp.service;
    struct tcp_connection *sender;
    struct log_record record;
    unsigned refusals = 0;

    for (unsigned i = 0; i < 3 * LOG_REJECT_RECORDS; i++)
        service->rejected(service->context, "RCPT", "192.0.2.1", "h", "", "x@y.example",
                          "550 5.1.1 no", 1);
    assert_int_equal(appliance_count(appliance, COUNTER_LOG_REJECTS_LOST), 2 * LOG_REJECT_RECORDS);
    for (unsigned i = 0; i < LOG_MAIL_RECORDS; i++) {
        sender = named(appliance, 1, 20);
        sender_close(sender);
    }
    assert_int_equal(appliance_count(appliance, COUNTER_LOG_LOST), 0);
    for (unsigned i = 0; i < LOG_MAIL_RECORDS; i++) {
        assert_int_equal(ring_pop(mail_log(appliance), &record), STATUS_OK);
        assert_int_equal(record.kind, LOG_MESSAGE);
        appliance->workers[0].concluded++;
    }
    while (ring_pop(&appliance->workers[0].log_consumer.rejects, &record) == STATUS_OK)
        refusals++;
    assert_int_equal(refusals, LOG_REJECT_RECORDS);
}

/* Nor do endless lists of recipients take the room of other messages' lines. */
static void test_mail_beside_recipients(void **state)
{
    struct appliance *appliance = *state;
    struct log_record record = {.kind = LOG_RECIPIENTS};
    struct log_rings *rings = &appliance->workers[0].log_producer;
    unsigned pushed = 0;

    while (log_rings_push(rings, &record) == STATUS_OK)
        pushed++;
    assert_int_equal(pushed, LOG_MAIL_RECORDS / 2);
    record.kind = LOG_MESSAGE;
    while (log_rings_push(rings, &record) == STATUS_OK)
        pushed++;
    assert_int_equal(pushed, LOG_MAIL_RECORDS);
    while (ring_pop(mail_log(appliance), &record) == STATUS_OK)
        pushed--;
    assert_int_equal(pushed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, appliance_set_up, appliance_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_recipients),
        TEST(test_status_for_each),
        TEST(test_mail_beside_refusals),
        TEST(test_mail_beside_recipients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The two log formats: exact text, and whatever a peer sends staying inside its field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/log/format.h"
#include "dataplane/smtp/session.h"

#define WALL_NS INT64_C(1795277223123456789) /* 2026-11-21 16:07:03 UTC */

#define SET(array, text) snprintf((array), sizeof(array), "%s", (text))

static struct log_record message_record(void)
{
    return (struct log_record){
        .wall_ns = WALL_NS,
        .kind = LOG_MESSAGE,
        .size = 45012,
        .recipients = 1,
        .outcome = MAIL_DELIVERED,
        .verdict = VERDICT_CLEAN,
        .scan_attempts = 1,
        .delay_envelope_us = 50000,
        .delay_data_us = 300000,
        .delay_scan_us = 20000,
        .delay_relay_us = 50000,
        .id = "4ABC123",
        .decided_by = "scanner",
        .client = "192.0.2.1",
        .helo = "mail.example.org",
        .from = "a@x.example",
        .to = "b@y.example",
        .relay = "10.0.0.5[10.0.0.5]:25",
        .engine = "ClamAV 1.4.6/27813",
        .status = "250 2.0.0 Ok: queued as 9F",
    };
}

static struct log_record reject_record(void)
{
    return (struct log_record){
        .wall_ns = WALL_NS,
        .kind = LOG_REJECT,
        .worker = 3,
        .command = "RCPT",
        .client = "192.0.2.1",
        .helo = "h",
        .from = "",
        .to = "x@other.example",
        .status = "554 5.7.1 Relay access denied",
    };
}

static void expect_text(const struct log_record *record, const char *expected)
{
    char line[LOG_LINE_BYTES];
    size_t length = log_format(record, "mx1.example.net", CONFIG_LOG_TEXT, line, sizeof(line));

    assert_string_equal(line, expected);
    assert_int_equal(length, strlen(expected));
}

static json_t *parse(const struct log_record *record)
{
    char line[LOG_LINE_BYTES];
    size_t length = log_format(record, "mx1.example.net", CONFIG_LOG_JSON, line, sizeof(line));
    json_t *object;

    assert_int_equal(line[length - 1], '\n');
    assert_ptr_equal(memchr(line, '\n', length), line + length - 1);
    object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    assert_true(json_is_object(object));
    return object;
}

static void expect_member(const json_t *object, const char *key, const char *expected)
{
    const char *value = json_string_value(json_object_get(object, key));

    assert_non_null(value);
    assert_string_equal(value, expected);
}

static void test_delivered(void **state)
{
    struct log_record record = message_record();

    (void)state;
    expect_text(&record,
                "Nov 21 16:07:03 mx1 postern/smtpd[worker0]: 4ABC123: client=192.0.2.1, "
                "helo=<mail.example.org>, from=<a@x.example>, to=<b@y.example>, nrcpt=1, "
                "size=45012, tls=-, delay=0.42, delays=0.05/0.30/0.02/0.05, verdict=clean, sig=-, "
                "decided_by=scanner, relay=10.0.0.5[10.0.0.5]:25, dsn=2.0.0, status=sent "
                "(250 2.0.0 Ok: queued as 9F)\n");
}

static void test_infected(void **state)
{
    struct log_record record = message_record();

    (void)state;
    record.outcome = MAIL_INFECTED;
    record.verdict = VERDICT_INFECTED;
    memset(record.relay, 0, sizeof(record.relay));
    record.delay_relay_us = 0;
    SET(record.name, "Win.Test.EICAR_HDB-1");
    SET(record.status, "554 5.7.1 [4ABC123] Message rejected: virus found "
                       "(Win.Test.EICAR_HDB-1)");
    expect_text(&record,
                "Nov 21 16:07:03 mx1 postern/smtpd[worker0]: 4ABC123: client=192.0.2.1, "
                "helo=<mail.example.org>, from=<a@x.example>, to=<b@y.example>, nrcpt=1, "
                "size=45012, tls=-, delay=0.37, delays=0.05/0.30/0.02/0.00, verdict=infected, "
                "sig=Win.Test.EICAR_HDB-1, decided_by=scanner, relay=-, dsn=5.7.1, "
                "status=rejected (554 5.7.1 [4ABC123] Message rejected: virus found "
                "(Win.Test.EICAR_HDB-1))\n");
}

static void test_unscannable(void **state)
{
    struct log_record record = message_record();

    (void)state;
    record.outcome = MAIL_UNSCANNABLE;
    record.verdict = VERDICT_UNSCANNABLE;
    memset(record.relay, 0, sizeof(record.relay));
    SET(record.name, "time limit");
    SET(record.status, "451 4.7.1 Cannot scan now");
    expect_text(&record,
                "Nov 21 16:07:03 mx1 postern/smtpd[worker0]: 4ABC123: client=192.0.2.1, "
                "helo=<mail.example.org>, from=<a@x.example>, to=<b@y.example>, nrcpt=1, "
                "size=45012, tls=-, delay=0.42, delays=0.05/0.30/0.02/0.05, "
                "verdict=unscannable(time limit), sig=-, decided_by=scanner, relay=-, dsn=4.7.1, "
                "status=deferred (451 4.7.1 Cannot scan now)\n");
}

/* Where there were readings, the line says how many, which one showed it, and why. */
static void test_readings(void **state)
{
    struct log_record record = message_record();
    json_t *object;

    (void)state;
    record.readings = 45;
    record.reading = 7;
    SET(record.sent_on, "type: CL_TYPE_ZIP");
    SET(record.doubt, "MIME field twice");
    expect_text(&record,
                "Nov 21 16:07:03 mx1 postern/smtpd[worker0]: 4ABC123: client=192.0.2.1, "
                "helo=<mail.example.org>, from=<a@x.example>, to=<b@y.example>, nrcpt=1, "
                "size=45012, tls=-, delay=0.42, delays=0.05/0.30/0.02/0.05, verdict=clean, sig=-, "
                "decided_by=scanner, sent_on=<type: CL_TYPE_ZIP>, readings=45, reading=7, "
                "doubt=<MIME field twice>, relay=10.0.0.5[10.0.0.5]:25, dsn=2.0.0, status=sent "
                "(250 2.0.0 Ok: queued as 9F)\n");
    object = parse(&record);
    assert_int_equal(json_integer_value(json_object_get(object, "readings")), 45);
    assert_int_equal(json_integer_value(json_object_get(object, "reading")), 7);
    assert_string_equal(json_string_value(json_object_get(object, "doubt")), "MIME field twice");
    json_decref(object);
}

static void test_reject(void **state)
{
    struct log_record record = reject_record();

    (void)state;
    expect_text(&record, "Nov 21 16:07:03 mx1 postern/smtpd[worker3]: NOQUEUE: reject: RCPT from "
                         "[192.0.2.1]: 554 5.7.1 Relay access denied; from=<> "
                         "to=<x@other.example> helo=<h>\n");
}

/* Of several recipients the others: the same id and end as their message's line. */
static struct log_record recipients_record(void)
{
    struct log_record record = message_record();

    record.kind = LOG_RECIPIENTS;
    record.recipients = 3;
    memset(record.more, 0, sizeof(record.more));
    memcpy(record.more, "c@y.example\0d@y.example\0\"e>, to=<f\"@y.example",
           sizeof("c@y.example\0d@y.example\0\"e>, to=<f\"@y.example"));
    return record;
}

static void test_recipients(void **state)
{
    static const char *const others[] = {"c@y.example", "d@y.example", "\"e>, to=<f\"@y.example"};
    struct log_record record = recipients_record();
    json_t *object;
    const json_t *to;

    (void)state;
    expect_text(&record, "Nov 21 16:07:03 mx1 postern/smtpd[worker0]: 4ABC123: to=<c@y.example>, "
                         "to=<d@y.example>, to=<\"e\\x3e, to=\\x3cf\"@y.example>, dsn=2.0.0, "
                         "status=sent (250 2.0.0 Ok: queued as 9F)\n");
    object = parse(&record);
    expect_member(object, "event", "recipients");
    expect_member(object, "id", "4ABC123");
    expect_member(object, "status", "sent");
    expect_member(object, "dsn", "2.0.0");
    expect_member(object, "reply", "250 2.0.0 Ok: queued as 9F");
    to = json_object_get(object, "to");
    assert_int_equal(json_array_size(to), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_array_get(to, i)), others[i]);
    assert_int_equal(json_object_size(object), 10);
    json_decref(object);
}

static void test_reply_of_several_lines(void **state)
{
    struct log_record record = reject_record();

    (void)state;
    SET(record.status, "550-5.1.1 no\n550 5.1.1 such\r user");
    expect_text(&record, "Nov 21 16:07:03 mx1 postern/smtpd[worker3]: NOQUEUE: reject: RCPT from "
                         "[192.0.2.1]: 550-5.1.1 no 550 5.1.1 such\\x0d user; from=<> "
                         "to=<x@other.example> helo=<h>\n");
}

static void test_json_message(void **state)
{
    struct log_record record = message_record();
    json_t *object = parse(&record);

    (void)state;
    expect_member(object, "ts", "2026-11-21T16:07:03.123456Z");
    expect_member(object, "event", "message");
    expect_member(object, "host", "mx1.example.net");
    expect_member(object, "id", "4ABC123");
    expect_member(object, "client", "192.0.2.1");
    expect_member(object, "helo", "mail.example.org");
    expect_member(object, "from", "a@x.example");
    expect_member(object, "to", "b@y.example");
    expect_member(object, "verdict", "clean");
    expect_member(object, "decided_by", "scanner");
    expect_member(object, "engine", "ClamAV 1.4.6/27813");
    expect_member(object, "relay", "10.0.0.5[10.0.0.5]:25");
    expect_member(object, "dsn", "2.0.0");
    expect_member(object, "status", "sent");
    expect_member(object, "reply", "250 2.0.0 Ok: queued as 9F");
    assert_int_equal(json_integer_value(json_object_get(object, "code")), 250);
    assert_int_equal(json_integer_value(json_object_get(object, "nrcpt")), 1);
    assert_int_equal(json_integer_value(json_object_get(object, "size")), 45012);
    assert_true(json_is_null(json_object_get(object, "sig")));
    assert_true(json_is_null(json_object_get(object, "reason")));
    assert_true(json_real_value(json_object_get(object, "delay")) > 0.4199 &&
                json_real_value(json_object_get(object, "delay")) < 0.4201);
    json_decref(object);
}

static void test_json_verdicts(void **state)
{
    struct log_record record = message_record();
    json_t *object;

    (void)state;
    SET(record.name, "Eicar");
    record.verdict = VERDICT_INFECTED;
    record.outcome = MAIL_INFECTED;
    object = parse(&record);
    expect_member(object, "verdict", "infected");
    expect_member(object, "sig", "Eicar");
    json_decref(object);
    record.verdict = VERDICT_UNSCANNABLE;
    object = parse(&record);
    expect_member(object, "verdict", "unscannable");
    expect_member(object, "reason", "Eicar");
    assert_true(json_is_null(json_object_get(object, "sig")));
    json_decref(object);
    record.verdict = 0;
    object = parse(&record);
    assert_true(json_is_null(json_object_get(object, "verdict")));
    json_decref(object);
}

static void test_json_reject(void **state)
{
    struct log_record record = reject_record();
    json_t *object = parse(&record);

    (void)state;
    expect_member(object, "event", "reject");
    expect_member(object, "command", "RCPT");
    expect_member(object, "from", "");
    expect_member(object, "dsn", "5.7.1");
    assert_int_equal(json_integer_value(json_object_get(object, "code")), 554);
    assert_null(json_object_get(object, "id"));
    json_decref(object);
}

/* What a sender would write to forge a line, a field, or to upset a terminal. */
static void test_forged_line(void **state)
{
    struct log_record record = reject_record();
    json_t *object;

    (void)state;
    SET(record.helo, "h>\nNov 21 mx1 postern: x\r\x1b[2J\x7f");
    SET(record.from, "\"a>, verdict=clean\"@x");
    SET(record.to, "back\\slash\xe9\t<b");
    expect_text(&record, "Nov 21 16:07:03 mx1 postern/smtpd[worker3]: NOQUEUE: reject: RCPT from "
                         "[192.0.2.1]: 554 5.7.1 Relay access denied; "
                         "from=<\"a\\x3e, verdict=clean\"@x> to=<back\\x5cslash\\xe9\\x09\\x3cb> "
                         "helo=<h\\x3e\\x0aNov 21 mx1 postern: x\\x0d\\x1b[2J\\x7f>\n");
    object = parse(&record);
    expect_member(object, "helo", record.helo);
    expect_member(object, "from", record.from);
    expect_member(object, "to", "back\\slash\xc3\xa9\t<b");
    json_decref(object);
}

static void test_forged_word(void **state)
{
    struct log_record record = message_record();
    char line[LOG_LINE_BYTES];

    (void)state;
    record.verdict = VERDICT_INFECTED;
    SET(record.name, "A, verdict=clean (x)");
    log_format(&record, "mx1", CONFIG_LOG_TEXT, line, sizeof(line));
    assert_non_null(strstr(line, ", sig=A\\x2c\\x20verdict\\x3dclean\\x20\\x28x\\x29, "));
    record.verdict = VERDICT_UNSCANNABLE;
    SET(record.name, "a), sig=b");
    log_format(&record, "mx1", CONFIG_LOG_TEXT, line, sizeof(line));
    assert_non_null(strstr(line, "verdict=unscannable(a\\x29, sig=b), sig=-, "));
}

/* Every field full of the byte that takes most room, and no zero anywhere. */
static void test_longest_record_fits(void **state)
{
    static const char fills[] = {'\x01', '\xff', '"', '\\', '<', 'a', '2'};
    char line[LOG_LINE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(fills); i++) {
        struct log_record record;
        char host[CONFIG_NAME_BYTES];
        json_t *object;

        memset(host, fills[i], sizeof(host));
        host[sizeof(host) - 1] = '\0';
        memset(&record, fills[i], sizeof(record));
        record.wall_ns = WALL_NS;
        record.verdict = VERDICT_INFECTED;
        record.kind = LOG_MESSAGE;
        object = parse(&record);
        assert_int_equal(json_string_length(json_object_get(object, "helo")),
                         sizeof(record.helo) * (fills[i] == '\xff' ? 2 : 1));
        json_decref(object);
        for (unsigned format = 0; format < 2; format++) {
            size_t length =
                log_format(&record, host, (enum config_log_format)format, line, sizeof(line));

            assert_true(length < sizeof(line) - 2);
            assert_int_equal(strlen(line), length);
            for (size_t at = 0; at + 1 < length; at++)
                assert_true(line[at] >= 0x20 && line[at] < 0x7f);
        }
    }
}

/* Many short ones have the most around them. */
static void test_most_recipients_fit(void **state)
{
    struct log_record record = {.wall_ns = WALL_NS, .kind = LOG_RECIPIENTS};
    char line[LOG_LINE_BYTES];
    json_t *object;

    (void)state;
    for (size_t i = 0; i < sizeof(record.more); i += 2)
        record.more[i] = '\x01';
    record.recipients = sizeof(record.more) / 2;
    memset(record.status, '\x01', sizeof(record.status));
    assert_true(log_format(&record, "mx1", CONFIG_LOG_TEXT, line, sizeof(line)) < sizeof(line) - 2);
    object = parse(&record);
    assert_int_equal(json_array_size(json_object_get(object, "to")), record.recipients);
    json_decref(object);
}

static void test_cut_line_still_ends(void **state)
{
    struct log_record record = message_record();
    char line[LOG_LINE_BYTES];

    (void)state;
    for (size_t size = 2; size < 400; size++) {
        for (unsigned format = 0; format < 2; format++) {
            size_t length;

            memset(line, '#', sizeof(line));
            length = log_format(&record, "mx1", (enum config_log_format)format, line, size);
            assert_true(length >= 1 && length < size);
            assert_int_equal(line[length - 1], '\n');
            assert_int_equal(line[length], '\0');
            assert_int_equal(line[size], '#');
        }
    }
}

/* Replies without an enhanced code, or no reply at all. */
static void test_dsn_is_made_up_from_the_class(void **state)
{
    static const struct {
        const char *reply;
        const char *dsn;
    } cases[] = {
        {"250 Ok", "2.0.0"},
        {"452 4.3.1 full", "4.3.1"},
        {"554", "5.0.0"},
        {"", "-"},
        {"hello", "-"},
        {"550 4.1.1 odd", "5.0.0"},
        {"550-5.1.1 two", "5.1.1"},
        {"550 5.1.1x", "5.0.0"},
        {"250 2.0.", "2.0.0"},
        {"99", "-"},
        {"999 9.9.9 x", "-"},
        {"250 2.6.0", "2.6.0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct log_record record = message_record();
        json_t *object;

        memset(record.status, 0, sizeof(record.status));
        SET(record.status, cases[i].reply);
        object = parse(&record);
        expect_member(object, "dsn", cases[i].dsn);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_infected),
        cmocka_unit_test(test_unscannable),
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_reject),
        cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_reply_of_several_lines),
        cmocka_unit_test(test_json_message),
        cmocka_unit_test(test_json_verdicts),
        cmocka_unit_test(test_json_reject),
        cmocka_unit_test(test_forged_line),
        cmocka_unit_test(test_forged_word),
        cmocka_unit_test(test_longest_record_fits),
        cmocka_unit_test(test_most_recipients_fit),
        cmocka_unit_test(test_cut_line_still_ends),
        cmocka_unit_test(test_dsn_is_made_up_from_the_class),
    };

    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/offline/report.h"

static struct report clean_report(const char *path)
{
    return (struct report){.path = path,
                           .kind = MAIL_FILE_MESSAGE,
                           .size = 1234,
                           .verdict = VERDICT_CLEAN,
                           .scanned = true,
                           .scan_ns = 12345678,
                           .cpu_ns = 9876543,
                           .engine = "ClamAV 1.4.6/27813"};
}

static void expect_text(const struct report *report, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(to);
    report_text(report, to);
    fclose(to);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_json(const struct report *report, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    json_t *object;

    assert_non_null(to);
    assert_int_equal(report_json(report, to), STATUS_OK);
    fclose(to);
    assert_ptr_equal(strchr(text, '\n'), text + size - 1);
    object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    json_decref(object);
    assert_string_equal(text, expected);
    free(text);
}

static void test_clean(void **state)
{
    struct report report = clean_report("a/b.eml");

    (void)state;
    expect_text(&report, "a/b.eml: clean decided_by=scanner time=12.3ms cpu=9.9ms\n");
    expect_json(&report, "{\"path\":\"a/b.eml\",\"type\":\"message\",\"size\":1234,\"verdict\":"
                         "\"clean\",\"decided_by\":\"scanner\",\"sent_on_because\":\"no "
                         "prefilter\",\"scan_ms\":12.346,\"cpu_ms\":9.877,\"engine\":\"ClamAV "
                         "1.4.6/27813\"}\n");
}

static void test_infected(void **state)
{
    struct report report = clean_report("x");

    (void)state;
    report.kind = MAIL_FILE_OTHER;
    report.verdict = VERDICT_INFECTED;
    snprintf(report.name, sizeof(report.name), "Eicar \"1\"");
    expect_text(&report, "x: infected(Eicar \"1\") decided_by=scanner time=12.3ms cpu=9.9ms\n");
    expect_json(&report,
                "{\"path\":\"x\",\"type\":\"file\",\"size\":1234,\"verdict\":\"infected\",\"name\":"
                "\"Eicar \\\"1\\\"\",\"decided_by\":\"scanner\",\"sent_on_because\":\"not "
                "a mail\",\"scan_ms\":12.346,\"cpu_ms\":9.877,\"engine\":\"ClamAV "
                "1.4.6/27813\"}\n");
}

static void test_readings(void **state)
{
    struct report report = clean_report("x");

    (void)state;
    report.readings = 45;
    report.reading = 7;
    snprintf(report.doubt, sizeof(report.doubt), "MIME field twice");
    expect_text(&report, "x: clean decided_by=scanner time=12.3ms cpu=9.9ms readings=45 reading=7 "
                         "doubt=<MIME field twice>\n");
    expect_json(&report, "{\"path\":\"x\",\"type\":\"message\",\"size\":1234,\"verdict\":"
                         "\"clean\",\"decided_by\":\"scanner\",\"sent_on_because\":\"no "
                         "prefilter\",\"scan_ms\":12.346,\"cpu_ms\":9.877,\"readings\":45,"
                         "\"reading\":7,\"doubt\":\"MIME field twice\",\"engine\":\"ClamAV "
                         "1.4.6/27813\"}\n");
}

static void test_unscannable(void **state)
{
    struct report report = clean_report("x");

    (void)state;
    report.verdict = VERDICT_UNSCANNABLE;
    report.reason = UNSCANNABLE_TIME;
    expect_text(&report, "x: unscannable(time limit) decided_by=scanner time=12.3ms cpu=9.9ms\n");
    report.scanned = false;
    report.reason = UNSCANNABLE_LIMIT;
    snprintf(report.name, sizeof(report.name), "words");
    expect_text(&report, "x: unscannable(limit exceeded) decided_by=none\n");
    expect_json(&report, "{\"path\":\"x\",\"type\":\"message\",\"size\":1234,\"verdict\":"
                         "\"unscannable\",\"reason\":\"limit exceeded\",\"detail\":\"words\","
                         "\"decided_by\":\"none\"}\n");
}

static void test_path_of_any_bytes(void **state)
{
    struct report report = clean_report("a\nb: clean\t\\\x1b[2J\xc3\xa9\xff\xc2\x85\xe2\x82");

    (void)state;
    report.scanned = false;
    expect_text(&report, "a\\x0ab: clean\\x09\\x5c\\x1b[2J\xc3\xa9\\xff\\xc2\\x85\\xe2\\x82: clean "
                         "decided_by=none\n");
    expect_json(&report, "{\"path\":\"a\\nb: clean\\t\\\\\\u001B[2J\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
                         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"path_hex\":\"610a623a20636c6561"
                         "6e095c1b5b324ac3a9ffc285e282\",\"type\":\"message\",\"size\":1234,"
                         "\"verdict\":\"clean\",\"decided_by\":\"none\"}\n");
}

static void test_sequences_that_are_no_utf8(void **state)
{
    /* Overlong, surrogate, beyond the last code point, cut. */
    static const char *const bad[] = {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80", "\xf0\x9f\x98"};
    struct report report = clean_report("\xf0\x9f\x98\x80");

    (void)state;
    report.scanned = false;
    expect_text(&report, "\xf0\x9f\x98\x80: clean decided_by=none\n");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char expected[64] = "";

        for (const char *at = bad[i]; *at != '\0'; at++)
            snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "\\x%02x",
                     (unsigned char)*at);
        snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
                 ": clean decided_by=none\n");
        report.path = bad[i];
        expect_text(&report, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_infected),
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_unscannable),
        cmocka_unit_test(test_path_of_any_bytes),
        cmocka_unit_test(test_sequences_that_are_no_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is among the readings of a mail, and where they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/readings/rig.h"

#define RECEIVED "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\n"
#define HELLO64  "aGVsbG8gd29ybGQ=" /* "hello world" */
#define ENCODED  "Content-Transfer-Encoding: base64\n"

static void shows(const char *mail)
{
    if (!rig_shows(mail, "hello world", 11))
        fail_msg("not shown: %s", mail);
}

static void test_header_ends(void **state)
{
    (void)state;
    shows(RECEIVED "\nhello world\n");
    shows("hello world");                                      /* no header at all */
    shows(RECEIVED " \t\nhello world\n");                      /* a white line */
    shows(RECEIVED "hello world\n");                           /* a line that is no field */
    shows(RECEIVED "not a field\n" ENCODED "\n" HELLO64 "\n"); /* ... passed over */
    shows(RECEIVED "not a field\n" HELLO64 "\n\n" ENCODED "\n" HELLO64 "\n");
    shows(RECEIVED " \n" ENCODED "\n" HELLO64 "\n");
    shows("\n\n" ENCODED "\n" HELLO64 "\n");        /* empty lines first */
    shows(RECEIVED "\n" ENCODED "\n" HELLO64 "\n"); /* a header behind the header */
}

static void test_encodings(void **state)
{
    static const char *const fields[] = {
        "Content-Transfer-Encoding: base64\n",
        "CONTENT-TRANSFER-ENCODING:BASE64\n",
        "Content-Transfer-Encoding : base64\n",
        "Content-Transfer-Encoding:\n base64\n",
        "Content-Transfer-Encoding: \"base64\"\n",
        "Content-Transfer-Encoding: (a comment) base64\n",
        "Content-Transfer-Encoding: base64 (a comment)\n",
        "Content-Transfer-Encoding: ba(x)se64\n",
        "Content-Transfer-Encoding: b\\ase64\n",
        "Content-Transfer-Encoding: base64; x=y\n",
        "Content-Transfer-Encoding: x-base64\n",
        "Content-Transfer-Encoding: x-unknown\n",
        "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n",
        "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 8bit\n",
        "Content-Type: text/plain;\nContent-Transfer-Encoding: base64\n",
    };
    char mail[512];

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        (void)snprintf(mail, sizeof(mail), RECEIVED "%s\n" HELLO64 "\n", fields[i]);
        shows(mail);
    }
}

static void test_boundaries(void **state)
{
    /* What the Content-Type says, what stands before the part, what behind it. */
    static const char *const cases[][3] = {
        {"multipart/mixed; boundary=b", "--b", "--b--"},
        {"multipart/mixed; boundary=\"b\"", "--b", "--b--"},
        {"multipart/mixed; boundary=\"b\\c\"", "--bc", "--bc--"},
        {"multipart/mixed; boundary=\"b c", "--b c", "--b c--"},
        {"multipart/mixed; boundary = b", "--b", "--b--"},
        {"multipart/mixed; boundary=b c", "--b", "--b--"},
        {"multipart/mixed; boundary=(x)b", "--b", "--b--"},
        {"multipart/mixed; boundary*0=b; boundary*1=c", "--bc", "--bc--"},
        {"multipart/mixed; boundary*=us-ascii'en'b%2Bc", "--b+c", "--b+c--"},
        {"multipart/mixed; boundary==?us-ascii?q?b?=", "--b", "--b--"},
        {"multipart/mixed; boundary=b; boundary=c", "--b", "--b--"},
        {"multipart/mixed; boundary=b; boundary=c", "--c", "--c--"},
        {"multipart/mixed boundary=b", "--b", "--b--"},
        {"multipart/mixed\nContent-Disposition: attachment; boundary=b", "--b", "--b--"},
        {"multipart/mixed", "--nobody named it", "--nobody named it--"},
        {"text/plain", "--b", "--b--"},
        {"multipart/mixed; boundary=b", "--b and more", "--b--"},
        {"multipart/mixed; boundary=b", " --b", " --b--"},
        {"multipart/mixed; boundary=b", "--b \t", "--b"},
        {"multipart/mixed; boundary=b", "--b", ""},
        {"multipart/mixed; boundary=b", "--b--\n--b", "--b--"},
    };
    char mail[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(mail, sizeof(mail),
                       RECEIVED "Content-Type: %s\n\npreamble\n%s\n"
                                "Content-Type: application/octet-stream\n" ENCODED "\n" HELLO64
                                "\n%s\n",
                       cases[i][0], cases[i][1], cases[i][2]);
        shows(mail);
        if (cases[i][2][0] == '\0')
            continue;
        /* As it stands, where nothing is to be decoded: its last line end is the boundary's. */
        (void)snprintf(mail, sizeof(mail),
                       RECEIVED "Content-Type: %s\n\npreamble\n%s\n"
                                "Content-Type: application/octet-stream\n\nhello world\n%s\n",
                       cases[i][0], cases[i][1], cases[i][2]);
        shows(mail);
    }
}

/* A part that holds a line which may be a boundary is a part with it, and one up to it. */
static void test_boundary_inside(void **state)
{
    static const char mail[] = RECEIVED "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
                                        "Content-Type: text/plain\n\nfirst one\n--bc\ntwo\n--b--\n";

    (void)state;
    assert_true(rig_shows(mail, "first one\n--bc\ntwo", 18));
    assert_true(rig_shows(mail, "first one", 9));
}

static void test_nested(void **state)
{
    (void)state;
    shows(RECEIVED "Content-Type: message/rfc822\n\nSubject: x\n" ENCODED "\n" HELLO64 "\n");
    shows(RECEIVED "Content-Type: message/rfc822\n\n"
                   "Content-Type: multipart/mixed; boundary=i\n\n--i\n" ENCODED "\n" HELLO64
                   "\n--i--\n");
    /* A mail that is encoded as a whole: Content-Type: text/html, base64, "hello world". */
    shows(RECEIVED "Content-Type: message/rfc822\n" ENCODED
                   "\nQ29udGVudC1UeXBlOiB0ZXh0L2h0bWwKQ29udGVudC1UcmFuc2Zlci1FbmNvZGluZzogYmFzZTY0C"
                   "gphR1ZzYkc4Z2Qy\n"
                   "OXliR1E9Cg==\n");
}

static void append(char mail[2048], const char *text)
{
    size_t used = strlen(mail);

    (void)snprintf(mail + used, 2048 - used, "%s", text);
}

/* Five messages one inside the other, the last one encoded with padded soft breaks. */
static void test_deeply_nested(void **state)
{
    char mail[2048] = RECEIVED;

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        append(mail, "Content-Type: message/rfc822\n\n");
    append(mail, "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
                 "hello= \n world\n");
    shows(mail);
}

/* A comment longer than what is read of a value. */
static void test_long_value(void **state)
{
    char mail[2048] = RECEIVED "Content-Transfer-Encoding: (";

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        append(mail, "eight bit");
    append(mail, ") base64\n\nSGVsbG8s=aGVsbG8gd29ybGQ=\n");
    shows(mail);
}

/* A header that does not end within what is looked at is not read past. */
static void test_endless_header(void **state)
{
    size_t length = 300000;
    char *mail = malloc(length);
    struct readings_limits limits = readings_limits(length);
    struct readings *readings;

    (void)state;
    assert_non_null(mail);
    for (size_t i = 0; i < length; i++)
        mail[i] = "X-F: a\r\n"[i % 8];
    assert_int_equal(readings_collect((const uint8_t *)mail, length, &limits, &readings),
                     STATUS_NO_SPACE);
    readings_free(readings);
    free(mail);
}

static void test_line_ends(void **state)
{
    static const char bare[] =
        "Received: from a by b\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        "\r\n--b\rContent-Transfer-Encoding: base64\r\r" HELLO64 "\r--b--\r\n";
    static const char nul[] = "Received: from a by b\r\nContent-Transfer-Encoding: ba\0se64\r\n"
                              "\r\naGVs\0bG8gd29ybGQ=\r\n";
    struct readings *readings = rig_collect(bare, sizeof(bare) - 1);

    (void)state;
    assert_true(rig_has(readings, "hello world", 11));
    readings_free(readings);
    readings = rig_collect(nul, sizeof(nul) - 1);
    assert_true(rig_has(readings, "hello world", 11));
    readings_free(readings);
}

static void test_names_and_types(void **state)
{
    static const char mail[] = "Content-Type: text/HTML; name=\"a.html\"\r\n"
                               "Content-Disposition: attachment; filename=b.html\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\n" HELLO64 "\r\n";
    struct readings *readings = rig_collect(mail, sizeof(mail) - 1);
    bool first = false;
    bool second = false;

    (void)state;
    for (unsigned i = 0; i < readings_count(readings); i++) {
        struct reading_part part = readings_part(readings, i);

        assert_string_equal(part.type, "text/html");
        first = first || strcmp(part.name, "a.html") == 0;
        second = second || strcmp(part.name, "b.html") == 0;
    }
    assert_true(first && second);
    readings_free(readings);
}

static void test_partial(void **state)
{
    static const char mail[] = "Content-Type: message/partial; number=1; total=2\r\n\r\nhello\r\n";
    struct readings *readings = rig_collect(mail, sizeof(mail) - 1);

    (void)state;
    assert_int_equal(readings_report(readings)->finding, UNSCANNABLE_PARTIAL);
    assert_string_equal(readings_report(readings)->kind, "partial");
    readings_free(readings);
}

/* An orderly mail comes out as its parts, and little more. */
static void test_orderly(void **state)
{
    static const char mail[] =
        RECEIVED "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
                 "Content-Type: text/plain; charset=us-ascii\n\nhello there\n--b\n"
                 "Content-Type: application/octet-stream\n" ENCODED "\n" HELLO64 "\n--b--\n";
    size_t length;
    char *crlf = rig_crlf(mail, &length);
    struct readings *readings = rig_collect(crlf, length);

    (void)state;
    assert_int_equal(readings_count(readings), 4); /* a text in three ways to end it, and a file */
    assert_int_equal(readings_report(readings)->finding, UNSCANNABLE_NONE);
    readings_free(readings);
    free(crlf);
}

/* -- bounds ------------------------------------------------------------------------------------ */

/* `count` times `piece`, behind `start`. It must end, within its bounds or at one of them. */
static enum status repeated(const char *start, const char *piece, size_t count)
{
    size_t length = strlen(start) + strlen(piece) * count;
    char *mail = malloc(length + 1);
    char *at = mail;
    struct readings_limits limits = readings_limits(length);
    struct readings *readings;
    enum status status;

    assert_non_null(mail);
    at = stpcpy(at, start);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, piece);
    status = readings_collect((const uint8_t *)mail, length, &limits, &readings);
    assert_true(readings_report(readings)->bytes <= limits.bytes + length);
    readings_free(readings);
    free(mail);
    assert_true(status == STATUS_OK || status == STATUS_NO_SPACE);
    return status;
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(repeated("Content-Type: multipart/mixed; boundary=b\n\n", "--\n", 300000),
                     STATUS_OK);
    assert_int_equal(repeated("Subject: x\n\n", "a line of text that is harmless\n", 100000),
                     STATUS_OK);
    (void)repeated("Content-Type: multipart/mixed; boundary=b\n\n", "--b\nContent-Type: a/b\n\n",
                   50000);
    (void)repeated("", "Content-Type: multipart/mixed; boundary=b\n", 20000);
    (void)repeated("Content-Type: multipart/mixed; boundary=-\n\n", "--------\nContent-A: b\n\n",
                   20000);
    (void)repeated("", "boundary=\"a", 50000);
    (void)repeated("", "begin 644 a\n", 50000);
    (void)repeated("", "Content-Type: message/rfc822\n\n", 5000);
    (void)repeated("Content-Transfer-Encoding: base64\n\n", "QQ==", 100000);
    (void)repeated("Content-Transfer-Encoding: x\n\n", "A=\n", 100000);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static void test_no_time(void **state)
{
    static const uint8_t mail[] = "Subject: x\r\n\r\nhello\r\n";
    struct readings_limits limits = readings_limits(sizeof(mail) - 1);
    struct readings *readings;

    (void)state;
    limits.go_on = never;
    assert_int_equal(readings_collect(mail, sizeof(mail) - 1, &limits, &readings),
                     STATUS_TIMED_OUT);
    readings_free(readings);
    limits = readings_limits(sizeof(mail) - 1);
    limits.parts = 1;
    assert_int_equal(readings_collect(mail, sizeof(mail) - 1, &limits, &readings), STATUS_NO_SPACE);
    assert_int_equal(readings_count(readings), 1);
    readings_free(readings);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_ends),    cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_boundaries),     cmocka_unit_test(test_boundary_inside),
        cmocka_unit_test(test_nested),         cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_deeply_nested),  cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_endless_header), cmocka_unit_test(test_names_and_types),
        cmocka_unit_test(test_partial),        cmocka_unit_test(test_orderly),
        cmocka_unit_test(test_bounds),         cmocka_unit_test(test_no_time),
    };

    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

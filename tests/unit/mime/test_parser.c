/* What the MIME parser accepts: each form, its parts to the byte, whatever the cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/mime/rig.h"

#define RECEIVED "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"

static void check(const char *message, const char *parts)
{
    struct rig_result result;

    rig_run_all(&result, message, strlen(message));
    assert_string_equal(mime_gate_text(result.gate), "none");
    assert_string_equal(result.text, parts);
    rig_free(&result);
}

static void test_plain(void **state)
{
    (void)state;
    check(RECEIVED "Subject: x\r\n\r\nhello\r\nworld\r\n",
          "0 (plain) none depth=0\nhello\r\nworld\r\n$\n");
    check(RECEIVED "\r\n", "0 (plain) none depth=0\n$\n");
    check(RECEIVED "\r\n\r\n\r\nx\r\n", "0 (plain) none depth=0\n\r\n\r\nx\r\n$\n");
    check(RECEIVED "Content-Type: Text/HTML; charset=\"utf-8\"\r\n"
                   "Content-Transfer-Encoding: Quoted-Printable \r\n\r\n-- \r\n(a)\r\n",
          "0 text/html(html) quoted-printable depth=0\n-- \r\n(a)\r\n$\n");
    check(RECEIVED "Content-Type: application/x-y;\r\n\tname=\"a b.doc\"\r\n"
                   "Content-Transfer-Encoding: base64\r\n"
                   "Content-Disposition: attachment; filename=c.doc; size=3\r\n\r\nQUJD\r\n",
          "0 application/x-y(application) base64 depth=0 attachment name=c.doc\nQUJD\r\n$\n");
}

static void test_multipart(void **state)
{
    (void)state;
    check(RECEIVED "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n"
                   "Content-Type: text/plain\r\n\r\none\r\n\r\n--b\r\n"
                   "Content-Type: multipart/alternative;\r\n boundary=\"==c=:_?\"\r\n\r\n"
                   "--==c=:_?\r\nContent-Type: text/html\r\n\r\n--==c=:_?  \r\n"
                   "Content-ID: x\r\n\r\n-\r\n--==c=:_?--\r\n\r\n--b--\r\n",
          "0 text/plain(plain) none depth=1\none\r\n$\n"
          "1 text/html(html) none depth=2\n$\n"
          "2 (plain) none depth=2\n-$\n");
}

static void test_epilogue(void **state)
{
    (void)state;
    check(RECEIVED "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                   "Content-Type: text/plain\r\n\r\none\r\n--b--\r\n\r\n \r\nmore\r\n",
          "0 text/plain(plain) none depth=1\none$\n"
          "1 (plain) none depth=1\n \r\nmore$\n");
}

static void test_related(void **state)
{
    (void)state;
    check(RECEIVED "Content-Type: multipart/related; boundary=b; type=\"text/html\"\r\n\r\n--b\r\n"
                   "Content-Type: text/html\r\n\r\none\r\n--b\r\n"
                   "Content-Type: image/png; name=\"=?utf-8?B?YS5wbmc=?=\"\r\n"
                   "Content-Disposition: inline\r\n\r\nx\r\n--b--\r\n",
          "0 text/html(html) none depth=1 related\none$\n"
          "1 image/png(image) none depth=1 name=a.png\nx$\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_epilogue),
        cmocka_unit_test(test_related),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

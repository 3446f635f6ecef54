/* What may be closed to the engine, by its first bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "signatures/content/hint/hint.h"

struct start {
    const char *bytes;
    size_t length;
};

#define START(text)            \
    {                          \
        text, sizeof(text) - 1 \
    }

static bool looks(const struct start *start)
{
    return hint_content((const uint8_t *)start->bytes, start->length);
}

static void test_closed(void **state)
{
    static const struct start starts[] = {
        START("Rar!\x1a\x07\x01\0"),
        START("7z\xbc\xaf\x27\x1c\0\4"),
        START("\x28\xb5\x2f\xfd\x04"),
        START("LZIP\x01\x0c"),
        START("\x5d\0\0\x80\0"),
        START("\x1f\x9d\x90"),
        START("\x1a\x08NAME"),
        START("\0\0\0\0\0\0\0**ACE**"),
        /* S/MIME: signed, enveloped, of indefinite length; compressed. */
        START("\x30\x82\x01\x02\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"),
        START("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80"),
        START("\x30\x80\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"),
        /* OpenPGP: a session key in both forms of lengths, compressed, literal. */
        START("\x85\x01\x0c\x03"),
        START("\xc1\xc0\x4c\x03"),
        START("\xc3\x1e\x04"),
        START("\xa3\x01"),
        START("\xcb\x08\x62"),
        START("-----BEGIN PGP MESSAGE-----\n"),
        START("-----BEGIN PKCS7-----\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (!looks(&starts[i]))
            fail_msg("start %zu", i);
    }
}

static void test_open(void **state)
{
    static const struct start starts[] = {
        START(""),
        START("\x30"),
        START("\x85"),
        START("\xc1"),
        START("Dear all,\n"),
        START("-----BEGIN PGP SIGNED MESSAGE-----\n"),
        START("-----BEGIN CERTIFICATE-----\n"),
        START("-----BEGIN "),
        START("\x30\x82\x01\x02\x02\x01\x01"),
        START("\xff\xd8\xff\xe0\0\x10JFIF"),
        START("\x89PNG\r\n\x1a\n"),
        START("GIF89a"),
        START("\x01\x02\x03\x04"),
        START("\xef\xbb\xbfText"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (looks(&starts[i]))
            fail_msg("start %zu", i);
    }
}

static void test_text(void **state)
{
    static const char text[] = "a -----BEGIN b\r\n-----BEGIN PGP MESSAGE-----\r\n";
    const size_t length = sizeof(text) - 1;

    (void)state;
    assert_true(hint_text((const uint8_t *)text, length));
    assert_false(hint_text((const uint8_t *)text, 30));
    assert_false(hint_line((const uint8_t *)text, length));
    assert_true(hint_line((const uint8_t *)text + 16, length - 16));
}

static void test_names(void **state)
{
    (void)state;
    assert_true(hint_name((const uint8_t *)"a.br", 4));
    assert_true(hint_name((const uint8_t *)"a.BR", 4));
    assert_false(hint_name((const uint8_t *)".br", 3));
    assert_false(hint_name((const uint8_t *)"a.bra", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

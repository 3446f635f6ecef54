/* Strict quoted-printable, at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "signatures/content/decode/quoted_printable.h"

/* Decodes `text` cut at `first` and `second`; the result's length, or -1 when it is refused. */
static int decode(const char *text, size_t first, size_t second, char *to)
{
    size_t cuts[] = {0, first, second, strlen(text)};
    struct qp_decoder decoder = {0};
    size_t written = 0;

    for (unsigned i = 0; i < 3; i++) {
        size_t length = cuts[i + 1] - cuts[i];
        /* In place, and no longer than it is. */
        uint8_t *piece = malloc(length + 1);
        size_t count;

        assert_non_null(piece);
        memcpy(piece, text + cuts[i], length);
        count = qp_decode(&decoder, piece, length, piece);
        assert_true(count <= length);
        memcpy(to + written, piece, count);
        written += count;
        free(piece);
    }
    to[written] = '\0';
    return qp_end(&decoder) ? (int)written : -1;
}

/* `expected` null: refused. */
static void check(const char *text, const char *expected)
{
    size_t length = strlen(text);
    char to[256];

    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            int written = decode(text, first, second, to);

            assert_int_equal(written < 0, expected == NULL);
            if (expected != NULL) {
                assert_int_equal(written, strlen(expected));
                assert_string_equal(to, expected);
            }
        }
    }
}

static void test_decodes(void **state)
{
    check("", "");
    check("plain text\r\nsecond line\r\n", "plain text\r\nsecond line\r\n");
    check("a=3Db=3d=3D\r\n", "a=b==\r\n");
    check("soft=\r\nbreak=\nand LF\n", "softbreakand LF\n");
    check("=E4=f6=FC", "\xe4\xf6\xfc");
    check("=0D=0A=01=10", "\r\n\x01\x10");
    check("trailing  \r\n", "trailing  \r\n");
    check("=\r\n=\r\n", "");
    check("x=\r\n", "x");
    (void)state;
}

static void test_refuses(void **state)
{
    static const char *const refused[] = {
        "=",       "x=4",  "=\r",  "=00",       "a=0", "=4G", "=G4", "= \r\n",
        "=\t\r\n", "==3D", "=\rx", "a=\r=\n",   "=3",  "=-1", "=x",  "line= \r\nmore",
        "=0\r\n0", "=@0",  "=0`",  "=\xff\xff",
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        check(refused[i], NULL);
    (void)state;
}

/* After a refusal nothing more comes. */
static void test_stops(void **state)
{
    struct qp_decoder decoder = {0};
    uint8_t to[64];

    assert_int_equal(qp_decode(&decoder, (const uint8_t *)"ab=zzcd", 7, to), 2);
    assert_true(decoder.refused);
    assert_int_equal(qp_decode(&decoder, (const uint8_t *)"more", 4, to), 0);
    assert_false(qp_end(&decoder));
    (void)state;
}

/* All pairs of characters after '=' against the definition. */
static void test_every_escape(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    for (unsigned high = 0; high < 256; high++) {
        for (unsigned low = 0; low < 256; low++) {
            const char hex[] = {(char)high, (char)low, '\0'};
            const uint8_t text[] = {'=', (uint8_t)high, (uint8_t)low};
            bool right = high != 0 && low != 0 && strchr(digits, (int)high) != NULL &&
                         strchr(digits, (int)low) != NULL && strcmp(hex, "00") != 0;
            struct qp_decoder decoder = {0};
            uint8_t to[4];
            size_t written = qp_decode(&decoder, text, 3, to);

            if (high == '\n' || (high == '\r' && low == '\n'))
                continue;
            assert_int_equal(qp_end(&decoder), right);
            assert_int_equal(written, right ? 1 : 0);
            if (right)
                assert_int_equal(to[0], strtoul(hex, NULL, 16));
        }
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_every_escape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

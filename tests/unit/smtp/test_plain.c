/* Runs of plain bytes: every level says what the definition says, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/smtp/plain.h"

#define LENGTH_MAX 200u

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 16) % limit;
}

static bool is_plain(uint8_t before, uint8_t here, bool lines)
{
    if (here == '\0')
        return false;
    if (before == '\r' || here == '\n')
        return before == '\r' && here == '\n';
    return before != '\n' || (here != '.' && !lines);
}

static size_t expected(const uint8_t *bytes, size_t length, bool lines)
{
    size_t at = 1;

    while (at < length && is_plain(bytes[at - 1], bytes[at], lines))
        at++;
    return at;
}

/* Text of whole lines, mostly, with now and then a byte that may be odd where it stands. */
static void fill(uint8_t *bytes, size_t length)
{
    static const uint8_t odd[] = {'\r', '\n', '.', '\0', 0x80 | '\r', 0x80 | '\n', 0x80};
    uint32_t line = 2 + random_below(90);
    uint32_t rare = 1 + random_below(400);

    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)('a' + i % 26);
        if (i % line >= line - 2)
            bytes[i] = i % line == line - 1 ? '\n' : '\r';
        if (random_below(rare) == 0)
            bytes[i] = odd[random_below(sizeof(odd))];
    }
}

/* In memory of just that length, so that a sanitizer sees what reads beyond it. */
static size_t compare(size_t length)
{
    uint8_t *bytes = malloc(length);
    size_t long_runs = 0;

    assert_non_null(bytes);
    fill(bytes, length);
    for (int lines = 0; lines <= 1; lines++) {
        size_t run = expected(bytes, length, lines != 0);

        assert_int_equal(smtp_plain(bytes, length, lines != 0), run);
        long_runs += run > 100 && run < length;
    }
    free(bytes);
    return long_runs;
}

static void test_levels(void **state)
{
    size_t long_runs = 0;

    (void)state;
    for (int level = 0; level < PLAIN_LEVELS; level++) {
        if (!smtp_plain_use((enum plain_level)level))
            continue;
        for (unsigned round = 0; round < 100; round++) {
            for (size_t length = 1; length <= LENGTH_MAX; length++)
                long_runs += compare(length);
        }
    }
    assert_true(long_runs > 1000); /* else it was never the second piece that ended one */
}

/* Each kind of odd pair at each place of an else plain run, across every border of a piece. */
static void test_places(void **state)
{
    static const char pairs[][3] = {"\ra", "a\n", "\n.", "\n\r", "\r\r", "\n\n"};

    (void)state;
    for (int level = 0; level < PLAIN_LEVELS; level++) {
        if (!smtp_plain_use((enum plain_level)level))
            continue;
        for (size_t at = 1; at < LENGTH_MAX; at++) {
            uint8_t bytes[LENGTH_MAX];

            memset(bytes, 'a', sizeof(bytes));
            bytes[at] = '\0';
            assert_int_equal(smtp_plain(bytes, sizeof(bytes), false), at);
            for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
                memset(bytes, 'a', sizeof(bytes));
                memcpy(bytes + at - 1, pairs[i], 2);
                if (at > 1 && pairs[i][0] == '\n')
                    bytes[at - 2] = '\r';
                assert_int_equal(smtp_plain(bytes, sizeof(bytes), false),
                                 expected(bytes, sizeof(bytes), false));
                assert_true(smtp_plain(bytes, sizeof(bytes), false) <= at + 1);
            }
        }
    }
}

static void test_choice(void **state)
{
    const uint8_t line[] = "one\r\ntwo\r\n";

    (void)state;
    assert_true(smtp_plain_use(PLAIN_PORTABLE));
    smtp_plain_init();
    assert_int_equal(smtp_plain(line, sizeof(line) - 1, false), sizeof(line) - 1);
    assert_int_equal(smtp_plain(line, sizeof(line) - 1, true), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

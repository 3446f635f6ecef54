/* h against its definition, on every path that the CPU offers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/content/decode/squeeze.h"

#define LENGTH_MAX 4096u

static uint32_t random_state = 1;

static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static size_t naive(const uint8_t *from, size_t length, uint8_t *to, bool *odd)
{
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        int c = from[i];

        if (c > 0x20 && c < 0x7f)
            to[written++] = (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        else if (strchr(" \t\r\n", c) == NULL || c == 0)
            *odd = true;
    }
    return written;
}

/* The input ends where its memory does, the output where its room does. */
static void compare(const uint8_t *bytes, size_t length)
{
    uint8_t *from = malloc(length + 1);
    uint8_t *to = malloc(length + SQUEEZE_SLACK);
    uint8_t *expected = malloc(length + 1);
    bool odd = false;
    bool expected_odd = false;
    size_t count;

    assert_non_null(from);
    assert_non_null(to);
    assert_non_null(expected);
    memcpy(from + 1, bytes, length);
    count = naive(bytes, length, expected, &expected_odd);
    assert_int_equal(squeeze(from + 1, length, to, &odd), count);
    assert_memory_equal(to, expected, count);
    assert_int_equal(odd, expected_odd);
    odd = true;
    (void)squeeze(from + 1, length, to, &odd);
    assert_true(odd);
    free(from);
    free(to);
    free(expected);
}

/* Every byte at every place of a block and its tail. */
static void test_every_byte(void **state)
{
    uint8_t bytes[130];

    for (int level = SIMD_NONE; level < SIMD_LEVEL_COUNT; level++) {
        if (!squeeze_use((enum simd_level)level))
            continue;
        for (unsigned byte = 0; byte < 256; byte++) {
            for (unsigned at = 0; at < sizeof(bytes); at++) {
                memset(bytes, at % 2 == 0 ? 'x' : '\n', sizeof(bytes));
                bytes[at] = (uint8_t)byte;
                compare(bytes, sizeof(bytes));
            }
        }
    }
    (void)state;
}

/* Every pattern of kept and dropped bytes in eight. */
static void test_every_mask(void **state)
{
    uint8_t bytes[64];

    for (int level = SIMD_NONE; level < SIMD_LEVEL_COUNT; level++) {
        if (!squeeze_use((enum simd_level)level))
            continue;
        for (unsigned mask = 0; mask < 65536; mask += 7) {
            for (unsigned i = 0; i < sizeof(bytes); i++)
                bytes[i] = (mask >> i % 16 & 1) != 0 ? (uint8_t)('0' + i) : ' ';
            compare(bytes, sizeof(bytes));
        }
    }
    (void)state;
}

static void test_random(void **state)
{
    static uint8_t bytes[LENGTH_MAX];

    for (int level = SIMD_NONE; level < SIMD_LEVEL_COUNT; level++) {
        if (!squeeze_use((enum simd_level)level))
            continue;
        for (unsigned round = 0; round < 3000; round++) {
            size_t length = random_number() % (round % 50 == 0 ? LENGTH_MAX : 200);
            unsigned kind = random_number() % 3;

            for (size_t i = 0; i < length; i++) {
                uint32_t number = random_number();

                bytes[i] = (uint8_t)number;
                if (kind > 0)
                    bytes[i] = (uint8_t)(' ' + number % 95);
                if (kind > 1 && number % 7 == 0)
                    bytes[i] = (uint8_t) " \t\r\n"[number / 7 % 4];
            }
            compare(bytes, length);
        }
    }
    (void)state;
}

/* Before squeeze_init() the portable path works. */
static void test_default(void **state)
{
    compare((const uint8_t *)"Hello,\r\n World\x7f", 16);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_mask),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

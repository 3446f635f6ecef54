/* Both decoders against slow ones written from the rules, at every cut, on every path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "signatures/content/decode/base64.h"

#define ALPHABET   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define LENGTH_MAX 8192u

static uint32_t random_state = 7;

static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* -1: not in the alphabet. */
static int value_of(uint8_t c)
{
    const char *at = c != 0 ? strchr(ALPHABET, c) : NULL;

    return at != NULL ? (int)(at - ALPHABET) : -1;
}

/* The whole text at once; false when it is not canonical. */
static bool naive_strict(const uint8_t *text, size_t length, uint8_t *to, size_t *written)
{
    char packed[LENGTH_MAX * 2];
    size_t count = 0;
    size_t padding = 0;

    *written = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\r' && i + 1 < length && text[i + 1] == '\n') {
            if (padding > 0 && (count + padding) % 4 != 0)
                return false;
            i++;
        } else if (text[i] == '=' && count % 4 >= 2 && (count + padding) % 4 != 0) {
            padding++;
        } else if (padding == 0 && value_of(text[i]) >= 0) {
            packed[count++] = (char)value_of(text[i]);
        } else {
            return false;
        }
    }
    for (size_t i = 0; i + 1 < count; i++) {
        unsigned pair = (unsigned)packed[i] << 6 | (unsigned)packed[i + 1];

        if (i % 4 != 3)
            to[(*written)++] = (uint8_t)(pair >> (4 - 2 * (i % 4)));
        /* What does not fill a byte any more has to be zero. */
    }
    if ((count + padding) % 4 != 0 || (count % 4 == 2 && (packed[count - 1] & 0xf) != 0) ||
        (count % 4 == 3 && (packed[count - 1] & 0x3) != 0))
        return false;
    return true;
}

static size_t naive_forced(const uint8_t *text, size_t length, uint8_t *to)
{
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t count = 0;
    size_t written = 0;
    bool skipping = false;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            skipping = false;
        else if (text[i] == '=')
            skipping = true;
        if (skipping || value_of(text[i]) < 0)
            continue;
        bits = (bits << 6 | (unsigned)value_of(text[i])) & 0xfff;
        count++;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            to[written++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* What is left over makes one byte more, unless it is zero; alone it always does. */
    if (bit_count > 0 && (count % 4 == 1 || (bits & ((1u << bit_count) - 1)) != 0))
        to[written++] = (uint8_t)(bits << (8 - bit_count));
    return written;
}

/* Cuts with random lengths up to `piece`; every piece's memory ends with it. */
static bool strict(const uint8_t *text, size_t length, size_t piece, uint8_t *to, size_t *written)
{
    struct base64_decoder decoder = {0};
    size_t at = 0;

    *written = 0;
    while (at < length) {
        size_t count = 1 + random_number() % piece;
        uint8_t *from;
        uint8_t *out;
        size_t decoded;

        if (count > length - at)
            count = length - at;
        from = malloc(count);
        out = malloc(BASE64_ROOM(count));
        assert_non_null(from);
        assert_non_null(out);
        memcpy(from, text + at, count);
        decoded = base64_decode(&decoder, from, count, out);
        assert_true(decoded + BASE64_SLACK <= BASE64_ROOM(count));
        memcpy(to + *written, out, decoded);
        *written += decoded;
        at += count;
        free(from);
        free(out);
    }
    return base64_end(&decoder);
}

static size_t force(const uint8_t *text, size_t length, size_t piece, uint8_t *to)
{
    struct base64_forced forced = {0};
    size_t written = 0;
    size_t at = 0;
    uint8_t rest[BASE64_ROOM(0)];
    size_t decoded;

    while (at < length) {
        size_t count = 1 + random_number() % piece;
        uint8_t *from;
        uint8_t *out;

        if (count > length - at)
            count = length - at;
        from = malloc(count);
        out = malloc(BASE64_ROOM(count));
        assert_non_null(from);
        assert_non_null(out);
        memcpy(from, text + at, count);
        decoded = base64_force(&forced, from, count, out);
        memcpy(to + written, out, decoded);
        written += decoded;
        at += count;
        free(from);
        free(out);
    }
    decoded = base64_force_end(&forced, rest);
    assert_true(decoded <= 3);
    memcpy(to + written, rest, decoded);
    return written + decoded;
}

static void compare(const uint8_t *text, size_t length, size_t piece)
{
    static uint8_t expected[LENGTH_MAX * 2];
    static uint8_t got[LENGTH_MAX * 2];
    size_t expected_count;
    size_t count;
    bool right = naive_strict(text, length, expected, &expected_count);

    assert_int_equal(strict(text, length, piece, got, &count), right);
    if (right) {
        assert_int_equal(count, expected_count);
        assert_memory_equal(got, expected, count);
    }
    expected_count = naive_forced(text, length, expected);
    assert_int_equal(force(text, length, piece, got), expected_count);
    assert_memory_equal(got, expected, expected_count);
}

/* Writes random bytes as base64 in lines of `line` characters; the text's length. */
static size_t encode(size_t length, size_t line, uint8_t *text)
{
    size_t written = 0;
    size_t column = 0;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i < 3 ? length - i : 3;
        uint32_t bits = random_number() & 0xffffff;
        uint32_t kept = left == 3 ? bits : left == 2 ? bits & 0xffff00 : bits & 0xff0000;

        for (unsigned k = 0; k < 4; k++) {
            text[written++] =
                k > left ? (uint8_t)'=' : (uint8_t)ALPHABET[kept >> (18 - 6 * k) & 0x3f];
            if (++column == line) {
                text[written++] = '\r';
                text[written++] = '\n';
                column = 0;
            }
        }
    }
    return written;
}

static void each_path(void (*test)(void))
{
    for (int level = SIMD_NONE; level < SIMD_LEVEL_COUNT; level++) {
        if (base64_use((enum simd_level)level))
            test();
    }
}

static void known(const char *text, const char *expected)
{
    size_t length = strlen(text);
    uint8_t to[64];
    size_t written;

    for (size_t piece = 1; piece <= length + 1; piece++) {
        assert_int_equal(strict((const uint8_t *)text, length, piece, to, &written),
                         expected != NULL);
        if (expected != NULL) {
            assert_int_equal(written, strlen(expected));
            assert_memory_equal(to, expected, written);
        }
    }
}

static void check_known(void)
{
    static const char *const refused[] = {
        "QQ",        "QQ=",        "Q",      "QR==",       "QUJ=",         "QQ===",
        "QQ==QQ==",  "QQ==\r",     "QUJD\n", "QUJD\rQUJD", "QQ=\r\n=\r\n", "=",
        "====",      "QUJD====",   "QUJD=",  "Q===",       "QU JD",        "QUJD \r\n",
        "\tQUJD",    "QUJD\r\r\n", "QUJ-",   "QUJD\r\n.",  "QQ==\r\nQUJD", "QUJDQQ=A",
        "QUI=\r\n=",
    };

    known("", "");
    known("\r\n\r\n", "");
    known("QUJD", "ABC");
    known("QQ==", "A");
    known("QUI=\r\n\r\n", "AB");
    known("Q\r\nUJD\r\nQ\r\nQ==", "ABCA");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        known(refused[i], NULL);
}

static void test_known(void **state)
{
    each_path(check_known);
    (void)state;
}

static void forced_is(const char *text, const char *expected, size_t count)
{
    uint8_t to[64];

    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        assert_int_equal(force((const uint8_t *)text, strlen(text), piece, to), count);
        assert_memory_equal(to, expected, count);
    }
}

static void check_forced(void)
{
    forced_is("", "", 0);
    forced_is("QUJD", "ABC", 3);
    forced_is("Q U\r\nJ!D", "ABC", 3);
    forced_is("QUJ=XXXX\r\nD", "ABC", 3);
    forced_is("QQ==\r\nUJD", "A\x05\x09\x0c", 4); /* the group goes on */
    forced_is("Q", "@", 1);
    forced_is("A", "\0", 1);
    forced_is("QA", "@", 1);
    forced_is("QB", "@\x10", 2);
    forced_is("QUI", "AB", 2);
    forced_is("QUJ", "AB@", 3);
    forced_is("=QUJD", "", 0);
    forced_is("AA", "\0", 1);
}

static void test_forced(void **state)
{
    each_path(check_forced);
    (void)state;
}

/* Every byte in the place of a character, a line end or a pad. */
static void check_mutations(void)
{
    uint8_t text[400];
    size_t length = encode(233, 76, text);

    for (size_t at = 0; at < length; at++) {
        uint8_t kept = text[at];

        for (unsigned byte = 0; byte < 256; byte += at % 3 == 0 ? 1 : 5) {
            text[at] = (uint8_t)byte;
            compare(text, length, length);
        }
        text[at] = kept;
    }
    for (size_t end = 0; end <= length; end++)
        compare(text, end, 1 + end % 40);
}

static void test_mutations(void **state)
{
    each_path(check_mutations);
    (void)state;
}

static void check_lines(void)
{
    static const size_t lines[] = {76, 76, 76, 72, 64, 60, 4, 1, 3, 77, 990, 100000};
    static uint8_t text[LENGTH_MAX * 2];

    for (unsigned round = 0; round < 1500; round++) {
        size_t line = lines[random_number() % (sizeof(lines) / sizeof(lines[0]))];
        size_t size = random_number() % (line == 1 ? 300 : round % 20 == 0 ? 4000 : 400);
        size_t length = encode(size, line, text);

        compare(text, length, 1 + random_number() % (round % 3 == 0 ? 10 : 5000));
        if (length > 0 && round % 2 == 0) {
            text[random_number() % length] = (uint8_t)(round % 4 == 0 ? '=' : random_number());
            compare(text, length, 1 + random_number() % 300);
        }
    }
}

static void test_lines(void **state)
{
    each_path(check_lines);
    (void)state;
}

/* Text that is no base64 at all. */
static void check_text(void)
{
    static const char common[] = "etaoin shrdlu\r\nETAOIN, =.\n\t<a href=\"\xe4\x00\x7f";
    static uint8_t text[LENGTH_MAX];

    for (unsigned round = 0; round < 1500; round++) {
        size_t length = random_number() % (round % 30 == 0 ? LENGTH_MAX : 300);

        for (size_t i = 0; i < length; i++) {
            uint32_t number = random_number();

            text[i] = number % 16 == 0 ? (uint8_t)(number >> 8)
                                       : (uint8_t)common[number / 16 % (sizeof(common) - 1)];
            if (round % 2 == 0 && text[i] == '=')
                text[i] = 'x';
        }
        compare(text, length, 1 + random_number() % (round % 3 == 0 ? 10 : 5000));
    }
}

static void test_text(void **state)
{
    each_path(check_text);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),     cmocka_unit_test(test_forced),
        cmocka_unit_test(test_mutations), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

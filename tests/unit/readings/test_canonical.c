/* What the writer writes, the strict MIME parser takes for the parts it was given, without a doubt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/decode/decode.h"
#include "signatures/content/readings/canonical.h"

#define PARTS 5u

struct read {
    struct decoder decoder;
    unsigned count;
    size_t length;
    char type[PARTS][64];
    char name[PARTS][256];
    uint8_t bytes[PARTS][4096];
    size_t lengths[PARTS];
};

static struct read got;

static void part_begin(void *context, const struct mime_part *part)
{
    (void)context;
    assert_true(got.count < PARTS);
    (void)snprintf(got.type[got.count], sizeof(got.type[0]), "%s", part->type);
    memcpy(got.name[got.count], part->name, part->name_length);
    decode_begin(&got.decoder, part);
    got.length = 0;
}

static void part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    got.length += decode_feed(&got.decoder, bytes, length, got.bytes[got.count] + got.length);
}

static void part_end(void *context)
{
    (void)context;
    got.length += decode_end(&got.decoder, got.bytes[got.count] + got.length);
    assert_int_equal(got.decoder.gate, DECODE_GATE_NONE);
    got.lengths[got.count++] = got.length;
}

static void test_round_trip(void **state)
{
    static const struct {
        struct reading_part part;
        const char *type;
        const char *name;
    } cases[PARTS] = {
        {{(const uint8_t *)"a", 1, "text/html", "a.html"}, "text/html", "a.html"},
        {{(const uint8_t *)"ab", 2, "", ""}, "application/octet-stream", ""},
        {{(const uint8_t *)"abc\0\xff\r\n--=_reading_=\r\n", 22, "multipart/mixed", "b\"; x=\r\n"},
         "application/octet-stream",
         "b__ x___"},
        {{(const uint8_t *)"0123456789012345678901234567890123456789012345678901234567890123456789",
          70, "text/pl ain", "\xc3\xa9"},
         "application/octet-stream",
         "__"},
        /* base64: ContentA */
        {{(const uint8_t *)"\x0a\x89\xed\x7a\x7b\x40", 6, "message/rfc822", "=?utf-8?q?a?="},
         "application/octet-stream",
         "__utf-8_q_a__"},
    };
    const struct mime_sink sink = {NULL, part_begin, part_bytes, part_end};
    struct canonical mail = {0};
    static struct mime_parser parser;

    (void)state;
    base64_init(true);
    assert_int_equal(canonical_begin(&mail), STATUS_OK);
    for (unsigned i = 0; i < PARTS; i++)
        assert_int_equal(canonical_add(&mail, &cases[i].part), STATUS_OK);
    assert_int_equal(canonical_end(&mail), STATUS_OK);
    mime_begin(&parser, &sink);
    for (size_t at = 0; at < mail.length; at += 100)
        mime_feed(&parser, mail.bytes + at, mail.length - at < 100 ? mail.length - at : 100);
    mime_end(&parser);
    assert_string_equal(mime_gate_text(parser.gate), mime_gate_text(MIME_GATE_NONE));
    assert_int_equal(got.count, PARTS);
    for (unsigned i = 0; i < PARTS; i++) {
        assert_int_equal(got.lengths[i], cases[i].part.length);
        assert_memory_equal(got.bytes[i], cases[i].part.bytes, got.lengths[i]);
        assert_string_equal(got.type[i], cases[i].type);
        assert_string_equal(got.name[i], cases[i].name);
    }
    canonical_free(&mail);
}

static void test_full(void **state)
{
    const struct reading_part part = {(const uint8_t *)"a", 1, "", ""};
    struct canonical mail = {0};

    (void)state;
    assert_int_equal(canonical_begin(&mail), STATUS_OK);
    assert_false(canonical_full(&mail, SIZE_MAX)); /* one always fits */
    for (unsigned i = 0; i < CANONICAL_PARTS; i++) {
        assert_false(canonical_full(&mail, 1));
        assert_int_equal(canonical_add(&mail, &part), STATUS_OK);
        assert_true(canonical_full(&mail, CANONICAL_BYTES));
    }
    assert_true(canonical_full(&mail, 1));
    assert_int_equal(canonical_begin(&mail), STATUS_OK);
    assert_false(canonical_full(&mail, 1));
    canonical_free(&mail);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_full),
    };

    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

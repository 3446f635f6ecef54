/* inspect.h: that neither cuts nor what was before change anything, and the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/inspect/rig.h"

static void documents(unsigned count, const char *more)
{
    mail_multipart(&sample);
    mail_part(&sample, PLAIN EIGHT, more, strlen(more));
    for (unsigned i = 0; i < count; i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%%PDF-1.4 document %u", i);
        mail_part_base64(&sample, OCTETS, text, strlen(text));
    }
    mail_end(&sample);
}

/* The cache answers for parts that are always scanned, when they are the only doubt. */
static void test_cached(void **state)
{
    struct inspect_result result;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_RAW, 1, FRAGMENT);
    assert_int_equal(cache_create(&rig.settings.cache, 65536), STATUS_OK);
    rig_open(&rig);
    documents(3, "hello");
    result = rig_run_mail(&rig);
    assert_int_equal(result.decision, INSPECT_SENT_ON);
    assert_int_equal(result.key_count, 3);
    assert_int_equal(result.keys[1].length, strlen("%PDF-1.4 document 1"));
    assert_int_equal(result.keys[1].generation, RIG_GENERATION);
    for (unsigned i = 0; i < 3; i++) {
        rig_expect(&rig, INSPECT_SENT_ON, "type: CL_TYPE_PDF");
        assert_true(cache_store(rig.settings.cache, &result.keys[i], VERDICT_CLEAN, NULL));
    }
    rig_expect(&rig, INSPECT_CACHED, "type: CL_TYPE_PDF");
    assert_int_equal(rig_run_mail(&rig).verdict, VERDICT_CLEAN);
    documents(3, FRAGMENT); /* another doubt */
    result = rig_run_mail(&rig);
    assert_int_equal(result.decision, INSPECT_SENT_ON);
    assert_int_equal(result.key_count, 0);
    documents(INSPECT_CACHED_MAX + 1, "hello");
    result = rig_run_mail(&rig);
    assert_int_equal(result.decision, INSPECT_SENT_ON);
    assert_int_equal(result.key_count, 0);
    documents(4, "hello");
    result = rig_run_mail(&rig);
    assert_int_equal(result.decision, INSPECT_SENT_ON);
    assert_true(
        cache_store(rig.settings.cache, &result.keys[3], VERDICT_INFECTED, "Test.Document"));
    for (size_t piece = 1; piece < 300; piece += 31) {
        result = rig_run(&rig, sample.bytes, sample.length, piece);
        assert_int_equal(result.decision, INSPECT_CACHED);
        assert_int_equal(result.verdict, VERDICT_INFECTED);
        assert_string_equal(result.name, "Test.Document");
    }
    rig_close(&rig);
    cache_destroy(rig.settings.cache);
}

/* However a message is cut, the decision, its reason and the parts are the same. */
static void compare(const struct inspect_result *one, const struct inspect_result *other)
{
    assert_string_equal(one->reason, other->reason);
    assert_int_equal(one->decision, other->decision);
    assert_int_equal(one->part_count, other->part_count);
    assert_int_equal(one->bytes, other->bytes);
    if (one->decision != INSPECT_SETTLED)
        return; /* what follows a doubt is not measured */
    for (unsigned i = 0; i < one->part_count && i < INSPECT_PARTS_MAX; i++) {
        assert_string_equal(one->parts[i].type, other->parts[i].type);
        assert_int_equal(one->parts[i].bytes, other->parts[i].bytes);
    }
}

static void test_cuts(void **state)
{
    static char word[300];
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Two", PREFILTER_RAW | PREFILTER_TEXT | PREFILTER_HTML, 2, "secondleaf",
            "fourthleaf");
    rig_add_exact(&rig, "Test.Octets", PREFILTER_BINARY, "vile\001ctets", 10);
    rig_add_hash(&rig, PREFILTER_SHA1, unknown, sizeof(unknown), false);
    rig_open(&rig);
    for (unsigned way = 0; way < 5; way++) {
        struct inspect_result whole, cut;

        (void)snprintf(word, sizeof(word), "%s",
                       way == 1   ? "secondleaf and fourthleaf"
                       : way == 2 ? "vile\001ctets"
                                  : "hello");
        mail_of_all_kinds(word);
        if (way == 3)
            mail_of_text(PLAIN EIGHT, "hel\nlo");
        if (way == 4) {
            mail_multipart(&sample);
            mail_part_base64(&sample, OCTETS, unknown, sizeof(unknown));
            mail_end(&sample);
        }
        whole = rig_run_mail(&rig);
        assert_int_equal(whole.decision, way == 0 ? INSPECT_SETTLED : INSPECT_SENT_ON);
        for (size_t at = 0; at <= sample.length; at++) {
            cut = rig_run_cut(&rig, sample.bytes, sample.length, at);
            if (way == 0)
                compare(&whole, &cut);
            assert_string_equal(whole.reason, cut.reason);
        }
        cut = rig_run(&rig, sample.bytes, sample.length, 1);
        assert_string_equal(whole.reason, cut.reason);
    }
    rig_close(&rig);
}

static void test_cuts_of_large(void **state)
{
    static char line[80];
    struct inspect_result whole, cut;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_ALL & ~(PREFILTER_BINARY | PREFILTER_IMAGE), 1, FRAGMENT);
    rig_add_exact(&rig, "Test.Odd", PREFILTER_RAW | PREFILTER_TEXT, "abcd\351efgh", 9);
    rig_add_hash(&rig, PREFILTER_MD5, unknown, sizeof(unknown), false);
    rig_open(&rig);
    for (unsigned way = 0; way < 3; way++) {
        mail_of_all_kinds("hello");
        sample.length -= strlen("--=_rig_7f3a--\r\n");
        mail_text(&sample, "--=_rig_7f3a\r\n" PLAIN EIGHT "\r\n");
        for (unsigned i = 0; i < 3000; i++) {
            (void)snprintf(line, sizeof(line), "line %u of a text%s that goes on\r\n", i * 7919,
                           i % 5 == 0 ? " with \xc3\xa9" : "");
            mail_text(&sample, line);
        }
        mail_text(&sample, way == 1   ? "a vile\r\nfragment\r\n"
                           : way == 2 ? "abcd\351efgh\r\n"
                                      : "");
        mail_end(&sample);
        whole = rig_run_mail(&rig);
        assert_string_equal(whole.reason, way == 1   ? "signature: Test.Vile"
                                          : way == 2 ? "signature: Test.Odd"
                                                     : "");
        for (unsigned seed = 0; seed < 60; seed++) {
            cut = rig_run_random(&rig, sample.bytes, sample.length, seed);
            compare(&whole, &cut);
        }
    }
    rig_close(&rig);
}

/* Around the length up to which bytes are kept rather than hashed, however they come. */
static void test_hash_lengths(void **state)
{
    static uint8_t bytes[3 * 8192];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * i >> 5);
    for (size_t length = 8190; length <= 8194; length++) {
        struct rig rig;

        rig_begin(&rig);
        rig_add_hash(&rig, PREFILTER_SHA256, bytes, length, false);
        rig_add_hash(&rig, PREFILTER_MD5, bytes + 1, 2 * length, true);
        rig_open(&rig);
        for (unsigned way = 0; way < 4; way++) {
            mail_multipart(&sample);
            mail_part_base64(&sample, OCTETS, way < 2 ? bytes : bytes + 1,
                             way < 2 ? length - way : 2 * length - way + 2);
            mail_end(&sample);
            for (size_t piece = 1; piece <= INSPECT_PIECE_MAX; piece = piece * 7 + 1) {
                struct inspect_result result = rig_run(&rig, sample.bytes, sample.length, piece);

                assert_string_equal(result.reason, way == 0   ? "hash: SHA256"
                                                   : way == 2 ? "hash: MD5"
                                                              : "");
            }
        }
        rig_close(&rig);
    }
}

/* Two messages at once share what they are gathered in, and nothing else. */
static void test_interleaved(void **state)
{
    struct inspection *one, *other;
    struct inspect_result result;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Two", PREFILTER_RAW, 2, "secondleaf", "fourthleaf");
    rig_add(&rig, "Test.Vile", PREFILTER_RAW, 1, FRAGMENT);
    rig_open(&rig);
    assert_int_equal(inspection_free_count(rig.inspector), 2);
    one = inspection_take(rig.inspector);
    other = inspection_take(rig.inspector);
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(one, other);
    assert_null(inspection_take(rig.inspector));
    assert_int_equal(inspection_free_count(rig.inspector), 0);
    mail_of_text(PLAIN EIGHT, "secondleaf and vile");
    (void)inspection_feed(rig.inspector, one, sample.bytes, sample.length - 2);
    mail_of_text(PLAIN EIGHT, "fourthleaf");
    (void)inspection_feed(rig.inspector, other, sample.bytes, sample.length);
    (void)inspection_feed(rig.inspector, one, (const uint8_t *)"\r\nfragment no\r\n", 15);
    inspection_end(rig.inspector, other, &result);
    assert_int_equal(result.decision, INSPECT_SETTLED);
    inspection_give(rig.inspector, other);
    inspection_end(rig.inspector, one, &result);
    assert_string_equal(result.reason, "signature: Test.Vile");
    inspection_give(rig.inspector, one);
    rig_close(&rig);
}

/* An inspection given back in the middle of anything is as good as new. */
static void test_reused(void **state)
{
    struct inspection *inspection;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig.settings.inspection_count = 1;
    rig_add(&rig, "Test.Two", PREFILTER_ALL & ~(PREFILTER_BINARY | PREFILTER_IMAGE), 2,
            "secondleaf", "fourthleaf");
    rig_add_exact(&rig, "Test.Octets", PREFILTER_BINARY, "vile\001ctets", 10);
    rig_add_hash(&rig, PREFILTER_SHA256, unknown, sizeof(unknown), false);
    rig_open(&rig);
    mail_of_all_kinds("fourthleaf");
    for (size_t length = 0; length < sample.length; length += 3) {
        inspection = inspection_take(rig.inspector);
        assert_non_null(inspection);
        (void)inspection_feed(rig.inspector, inspection, sample.bytes, length);
        inspection_give(rig.inspector, inspection);
        assert_int_equal(rig_run_mail(&rig).decision, INSPECT_SETTLED);
    }
    mail_of_all_kinds("secondleaf");
    rig_expect_settled(&rig);
    rig_close(&rig);
}

/* Text behind the last boundary is a part of its own. It is known to be one only when its first
 * line is whole; what came of that line before is text all the same, wherever it was cut. */
static void test_text_in_an_epilogue(void **state)
{
    struct rig rig;
    struct inspect_result result;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_TEXT, 1, FRAGMENT);
    rig_open(&rig);
    mail_multipart(&sample);
    mail_part(&sample, HTML EIGHT, "<html>hello</html>", 18);
    mail_end(&sample);
    mail_text(&sample, "and " FRAGMENT " in the epilogue\r\n");
    for (size_t piece = 1; piece < sample.length; piece++) {
        result = rig_run(&rig, sample.bytes, sample.length, piece);
        assert_string_equal(result.reason, "signature: Test.Vile");
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_in_an_epilogue),
        cmocka_unit_test(test_cached),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_cuts_of_large),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_hash_lengths),
        cmocka_unit_test(test_reused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Searching without mail: what a second tier would do with the bytes it unpacked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/search/search.h"
#include "tests/unit/inspect/rig.h"

#define TEXT_BYTES 5000u

static struct rig rig;
static struct searcher *searcher;
static struct search search;
static struct search_text text;
static struct search_binary binary;
static unsigned long tapped; /* bytes */
static uint32_t tapped_domains;

static void tap_begin(void *context, enum search_kind kind)
{
    (void)context;
    assert_true(kind < SEARCH_KINDS);
}

static void tap_bytes(void *context, enum search_kind kind, uint32_t domains, bool exact,
                      const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)kind;
    (void)exact;
    (void)bytes;
    tapped += length;
    tapped_domains |= domains;
}

static int open_search(void **state)
{
    const struct search_tap tap = {NULL, tap_begin, tap_bytes};

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "One", PREFILTER_TEXT | PREFILTER_HTML, 1, FRAGMENT);
    rig_add(&rig, "Two", PREFILTER_TEXT, 2, "firstofatwo", "secondofatwo");
    rig_add_exact(&rig, "Odd", PREFILTER_TEXT, "odd\x01\x80odd", 8);
    rig_add_exact(&rig, "Image", PREFILTER_IMAGE, "\xff\xfe picture", 10);
    rig_open(&rig);
    searcher = calloc(1, sizeof(*searcher));
    assert_non_null(searcher);
    assert_int_equal(searcher_init(searcher, &rig.prefilter, &tap), STATUS_OK);
    assert_true(search_open(&search, searcher));
    assert_true(search_text_open(searcher, &text));
    assert_true(search_binary_open(searcher, &binary));
    search_begin(&search);
    tapped = 0;
    tapped_domains = 0;
    return 0;
}

static int close_search(void **state)
{
    (void)state;
    search_binary_close(&binary);
    search_text_close(&text);
    search_close(&search);
    searcher_fini(searcher);
    free(searcher);
    rig_close(&rig);
    return 0;
}

/* Text with `word` at `at`, in pieces of `piece` bytes. */
static void feed(const char *word, size_t at, size_t piece)
{
    uint8_t bytes[TEXT_BYTES];

    memset(bytes, '.', sizeof(bytes));
    for (size_t i = 0; word[i] != '\0'; i++)
        bytes[at + i] = (uint8_t)word[i];
    for (size_t from = 0; from < sizeof(bytes); from += piece) {
        size_t left = sizeof(bytes) - from;

        search_text_feed(&search, &text, bytes + from, left < piece ? left : piece);
    }
    search_text_flush(&search, &text);
}

static void expect_found(const char *name)
{
    assert_int_equal(search.state, SEARCH_FOUND);
    assert_string_equal(prefilter_name(&rig.prefilter, search.signature), name);
}

static void test_text(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
        search_begin(&search);
        search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
        feed("ViLe FrAg\r\nMeNt", 1500, piece);
        expect_found("One");
    }
}

/* Wherever it is cut, an odd byte is searched for exactly with what is around it. */
static void test_odd(void **state)
{
    (void)state;
    for (size_t at = 500; at < 530; at++) {
        search_begin(&search);
        search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
        feed("odd\x01\x80odd", at, 512);
        expect_found("Odd");
    }
}

/* A signature is found in the domains it is for. */
static void test_domains(void **state)
{
    (void)state;
    search_text_begin(&search, &text, SEARCH_RAW, PREFILTER_RAW);
    feed(FRAGMENT, 10, TEXT_BYTES);
    assert_int_equal(search.state, SEARCH_GOING_ON);
    assert_int_equal(tapped_domains, PREFILTER_RAW);
    search_text_begin(&search, &text, SEARCH_NOTAGS, PREFILTER_HTML);
    feed(FRAGMENT, 10, TEXT_BYTES);
    expect_found("One");
    assert_true(tapped >= 2 * (TEXT_BYTES - 1));
}

/* Frequent leaves are remembered for the whole search, and forgotten with the next. */
static void test_weak(void **state)
{
    (void)state;
    search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
    feed("second of a two", 10, TEXT_BYTES);
    assert_int_equal(search.state, SEARCH_GOING_ON);
    search_begin(&search);
    search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
    feed("first of a two", 10, TEXT_BYTES);
    assert_int_equal(search.state, SEARCH_GOING_ON);
    search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
    feed("second of a two", 10, TEXT_BYTES);
    expect_found("Two");
}

static void test_binary(void **state)
{
    static const uint8_t bytes[] = "xx\xff\xfe picture";

    (void)state;
    search_binary_begin(&search, &binary, SEARCH_BINARY, PREFILTER_BINARY);
    search_binary_feed(&search, &binary, bytes, sizeof(bytes) - 1);
    assert_int_equal(search.state, SEARCH_GOING_ON);
    search_binary_begin(&search, &binary, SEARCH_BINARY, PREFILTER_IMAGE);
    search_binary_feed(&search, &binary, bytes, 4);
    search_binary_feed(&search, &binary, bytes + 4, sizeof(bytes) - 5);
    expect_found("Image");
}

static void test_stopped(void **state)
{
    uint64_t before;

    (void)state;
    search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
    feed("", 0, TEXT_BYTES);
    before = search.bytes;
    assert_true(before >= TEXT_BYTES - 1);
    search_stop(&search);
    feed(FRAGMENT, 10, TEXT_BYTES);
    assert_int_equal(search.state, SEARCH_STOPPED);
    assert_int_equal(search.bytes, before);
    search_begin(&search);
    search_text_begin(&search, &text, SEARCH_TEXT, PREFILTER_TEXT);
    feed(FRAGMENT, 10, TEXT_BYTES);
    search_stop(&search);
    expect_found("One");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, open_search, close_search),
        cmocka_unit_test_setup_teardown(test_odd, open_search, close_search),
        cmocka_unit_test_setup_teardown(test_domains, open_search, close_search),
        cmocka_unit_test_setup_teardown(test_weak, open_search, close_search),
        cmocka_unit_test_setup_teardown(test_binary, open_search, close_search),
        cmocka_unit_test_setup_teardown(test_stopped, open_search, close_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

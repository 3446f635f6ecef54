/* Chosen groups are implied by the formula, and made of rare leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/choose/choose.h"

static struct model *model;
static struct expression_arena *arena;

static struct expression *run_of(const char *bytes, size_t length, bool caseless)
{
    struct expression_byte set[256];

    for (size_t i = 0; i < length; i++)
        set[i] = (struct expression_byte){(uint8_t)bytes[i], 0xff, caseless};
    return expression_run(arena, set, (unsigned)length);
}

static struct expression *run(const char *text)
{
    return run_of(text, strlen(text), false);
}

/* The choice as text: leaves in '...' (squeezed), "..." (exact), "..."i, with + and |. */
static const char *chosen(const struct expression *formula, bool text)
{
    static char line[4096];
    struct chooser *chooser = chooser_create(model);
    struct choice choice;
    size_t used = 0;

    assert_non_null(chooser);
    assert_int_equal(chooser_choose(chooser, formula, text, &choice), STATUS_OK);
    line[0] = '\0';
    if (choice.always)
        used += (size_t)snprintf(line, sizeof(line), "always: %s", choice.reason);
    for (unsigned i = 0; i < choice.count; i++) {
        for (unsigned k = 0; k < choice.groups[i].count; k++) {
            const struct draft_leaf *leaf = &choice.groups[i].leaves[k].leaf;
            char quote = leaf->squeezed ? '\'' : '"';

            assert_in_range(leaf->length, CHOOSE_FRAGMENT_MIN, PREFILTER_FRAGMENT_MAX);
            used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%c",
                                     k > 0   ? "+"
                                     : i > 0 ? "|"
                                             : "",
                                     quote);
            for (unsigned n = 0; n < leaf->length; n++)
                used += (size_t)snprintf(line + used, sizeof(line) - used,
                                         leaf->bytes[n] < 0x20 || leaf->bytes[n] > 0x7e ? "\\%02x"
                                                                                        : "%c",
                                         leaf->bytes[n]);
            used += (size_t)snprintf(line + used, sizeof(line) - used, "%c%s", quote,
                                     leaf->caseless ? "i" : "");
        }
    }
    chooser_destroy(chooser);
    return line;
}

static void test_text(void **state)
{
    (void)state;
    assert_string_equal(chosen(run("Q7 z\r\nXk9"), true), "'q7zxk9'");
    assert_string_equal(chosen(run("Q7zX"), false), "\"Q7zX\"");
    assert_string_equal(chosen(run_of("Q7zX", 4, true), false), "\"q7zx\"i");
    assert_string_equal(chosen(run_of("Q7zX", 4, true), true), "'q7zx'");
    assert_string_equal(chosen(run("a b"), true), "always: no usable fragment in text");
    assert_string_equal(chosen(run("ab"), false), "always: no usable fragment");
    assert_string_equal(chosen(expression_true(arena), true), "always: nothing is required");
    assert_string_equal(chosen(expression_false(arena), true), "");
}

/* What stands in every mail is not chosen when there is something else. */
static void test_common(void **state)
{
    (void)state;
    assert_non_null(
        strstr(chosen(run("Content-Type: text/html; charset=utf-8 zqj7#xw"), true), "zqj"));
    assert_non_null(
        strstr(chosen(run("<td align=\"center\">&nbsp;</td></tr>wq!7z#k"), true), "wq!7"));
}

/* Odd bytes: exact ones around them without white space, or squeezed across them. */
static void test_odd(void **state)
{
    (void)state;
    assert_string_equal(chosen(run_of("\x01\x02\x03\x04", 4, false), true), "\"\\01\\02\\03\\04\"");
    assert_string_equal(chosen(run_of("\x01\x02 \x03\x04", 5, false), true),
                        "always: no usable fragment in text");
    assert_string_equal(chosen(run_of("\x01\x02 \x03\x04", 5, false), false),
                        "\"\\01\\02 \\03\\04\"");
    /* DEL stays in normalised text, where other bytes may stand around it than in the text */
    assert_string_equal(chosen(run_of("\x01\x02\x7f\x03\x04", 5, false), true),
                        "always: no usable fragment in text");
    assert_string_equal(chosen(run_of("Q7\x7fzX", 5, false), true), "'q7zx'");
    /* zeros are never in text, but everywhere in binary parts */
    assert_string_equal(chosen(run_of("\0\0\0\0\0\0\0\0", 8, false), true),
                        "always: no usable fragment in text");
}

/* A nibble ends a fragment, unless nothing is left of any of its values. */
static void test_nibbles(void **state)
{
    struct expression_byte bytes[] = {{'q', 0xff, false},  {'7', 0xff, false},  {'z', 0xff, false},
                                      {0x80, 0xf0, false}, {'#', 0xff, false},  {'j', 0xff, false},
                                      {'k', 0xff, false},  {0x60, 0xf0, false}, {'w', 0xff, false}};

    (void)state;
    assert_string_equal(chosen(expression_run(arena, bytes, 9), true), "'q7z#jk'");
    assert_string_equal(chosen(expression_run(arena, bytes, 9), false), "\"#jk\"+\"q7z\"");
}

/* White space of any length is nothing once it is squeezed, and ends what is searched exactly. */
static void test_gaps(void **state)
{
    struct expression_byte bytes[] = {{'q', 0xff, false, false}, {'7', 0xff, false, false},
                                      {' ', 0xff, false, true},  {'Z', 0xff, false, false},
                                      {'#', 0xff, false, false}, {'k', 0xff, false, false}};

    (void)state;
    assert_string_equal(chosen(expression_run(arena, bytes, 6), true), "'q7z#k'");
    assert_string_equal(chosen(expression_run(arena, bytes, 6), false), "\"Z#k\"");
}

/* What is too short to look for may still be what every such buffer begins with. */
static void test_starts(void **state)
{
    struct expression *zip = run("PK");
    struct expression *word = run("pk");
    struct expression *marked = run("\x7fk");
    struct expression *both[] = {zip, run("MZ")};
    struct choice choice;
    struct chooser *chooser = chooser_create(model);

    (void)state;
    zip->start = true;
    word->start = true;
    both[1]->start = true;
    assert_int_equal(chooser_choose(chooser, zip, true, &choice), STATUS_OK);
    assert_false(choice.always);
    assert_int_equal(choice.start_count, 1);
    assert_int_equal(choice.starts[0].length, 2);
    assert_memory_equal(choice.starts[0].bytes, "PK", 2);
    /* Normalised text may begin so; with DEL, too. */
    marked->start = true;
    assert_int_equal(chooser_choose(chooser, marked, true, &choice), STATUS_OK);
    assert_true(choice.always);
    assert_int_equal(chooser_choose(chooser, word, true, &choice), STATUS_OK);
    assert_true(choice.always);
    assert_int_equal(chooser_choose(chooser, word, false, &choice), STATUS_OK);
    assert_int_equal(choice.start_count, 1);
    assert_int_equal(chooser_choose(chooser, expression_or(arena, both, 2), true, &choice),
                     STATUS_OK);
    assert_int_equal(choice.start_count, 2);
    both[1]->start = false;
    assert_int_equal(chooser_choose(chooser, expression_or(arena, both, 2), true, &choice),
                     STATUS_OK);
    assert_true(choice.always);
    assert_int_equal(chooser_choose(chooser, expression_and(arena, both, 2), true, &choice),
                     STATUS_OK);
    assert_int_equal(choice.start_count, 1);
    chooser_destroy(chooser);
}

static void test_and_or(void **state)
{
    struct expression *parts[] = {run("<html>"), run("xq#7kz"), expression_true(arena)};
    struct expression *either[] = {run("xq#7kz"), run("jj%9vv")};
    struct expression *weak[] = {run("<table"), run("eval("), run("void(")};
    struct expression *opened[] = {run("xq#7kz"), run("ab")};

    (void)state;
    assert_string_equal(chosen(expression_and(arena, parts, 3), true), "'xq#7kz'");
    assert_string_equal(chosen(expression_or(arena, either, 2), true), "'xq#7kz'|'jj%9vv'");
    assert_string_equal(chosen(expression_or(arena, opened, 2), true),
                        "always: no usable fragment in text");
    /* weak ones are asked for together */
    assert_non_null(strchr(chosen(expression_and(arena, weak, 3), true), '+'));
}

/* Too many alternatives cannot be told apart. */
static void test_limits(void **state)
{
    struct expression *many[CHOOSE_GROUPS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= CHOOSE_GROUPS_MAX; i++) {
        char text[32];

        snprintf(text, sizeof(text), "#%08uzz%u", i * 7919, i);
        many[i] = run(text);
    }
    assert_string_equal(chosen(expression_or(arena, many, CHOOSE_GROUPS_MAX + 1), false),
                        "always: too many alternatives");
    assert_string_not_equal(chosen(expression_or(arena, many, 3), false),
                            "always: too many alternatives");
}

/* What a corpus was seen to contain is avoided, and so are its parts. */
static void test_measured(void **state)
{
    struct chooser *chooser = chooser_create(model);
    struct draft_leaf frequent = {.length = 10, .squeezed = true, .bytes = "xq#7kz@wvv"};
    struct choice choice;

    (void)state;
    assert_int_equal(chooser_measured(chooser, &frequent, 0.5), STATUS_OK);
    assert_int_equal(chooser_choose(chooser, run("xq#7kz@wvv jj%9"), true, &choice), STATUS_OK);
    assert_int_equal(choice.count, 1);
    for (unsigned i = 0; i < choice.groups[0].count; i++) {
        const struct draft_leaf *leaf = &choice.groups[0].leaves[i].leaf;

        assert_null(memmem(frequent.bytes, 10, leaf->bytes, leaf->length));
    }
    chooser_destroy(chooser);
}

static int setup(void **state)
{
    (void)state;
    model = model_create(false);
    arena = expression_arena_create();
    return model == NULL || arena == NULL;
}

static int teardown(void **state)
{
    (void)state;
    model_destroy(model);
    expression_arena_destroy(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),     cmocka_unit_test(test_common),
        cmocka_unit_test(test_odd),      cmocka_unit_test(test_nibbles),
        cmocka_unit_test(test_gaps),     cmocka_unit_test(test_starts),
        cmocka_unit_test(test_and_or),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_measured),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

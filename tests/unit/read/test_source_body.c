/* Hex patterns and the lines they stand in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/why.h"
#include "tests/unit/read/collect.h"

static void test_runs(void **state)
{
    (void)state;
    expect_pattern("48656c6c6f", "\"Hello\"");
    expect_pattern("48656C6C6F", "\"Hello\"");
    expect_pattern("00ff8022", "00ff8022");
    expect_pattern("4865??6c6f", "&(\"He\" \"lo\")");
    expect_pattern("486?6c?f", "486?6c?f");
    expect_pattern("4865*6c6f", "&(\"He\" \"lo\")");
    expect_pattern("4865{5}6c6f{-3}6162{3-}6364{1-2}6566", "&(\"He\" \"lo\" \"ab\" \"cd\" \"ef\")");
    expect_pattern("48[2-4]65666768[1]66", "\"efgh\"");
    expect_pattern("(B)48656c(L)6c6f(W)", "&(\"Hel\" \"lo\")");
    expect_pattern("4865!(6c|6d)6f70", "&(\"He\" \"op\")");
}

static void test_alternatives(void **state)
{
    (void)state;
    expect_pattern("4865(6c6c|6d6d)6f70", "&(\"He\" |(\"ll\" \"mm\") \"op\")");
    expect_pattern("4865(6c6c|6d6d6d|\?\?)6f70", "&(\"He\" \"op\")");
    expect_pattern("4865(6c6c|6d6d??7071)6f70", "&(\"He\" |(\"ll\" &(\"mm\" \"pq\")) \"op\")");
    expect_pattern("48(45|65)(4c|6c)6f", "\"HELo\"i");
    expect_pattern("4865(41|5b)6f70", "&(\"He\" |(\"A\" \"[\") \"op\")");
    expect_pattern("4865((6c|6d)|6e)6f70", "&(\"He\" \"op\")");
    expect_pattern("4865(6c6c|)6f70", "&(\"He\" \"op\")");
}

static void test_not_understood(void **state)
{
    static const char *const patterns[] = {
        "4865z0",
        "486",
        "4865{",
        "4865{5",
        "4865[2-3",
        "4865(6c6c",
        "4865!",
        "4865!6c6c",
        "4865)6c6c",
        "4865{a}6c6c",
        "",
        "4865@6c6c",
        "486(6c6c|6d6d)56c6f70",
        "4865 6c6c",
        "??*??",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        expect_pattern(patterns[i], "TRUE");
}

static void test_long_run(void **state)
{
    char pattern[8193];
    char line[8300];
    struct collection *collection;

    (void)state;
    for (unsigned i = 0; i < 8100; i += 2)
        memcpy(pattern + i, "61", 3);
    (void)snprintf(line, sizeof(line), "N:1:*:%s\n", pattern);
    collection = collect_text("a.ndb", line);
    assert_int_equal(collection->signature_count, 1);
    assert_string_equal(collection->signatures[0].doubt, "");
    free(collection);
    /* Past libclamav's buffer nobody knows what it makes of the rest. */
    for (unsigned i = 0; i < 8190; i += 2)
        memcpy(pattern + i, "61", 3);
    (void)snprintf(line, sizeof(line), "N:1:*:%s\n", pattern);
    expect_formula("a.ndb", line, "TRUE");
}

static void test_ndb(void **state)
{
    struct collection *collection =
        collect_text("two.NDB", "# comment\r\n\nA.B-1:3:EP+0,10:6162:73:255\r\nC:*:*:6364:51\n"
                                "D:14:0:6566");

    (void)state;
    assert_int_equal(collection->status, STATUS_OK);
    assert_int_equal(collection->signature_count, 3);
    assert_string_equal(collection->signatures[0].name, "A.B-1");
    assert_string_equal(collection->signatures[0].file, "two.NDB");
    assert_int_equal(collection->signatures[0].line, 3);
    assert_int_equal(collection->signatures[0].target, 3);
    assert_string_equal(collection->signatures[0].formula, "\"ab\"");
    assert_int_equal(collection->signatures[1].target, 0);
    assert_int_equal(collection->signatures[2].target, 14);
    assert_int_equal(collection->signatures[2].line, 5);
    free(collection);
    expect_formula("x.ndb", "A:0:6162\n", "TRUE");
    expect_formula("x.ndb", "A:zero:*:6162\n", "\"ab\"");
    expect_formula("x.ndb", "A:0:*:6162:1:2:3\n", "TRUE");
    expect_formula("x.ndb", "A:0:*:text:0:38\nB:0:*:6162:38:150\n", "\"ab\"");
    expect_formula("x.ldb", "A;Engine:1-149,Target:0;0;61\nB;Engine:1-150,Target:0;0;6162\n",
                   "\"ab\"");
    expect_formula("x.db", "Old.Name=4142??4344\n", "&(\"AB\" \"CD\")");
    expect_formula("x.db", "Old.Name\n", "TRUE");
}

static void test_nul_in_line(void **state)
{
    static const char text[] = "A:0:*:6162\0 63\nB:0:*:6364\n";
    struct collection *collection = collect_bytes("x.ndb", text, sizeof(text) - 1);

    (void)state;
    assert_int_equal(collection->signature_count, 2);
    assert_string_equal(collection->signatures[0].formula, "TRUE");
    assert_string_equal(collection->signatures[1].formula, "\"cd\"");
    free(collection);
}

static void test_hashes(void **state)
{
    struct collection *collection = collect_text(
        "x.hsb",
        "44d88612fea8a8f36de82e1278abb02f:68:Md5\n"
        "3395856CE81F2B7382DEE72602F798B642F14140:*:Sha1:73\n"
        "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f:12:Sha2:1:255\n");

    (void)state;
    assert_int_equal(collection->signature_count, 0);
    assert_int_equal(collection->hash_count, 3);
    assert_string_equal(collection->hashes[0].name, "Md5");
    assert_int_equal(collection->hashes[0].hash.digest_bytes, 16);
    assert_int_equal(collection->hashes[0].hash.digest[0], 0x44);
    assert_int_equal(collection->hashes[0].hash.digest[15], 0x2f);
    assert_int_equal(collection->hashes[0].hash.size, 68);
    assert_false(collection->hashes[0].hash.any_size);
    assert_int_equal(collection->hashes[1].hash.digest_bytes, 20);
    assert_int_equal(collection->hashes[1].hash.digest[2], 0x85);
    assert_true(collection->hashes[1].hash.any_size);
    assert_int_equal(collection->hashes[2].hash.digest_bytes, 32);
    assert_int_equal(collection->hashes[2].hash.digest[31], 0x0f);
    free(collection);
    expect_formula("x.hdb", "44d88612fea8a8f36de82e1278abb02:68:Short\n", "TRUE");
    expect_formula("x.hdb", "44d88612fea8a8f36de82e1278abb0zz:68:Bad\n", "TRUE");
    expect_formula("x.hdb", "44d88612fea8a8f36de82e1278abb02f:a:Bad\n", "TRUE");
    expect_formula("x.hdb", "44d88612fea8a8f36de82e1278abb02f:1\n", "TRUE");
}

static void test_files(void **state)
{
    struct collection *collection = collect_text("x.txt", "A:0:*:6162\n");
    struct why why;
    struct source_sink sink = {.context = NULL};

    (void)state;
    assert_int_equal(collection->status, STATUS_BAD_FORMAT);
    assert_non_null(strstr(collection->why.text, "x.txt"));
    free(collection);
    assert_int_equal(source_read("/nowhere/x.ndb", &sink, &why), STATUS_NOT_FOUND);
    assert_non_null(strstr(why.text, "/nowhere/x.ndb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),     cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_long_run), cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_ndb),      cmocka_unit_test(test_nul_in_line),
        cmocka_unit_test(test_hashes),   cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

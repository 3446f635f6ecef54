/* Logical signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/read/collect.h"

/* Subsignatures aa, bb, cc, dd, ... */
static void expect_logic(const char *logic, const char *formula)
{
    char line[1024];

    (void)snprintf(line, sizeof(line),
                   "N;Engine:51-255,Target:0;%s;6161;6262;6363;6464;6565;6666\n", logic);
    expect_formula("x.ldb", line, formula);
}

static void expect_subsignature(const char *subsignature, const char *formula)
{
    char line[1024];

    (void)snprintf(line, sizeof(line), "N;Engine:51-255,Target:0;(1);7a7a7a;%s\n", subsignature);
    expect_formula("x.ldb", line, formula);
}

static void test_operators(void **state)
{
    (void)state;
    expect_logic("0", "\"aa\"");
    expect_logic("(0)", "\"aa\"");
    expect_logic("0&1&2", "&(\"aa\" \"bb\" \"cc\")");
    expect_logic("(0|1|2)", "|(\"aa\" \"bb\" \"cc\")");
    expect_logic("(0|1)&(2|3)", "&(|(\"aa\" \"bb\") |(\"cc\" \"dd\"))");
    expect_logic("((0|1)&2)|3", "|(&(|(\"aa\" \"bb\") \"cc\") \"dd\")");
    expect_logic("0&", "\"aa\"");
    expect_logic("0,1-4&1,1-4", "&(\"aa\" \"bb\")");
    expect_logic("0,1>4&1,2=0", "\"aa\"");
    expect_logic("((0&1))", "&(\"aa\" \"bb\")");
    expect_logic("0 & 1", "&(\"aa\" \"bb\")");
}

static void test_mixed(void **state)
{
    (void)state;
    /* As libclamav cuts: the first operator outside, the last one inside. */
    expect_logic("0&1|2", "&(\"aa\" |(\"bb\" \"cc\"))");
    expect_logic("0|1&2", "|(\"aa\" &(\"bb\" \"cc\"))");
    expect_logic("(0&1|2)", "|(&(\"aa\" \"bb\") \"cc\")");
    expect_logic("(0|1&2)", "&(|(\"aa\" \"bb\") \"cc\")");
}

static void test_counts(void **state)
{
    (void)state;
    expect_logic("0>3&1=2", "&(\"aa\" \"bb\")");
    expect_logic("0&1=0", "\"aa\"");
    expect_logic("0&1<3", "\"aa\"");
    expect_logic("0|1=0", "TRUE");
    expect_logic("(0|1|2)>2", "|(\"aa\" \"bb\" \"cc\")");
    expect_logic("(0|1|2)>2&3", "&(|(\"aa\" \"bb\" \"cc\") \"dd\")");
    expect_logic("(0|1|2)=0", "TRUE");
    expect_logic("(0|1|2)<5&3", "\"dd\"");
    expect_logic("(0&1)=0&2", "\"cc\"");
    /* Two different ones of three: of any two, one. */
    expect_logic("(0|1|2)>1,2", "&(|(\"aa\" \"bb\" \"cc\") |(\"aa\" \"bb\") |(\"bb\" \"cc\"))");
    expect_logic("(0|1)>1,2", "&(|(\"aa\" \"bb\") \"aa\" \"bb\")");
    expect_logic("(0|1=0|2)>0,2", "TRUE");
}

static void test_not_understood(void **state)
{
    static const char *const logics[] = {
        "", "(", "0)", "6", "x", "0>x", "0x(", "(0|1)x", "(0|1)>", "()", "(0|1)2",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(logics) / sizeof(logics[0]); i++)
        expect_logic(logics[i], "TRUE");
    expect_formula("x.ldb", "N;Target:0;0\n", "TRUE");
    expect_formula("x.ldb", "N;Target:0\n", "TRUE");
    expect_formula("x.ldb", "N\n", "TRUE");
}

static void test_subsignatures(void **state)
{
    (void)state;
    expect_subsignature("6162", "\"ab\"");
    expect_subsignature("EOF-10:6162", "\"ab\"");
    expect_subsignature("6162::i", "\"ab\"i");
    expect_subsignature("0,5:6162::i", "\"ab\"i");
    expect_subsignature("6162::w", "61006200");
    expect_subsignature("6162::wa", "|(61006200 \"ab\")");
    expect_subsignature("6162::wia", "|(61006200i \"ab\"i)");
    expect_subsignature("6162::fa", "\"ab\"");
    expect_subsignature("6162??6364::w", "&(61006200 0063006400)");
    expect_subsignature("61(6263|6465)::w", "&(6100 |(62006300 64006500))");
    expect_subsignature("6162::q", "TRUE");
    expect_subsignature("0:6162::i:", "TRUE");
    expect_subsignature("${6-7}12$", "TRUE");
    expect_subsignature("0(>>26#db2#=1234)", "\"zzz\"");
    expect_subsignature("9(>>26#db2#=1234)", "TRUE");
    expect_subsignature("1(>>26#db2#=1234)", "TRUE");
    expect_subsignature("fuzzy_img#af2ad01ed42993c7", "TRUE");
}

static void test_description(void **state)
{
    struct collection *collection = collect_text(
        "x.ldb", "A;Engine:81-255,Target:3;0;6162\n"
                 "B;Engine:81-255,Container:CL_TYPE_ZIP,Target:0;0;6162\n"
                 "C;Engine:81-255,Container:CL_TYPE_MAIL,Target:0;0;6162\n"
                 "D;Engine:81-255,Target:1,Intermediates:CL_TYPE_ANY>CL_TYPE_PDF;0;6162\n"
                 "E;Engine:81-255,Target:5;0&1;6162;fuzzy_img#af2ad01ed42993c7#0\n"
                 "F;Engine:81-255;0;6162\n"
                 "G;Engine:81-255,Container:CL_TYPE_HTML,Target:,FileSize:1-2;0;6162\n");

    (void)state;
    assert_int_equal(collection->signature_count, 7);
    assert_int_equal(collection->signatures[0].target, 3);
    assert_false(collection->signatures[0].container_never);
    assert_true(collection->signatures[1].container_never);
    assert_false(collection->signatures[2].container_never);
    assert_true(collection->signatures[3].container_never);
    assert_int_equal(collection->signatures[3].target, 1);
    assert_true(collection->signatures[4].image_fuzzy);
    assert_string_equal(collection->signatures[4].formula, "\"ab\"");
    assert_string_not_equal(collection->signatures[5].doubt, "");
    assert_int_equal(collection->signatures[5].target, 0);
    assert_int_equal(collection->signatures[6].target, 0);
    assert_false(collection->signatures[6].container_never);
    free(collection);
}

/* Subsignatures that each refer twice to the one before: a tree of 2^60 nodes. */
static void test_shared_nodes(void **state)
{
    char line[4096] = "N;Engine:81-255,Target:0;60;6161";

    (void)state;
    for (unsigned i = 1; i <= 60; i++)
        (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), ";%u&%u/x|y/", i - 1,
                       i - 1);
    {
        struct collection *collection = collect_text("x.ldb", line);

        assert_int_equal(collection->signature_count, 1);
        free(collection);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators),     cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_counts),        cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_subsignatures), cmocka_unit_test(test_description),
        cmocka_unit_test(test_shared_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

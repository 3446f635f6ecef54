/* YARA rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/read/collect.h"

static void expect_yara_string(const char *string, const char *formula)
{
    char text[4096];

    (void)snprintf(text, sizeof(text), "rule r { strings: $a = %s condition: $a }\n", string);
    expect_formula("x.yar", text, formula);
}

static void expect_condition(const char *condition, const char *formula)
{
    char text[4096];

    (void)snprintf(text, sizeof(text),
                   "rule r : tag other\n{\n meta:\n  a = \"x\" b = 3 c = true\n strings:\n"
                   "  $a1 = \"aa\"\n  $a2 = \"bb\" // comment\n  $b = \"cc\" /* $c = \"x\" */\n"
                   " condition:\n  %s\n}\n",
                   condition);
    expect_formula("x.yara", text, formula);
}

/* Nothing but counts. */
static void expect_dropped(const char *text)
{
    struct collection *collection = collect_text("x.yar", text);

    assert_int_equal(collection->status, STATUS_OK);
    if (collection->signature_count != 0)
        print_error("%s\n", text);
    assert_int_equal(collection->signature_count, 0);
    assert_string_equal(collection->text, "counted x.yar YARA rules libclamav does not load 1\n");
    free(collection);
}

static void test_strings(void **state)
{
    (void)state;
    expect_yara_string("\"text\"", "\"text\"");
    expect_yara_string("\"text\" nocase", "\"text\"i");
    expect_yara_string("\"text\" fullword ascii", "\"text\"");
    expect_yara_string("\"te\" wide", "74006500");
    expect_yara_string("\"te\" ascii wide nocase", "|(74006500i \"te\"i)");
    expect_yara_string("\"a\\\"b\\\\c\\td\\ne\\x41f\\x00\"", "6122625c6309640a65416600");
    expect_yara_string("\"ab\\rcd\"", "&(\"ab\" \"cd\")");
    expect_yara_string("{ 4D 5A ?? 9? [2-4] 00 01\n\t[-] (AA BB | CC) [3] 61 62 }",
                       "&(\"MZ\" 0001 |(aabb cc) \"ab\")");
    expect_yara_string("{ 61 62 (63 64|65 66) 67 68 }", "&(\"ab\" |(\"cd\" \"ef\") \"gh\")");
    expect_yara_string("/ab+c\\/d[0-9]/i", "&(\"ab\"i \"bc/d\"i)");
    expect_yara_string("/ab\\d{3}cd/s nocase", "&(\"ab\"i \"cd\"i)");
    expect_yara_string("/ab|cd/ fullword", "|(\"ab\" \"cd\")");
    expect_yara_string("\"a\"", "TRUE");
}

static void test_conditions(void **state)
{
    (void)state;
    expect_condition("$a1 and $a2 or $b", "|(&(\"aa\" \"bb\") \"cc\")");
    expect_condition("$a1 and ($a2 or $b)", "&(\"aa\" |(\"bb\" \"cc\"))");
    expect_condition("all of them", "&(\"aa\" \"bb\" \"cc\")");
    expect_condition("any of them", "|(\"aa\" \"bb\" \"cc\")");
    expect_condition("any of ($a*)", "|(\"aa\" \"bb\")");
    expect_condition("all of ($a*, $b)", "&(\"aa\" \"bb\" \"cc\")");
    expect_condition("2 of them", "&(|(\"aa\" \"bb\") |(\"bb\" \"cc\"))");
    expect_condition("(2 of ($a*)) and $b", "&(\"aa\" \"bb\" \"cc\")");
    expect_condition("0 of them", "TRUE");
    expect_condition("0x2 of them", "TRUE");
    expect_condition("#a1 > 3 and #a2 >= 1 and 2 <= #b", "&(\"aa\" \"bb\" \"cc\")");
    expect_condition("#a1 == 3 and #a2 == 0 and #b < 5", "\"aa\"");
    expect_condition("#a1 > 0xffffffffffffffff", "TRUE");
    expect_condition("#a1 + 1 > 3", "TRUE");
    expect_condition("#a1", "\"aa\"");
    expect_condition("not $a1 and $a2", "\"bb\"");
    expect_condition("not ($a1 or $a2) and $b", "\"cc\"");
    expect_condition("$a1 at 0 and $a2 in (0..filesize - 10)", "&(\"aa\" \"bb\")");
    expect_condition("$a1 at entrypoint + 5 and @b[1] < 100", "\"aa\"");
    expect_condition("uint16(0) == 0x5A4D and filesize < 20KB and $b", "\"cc\"");
    expect_condition("uint32(uint32(0x3C)) == 0x00004550 and any of ($a*)", "|(\"aa\" \"bb\")");
    expect_condition("for any of them : ($ at 0) and $b", "\"cc\"");
    expect_condition("for all i in (1..#a1) : (@a1[i] < 5 and $b) and $b", "\"cc\"");
    expect_condition("for 2 i in (1, 2, 3) : (uint8(i) == 2) or $b", "TRUE");
    expect_condition("true", "TRUE");
    expect_condition("false or $a1", "\"aa\"");
    expect_condition("Other and $a1", "\"aa\"");
    expect_condition("\"x\" contains \"y\" and $a1", "\"aa\"");
    expect_condition("$a1 or", "TRUE");
    expect_condition("$a1 $a2", "TRUE");
    expect_condition("any of them in (0..5)", "TRUE");
}

static void test_several(void **state)
{
    struct collection *collection = collect_text(
        "x.yar", "import \"pe\"\n\nglobal rule One { strings: $ = \"aa\" condition: any "
                 "of them }\nrule Two\n{\nstrings: $x = {6262} condition: $x }");

    (void)state;
    assert_int_equal(collection->signature_count, 2);
    assert_string_equal(collection->signatures[0].name, "YARA.One");
    assert_string_equal(collection->signatures[0].formula, "\"aa\"");
    assert_int_equal(collection->signatures[0].line, 3);
    assert_string_equal(collection->signatures[1].name, "YARA.Two");
    assert_string_equal(collection->signatures[1].formula, "\"bb\"");
    assert_int_equal(collection->signatures[1].line, 4);
    assert_string_equal(collection->text, "");
    free(collection);
}

static void test_refused(void **state)
{
    (void)state;
    expect_dropped("rule r { strings: $a = \"aa\" condition: $a and pe.is_dll() }");
    expect_dropped("rule r { strings: $a = \"aa\" condition: math.entropy(0, 5) > 7 or $a }");
    expect_dropped("rule r { strings: $a = \"aa\" condition: uint16be(0) == 5 or $a }");
    expect_dropped("rule r { strings: $a = \"aa\" condition: for any s in pe.sections : ($a) }");
    expect_dropped("rule r { strings: $a = \"aa\" xor(1-5) condition: $a }");
    expect_dropped("rule r { strings: $a = \"aa\" private condition: $a }");
    expect_dropped("rule r { strings: $a = { 61 /* x */ 62 } condition: $a }");
    expect_dropped("rule r { strings: $a = {\r\n 61 62 } condition: $a }");
    expect_dropped("private rule r { strings: $a = \"aa\" condition: true }");
    expect_dropped("rule r { condition: filesize < 5 }");
    expect_dropped("rule r { strings: $a = \"aa\" condition: $a \xc2\xa0 }");
}

/* A refused rule leaves its strings to the next: one without any is loaded then. */
static void test_strings_left(void **state)
{
    struct collection *collection;

    (void)state;
    expect_formula("x.yar",
                   "rule a { strings: $a = \"aa\" condition: pe.x }\n"
                   "rule b { condition: filesize < 5 }\n",
                   "TRUE");
    expect_formula("x.yar",
                   "private rule a { strings: $a = \"aa\" $b = \"bb\" condition: $a }\n"
                   "rule b { condition: filesize < 5 }\n",
                   "TRUE");
    expect_formula("x.yar",
                   "rule a { strings: $a = \"aa\" condition: $a }\n"
                   "rule b { condition: filesize < 5 }\n",
                   "\"aa\"");
    collection = collect_text("x.yar", "rule a { strings: $a = \"aa\" condition: $a }\n"
                                       "rule a { strings: $a = \"aa\" condition: $a }\n"
                                       "rule b { condition: filesize < 5 }\n");
    assert_int_equal(collection->signature_count, 3);
    assert_string_equal(collection->signatures[2].formula, "TRUE");
    free(collection);
}

static void test_broken(void **state)
{
    (void)state;
    expect_formula("x.yar", "rule r { strings: $a = 5 condition: $a }", "TRUE");
    expect_formula("x.yar", "rule r { strings: $a = \"aa\" condition: $a ", "TRUE");
    expect_formula("x.yar", "rule r { meta: a = - strings: $a = \"aa\" condition: $a }", "TRUE");
    expect_formula("x.yar", "/* no end", "TRUE");
    expect_formula("x.yar", "include \"other.yar\"\n", "TRUE");
    expect_formula("x.yar", "rule", "TRUE");
    expect_formula("x.yar", "rule 5", "TRUE");
}

static void test_many_strings(void **state)
{
    static char text[65536];

    (void)state;
    for (unsigned count = 64; count <= 65; count++) {
        (void)snprintf(text, sizeof(text), "rule r { strings:");
        for (unsigned i = 0; i < count; i++)
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " $s%u = \"same\"", i);
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " condition: $s%u }", 0u);
        if (count == 64)
            expect_formula("x.yar", text, "\"same\"");
        else
            expect_dropped(text);
    }
}

static void test_deep(void **state)
{
    static char text[65536];

    (void)state;
    (void)snprintf(text, sizeof(text), "rule r { strings: $a = \"aa\" condition: ");
    for (unsigned i = 0; i < 10000; i++)
        text[strlen(text)] = i % 3 == 0 ? '~' : '(';
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "$a }");
    expect_formula("x.yar", text, "TRUE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),      cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_several),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_strings_left), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_many_strings), cmocka_unit_test(test_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

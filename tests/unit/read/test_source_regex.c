/* What regular expressions require. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/read/read.h"

static void expect_options(const char *pattern, unsigned options, const char *formula)
{
    struct expression_arena *arena = expression_arena_create();
    const char *doubt = NULL;
    char text[1024];
    /* Exactly as long as it is: a sanitizer sees a read past it. */
    struct expression *required = regex_read(arena, pattern, strlen(pattern), options, &doubt);

    assert_non_null(required);
    (void)expression_print(required, text, sizeof(text));
    if (strcmp(text, formula) != 0)
        print_error("%s\n", pattern);
    assert_string_equal(text, formula);
    if (expression_is_true(required))
        assert_non_null(doubt);
    expression_arena_destroy(arena);
}

static void expect(const char *pattern, const char *formula)
{
    expect_options(pattern, 0, formula);
}

static void test_literals(void **state)
{
    (void)state;
    expect("hello", "\"hello\"");
    expect("a.cd.ef", "&(\"cd\" \"ef\")");
    expect("^ab$cd", "\"abcd\"");
    expect("ab\\b\\Bcd\\A", "\"abcd\"");
    expect("ab\\.cd\\/ef\\x2e\\x2F", "\"ab.cd/ef./\"");
    expect("ab\\x{2e}c\\n\\r\\t\\0", "61622e630a0d0900");
    expect("ab\\x2g", "61620267");
    expect("ab\\012c\\0123", "61620a630a33");
    expect("ab\\dcd\\Sef\\Wgh\\Rij\\Nkl", "&(\"ab\" \"cd\" \"ef\" \"gh\" \"ij\" \"kl\")");
    expect("ab\\scd\\s*ef\\s{2,}gh", "\"ab\\scd\\sef\\sgh\"");
    expect("ab]}{cd", "\"ab]}{cd\"");
    expect("ab{x}cd{}ef{1,2,3}", "\"ab{x}cd{}ef{1,2,3}\"");
    expect("a", "TRUE");
    expect("", "TRUE");
}

static void test_quantifiers(void **state)
{
    (void)state;
    expect("abc*de", "&(\"ab\" \"de\")");
    expect("abc?de", "&(\"ab\" \"de\")");
    expect("abc+de", "&(\"abc\" \"cde\")");
    expect("abc+?de", "&(\"abc\" \"cde\")");
    expect("abc*+de", "&(\"ab\" \"de\")");
    expect("abc{0}de", "&(\"ab\" \"de\")");
    expect("abc{3}de", "\"abcccde\"");
    expect("abc{2,}de", "&(\"abcc\" \"cde\")");
    expect("abc{2,3}?de", "&(\"abcc\" \"cde\")");
    expect("abc{0,3}de", "&(\"ab\" \"de\")");
    expect("x(?:ab)+y", "&(\"xab\" \"aby\")");
    expect("x(?:ab)*yz", "\"yz\"");
    expect("x(?:ab|cd)+yz", "&(|(\"ab\" \"cd\") \"yz\")");
    expect("x(?:ab|cd)?yz", "\"yz\"");
    expect("(ab){100}", "&(\"abababababababababababababababababababababababababababababababab\" "
                        "\"ab\")");
    expect("*ab", "TRUE");
    expect("ab{,3}cd", "TRUE");
    expect("ab{1, 3}cd", "TRUE");
}

static void test_groups(void **state)
{
    (void)state;
    expect("ab(cd)ef", "\"abcdef\"");
    expect("ab(?:cd)ef", "\"abcdef\"");
    expect("ab(?<n>cd)(?P<m>ef)(?'o'gh)", "\"abcdefgh\"");
    expect("ab(?>cd)", "\"abcd\"");
    expect("ab(cd|ef)gh", "&(\"ab\" |(\"cd\" \"ef\") \"gh\")");
    expect("ab(cd|)gh", "&(\"ab\" \"gh\")");
    expect("ab|cd", "|(\"ab\" \"cd\")");
    expect("ab|c", "TRUE");
    expect("ab(?=cd)ef(?!gh)ij(?<=kl)mn(?<!op)", "\"abefijmn\"");
    expect("(ab)\\1cd\\12ef\\g1gh\\g{-1}ij\\k<n>kl\\k'n'mn\\k{n}op(?P=n)qr",
           "&(\"ab\" \"cd\" \"ef\" \"gh\" \"ij\" \"kl\" \"mn\" \"op\" \"qr\")");
    expect("ab(?R)cd(?1)ef(?-1)gh(?&n)ij(?P>n)kl", "&(\"ab\" \"cd\" \"ef\" \"gh\" \"ij\" \"kl\")");
    expect("ab(?(1)cd|ef)gh", "&(\"ab\" \"gh\")");
    expect("ab(?(<n>)cd)gh", "&(\"ab\" \"gh\")");
    expect("ab(?(?=x)cd|ef)gh", "TRUE");
    expect("ab(*ACCEPT)cd", "TRUE");
    expect("(*UTF8)ab", "TRUE");
    expect("ab(?*cd)", "TRUE");
    expect("ab(?<*cd)>", "TRUE");
    expect("ab(?C1)cd", "TRUE");
    expect("ab(cd", "TRUE");
    expect("ab)cd", "TRUE");
}

static void test_comments(void **state)
{
    (void)state;
    expect("ab(?#comment)cd", "\"abcd\"");
    expect("abc(?#comment)*de", "&(\"ab\" \"de\")");
    expect_options("a b # c\n cd", REGEX_EXTENDED, "\"abcd\"");
    expect_options("abc *de", REGEX_EXTENDED, "&(\"ab\" \"de\")");
    expect_options("abc # x\n * de", REGEX_EXTENDED, "&(\"ab\" \"de\")");
    expect_options("ab\\ cd", REGEX_EXTENDED, "\"ab cd\"");
    expect_options("ab[ ]cd", REGEX_EXTENDED, "&(\"ab\" \"cd\")");
    expect("(?x)a b(?-x: c)d e", "\"ab cde\"");
    expect("ab\\Qc.d*\\Eef", "&(\"abc.d\" \"ef\")");
    expect("ab\\Qc.de\\E*fg", "&(\"abc.d\" \"fg\")");
    expect("ab\\Q\\E*fg", "TRUE");
    expect("abc\\E*fg", "TRUE");
    expect("ab\\Qcde", "\"abcd\"");
}

static void test_case(void **state)
{
    (void)state;
    expect_options("ab1", REGEX_CASELESS, "\"ab1\"i");
    expect("(?i)ab", "\"ab\"i");
    expect("12(?i)|ab", "|(\"12\" \"ab\"i)");
    expect("(?:(?i)12|ab)cd", "&(|(\"12\" \"ab\"i) \"cd\")");
    expect("(?i:12)cd", "\"12cd\"");
    expect("(?^:cd)", "\"cd\"");
    expect_options("(?-i)ab", REGEX_CASELESS, "\"ab\"");
    expect_options("(?^)ab", REGEX_CASELESS, "\"ab\"");
    expect("[aA][Bb]", "\"aB\"i");
}

static void test_classes(void **state)
{
    (void)state;
    expect("ab[cd]ef", "&(\"ab\" \"ef\")");
    expect("ab[^c]ef", "&(\"ab\" \"ef\")");
    expect("ab[c]ef", "\"abcef\"");
    expect("ab[.]ef[*]", "\"ab.ef*\"");
    expect("ab[]]ef[^]]gh", "&(\"ab]ef\" \"gh\")");
    expect("ab[\\]]ef", "\"ab]ef\"");
    expect("ab[\\x41]ef", "\"abAef\"");
    expect("ab[a-z]ef[-]gh", "&(\"ab\" \"ef\" \"gh\")");
    expect("ab[[:alpha:]]ef[[:^space:]x]gh", "&(\"ab\" \"ef\" \"gh\")");
    expect("ab[\\Q]\\E]ef", "&(\"ab\" \"ef\")");
    expect("ab[\\c]]ef", "&(\"ab\" \"ef\")");
    expect("ab[\\d]ef[a[b]gh", "&(\"ab\" \"ef\" \"gh\")");
    expect("ab[[.x.]]", "TRUE");
    expect("ab[c", "TRUE");
    expect("ab[", "TRUE");
    expect("ab[\\", "TRUE");
    expect("ab\\", "TRUE");
    expect("ab\\x{123}", "TRUE");
    expect("ab\\i", "TRUE");
    expect("ab\\N{U+41}", "TRUE");
    expect("ab\\p{L}cd\\PLef\\o{101}gh\\cAij", "&(\"ab\" \"cd\" \"ef\" \"gh\" \"ij\")");
}

static void test_depth(void **state)
{
    char pattern[1024];
    char open[201];

    (void)state;
    memset(open, '(', 200);
    open[200] = '\0';
    (void)snprintf(
        pattern, sizeof(pattern), "%sab%.*s", open, 200,
        "))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"
        "))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"
        "))))))))))))))))))))))))))))))))))))))))");
    expect(pattern, "TRUE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals), cmocka_unit_test(test_quantifiers),
        cmocka_unit_test(test_groups),   cmocka_unit_test(test_comments),
        cmocka_unit_test(test_case),     cmocka_unit_test(test_classes),
        cmocka_unit_test(test_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
